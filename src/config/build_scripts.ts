/** The scripts of a configuration: which files, and where each is named. */

import type { OptionValues } from "./options/options.ts";
import type { Resolved } from "./options/layer.ts";
import type { RouteConfig, ScriptConfig } from "./values/config.ts";
import type { Origin } from "./values/problem.ts";
import type { RoutesResult } from "./file/routes.ts";

/** A place of the configuration that names a script. */
export interface ScriptUse {
  /** Relative to the working directory. */
  readonly file: string;
  /** `script`, `routes[2].handle` */
  readonly path: string;
  readonly origin: Origin;
}

/** What paths of the file begin at: "", or its folder with "/" at the end. */
export function folderOf(file: string): string {
  return file.slice(0, Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
}

/** @param folder see `folderOf` */
export function pathWithin(folder: string, path: string): string {
  return /^(?:[/\\]|[A-Za-z]:[/\\])/.test(path) ? path : folder + path;
}

/** Null where nothing names a script. */
export function buildScript(top: Resolved, routes: readonly RouteConfig[]): ScriptConfig | null {
  const { values } = top;
  const file = topFile(top);
  const named = file !== null ||
    routes.some(({ script, target }) => script !== null || target.kind === "handle");
  return named ? { file, ...settings(values) } : null;
}

function settings(values: OptionValues): Omit<ScriptConfig, "file"> {
  return {
    timeoutMs: values["script.timeout"],
    stallMs: values["script.stall"],
    passesOnError: values["script.on_error"] === "pass",
    guard: values["script.guard"],
  };
}

function topFile(top: Resolved): string | null {
  const file = top.values["script.file"];
  if (file === null) return null;
  const { source, name } = top.originOf("script.file");
  return source === "file" ? pathWithin(folderOf(name), file) : file;
}

/** Every place that names one, in the order of the file. */
export function scriptUses(top: Resolved, routes: RoutesResult): readonly ScriptUse[] {
  const main = topFile(top);
  const uses: ScriptUse[] = main === null
    ? []
    : [{ file: main, path: "script", origin: top.originOf("script.file") }];
  for (const { place, script, scriptOrigin, target, targetOrigin } of routes.drafts) {
    const handler = target.kind === "handle" ? target.file : null;
    for (
      const [key, written, origin] of [["script", script, scriptOrigin], [
        "handle",
        handler,
        targetOrigin,
      ]] as const
    ) {
      if (written === null) continue;
      uses.push({ file: pathWithin(folderOf(origin.name), written), path: `${place}.${key}`, origin });
    }
  }
  return uses;
}

/** Files of scripts that a configuration names; each once. */
export function scriptFiles(
  { script, routes }: { readonly script: ScriptConfig | null; readonly routes: readonly RouteConfig[] },
): readonly string[] {
  const named = [
    script?.file ?? null,
    ...routes.flatMap((route) => [route.script, route.target.kind === "handle" ? route.target.file : null]),
  ];
  return [...new Set(named.filter((file) => file !== null))];
}
