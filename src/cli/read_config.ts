/** Reads the configuration for a command: finds the file, reads it, puts all sources together. */

import type { System } from "../../runtime/contract.ts";
import type { Config } from "../config/config.ts";
import type { Flags } from "../config/layer.ts";
import { loadConfig, type Loaded, type Rejected } from "../config/load.ts";
import { envName, flagName } from "../config/option.ts";
import { type Origin, type Problem, problemAt } from "../config/problem.ts";
import { pemFault } from "./files.ts";

/**
 * The effective configuration out of flags, environment and the file they name (`-` is standard input).
 * Reads the file anew at every call.
 */
export async function readConfig(system: System, flags: Flags): Promise<Loaded | Rejected> {
  const flag = flags["config"];
  const path = configPath(system, flags);
  if (path === "") return loadConfig({ flags, env: system.env, file: null });
  const origin: Origin = flag !== undefined
    ? { source: "flag", name: flagName("config"), line: null }
    : { source: "env", name: envName("config"), line: null };
  try {
    const text = path === "-" ? await system.readStdin() : await system.readText(path);
    return loadConfig({ flags, env: system.env, file: { path: path === "-" ? "stdin" : path, text } });
  } catch (error) {
    const rest = loadConfig({ flags, env: system.env, file: null });
    const problems = rest.ok || rest.nothingToServe ? [] : rest.problems;
    const problem = problemAt(origin, "config", `cannot be read: ${reasonOf(error)}`);
    return { ok: false, problems: [problem, ...problems], nothingToServe: false };
  }
}

/** The path of the file, "-" for standard input, "" when there is none. Empty or repeated: loadConfig says so. */
export function configPath(system: System, flags: Flags): string {
  const flag = flags["config"];
  if (flag !== undefined) return flag.length === 1 ? flag[0] ?? "" : "";
  return system.env[envName("config")] ?? "";
}

/** Tries to read the certificate files that the configuration names, and looks into them. */
export async function checkFiles(system: System, loaded: Loaded): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const [path, file] of filesOf(loaded.config)) {
    let wrong: string | null;
    try {
      wrong = pemFault(await system.readText(file), path.endsWith("key") ? "key" : "certificate");
    } catch (error) {
      wrong = `cannot be read: ${reasonOf(error)}`;
    }
    if (wrong !== null) problems.push(problemAt(originOf(loaded, path), path, wrong));
  }
  return problems;
}

/** Option paths and the files they name; each file once. */
export function filesOf(config: Config): readonly (readonly [path: string, file: string])[] {
  const found = new Map<string, string>();
  const add = (path: string, file: string | null | undefined) => {
    if (file !== null && file !== undefined && !found.has(file)) found.set(file, path);
  };
  add("tls.cert", config.tls?.certFile);
  add("tls.key", config.tls?.keyFile);
  for (const { name, tls } of config.upstreams) {
    add(`upstreams.${name}.upstream_tls.ca`, tls.caFile);
    add(`upstreams.${name}.upstream_tls.cert`, tls.certFile);
    add(`upstreams.${name}.upstream_tls.key`, tls.keyFile);
  }
  return [...found].map(([file, path]) => [path, file]);
}

function originOf(loaded: Loaded, path: string): Origin {
  const origin = loaded.origins.get(path) ?? loaded.origins.get(path.replace(/^upstreams\.[^.]*\./, ""));
  if (origin === undefined) throw new Error(`no origin is known for ${path}`);
  return origin;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
