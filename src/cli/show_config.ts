/** `sluice config` and `sluice check`. */

import type { Clock, Runtime, System } from "../../runtime/contract/contract.ts";
import type { Loaded, Rejected } from "../config/load.ts";
import { scriptFiles } from "../config/build_scripts.ts";
import { printYaml } from "../config/print.ts";
import { formatOrigin, formatProblem, type Origin, type Problem } from "../config/values/problem.ts";
import { EXIT, type ExitCode } from "../process/shared/exit_code.ts";
import { tryScripts } from "./scripts/try_scripts.ts";
import { print, printProblems, printWarnings } from "../serve/output.ts";
import { checkFiles, type FileFindings } from "../serve/check_files.ts";

/** Prints the effective configuration: YAML with comments, or JSON. */
export function showConfig(system: System, loaded: Loaded, json: boolean): ExitCode {
  printWarnings(system, loaded.warnings);
  print(system, json ? configJson(loaded) : printYaml(loaded));
  return EXIT.done;
}

/** Reports every problem; with `json` as one document on standard output. */
export async function check(
  runtime: Runtime,
  system: System,
  result: Loaded | Rejected,
  json: boolean,
): Promise<ExitCode> {
  const found = result.ok
    ? await allFindings(runtime.clock, system, result)
    : { problems: result.problems, warnings: [] };
  const { warnings } = found;
  // What cannot even be bundled is not run.
  const problems = result.ok && found.problems.length === 0
    ? await tryScripts(runtime, system, result.config)
    : found.problems;
  if (json) {
    print(system, document({ ok: problems.length === 0, problems, warnings }));
  } else {
    printWarnings(system, warnings);
    if (problems.length > 0) printProblems(system, problems.map(formatProblem));
    else if (result.ok) print(system, summary(result));
  }
  return problems.length === 0 ? EXIT.done : EXIT.usage;
}

/** What is wrong with a configuration that could be read, and with the files that it names. */
export async function allFindings(clock: Clock, system: System, loaded: Loaded): Promise<FileFindings> {
  const found = await checkFiles(system, loaded, clock.wall());
  return { ...found, warnings: [...loaded.warnings, ...found.warnings] };
}

function summary({ config }: Loaded): string {
  const endpoints = config.upstreams.reduce((sum, upstream) => sum + upstream.endpoints.length, 0);
  const parts = [
    plural(config.listen.length, "listener"),
    plural(config.routes.length, "route"),
    plural(config.upstreams.length, "upstream"),
    plural(endpoints, "endpoint"),
    ...(config.script === null ? [] : [plural(scriptFiles(config).length, "script")]),
  ];
  return `ok: ${parts.join(", ")}\n`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function configJson(loaded: Loaded): string {
  const origins: Record<string, Origin & { readonly text: string }> = {};
  for (const [path, origin] of loaded.origins) origins[path] = { ...origin, text: formatOrigin(origin) };
  const warnings: readonly Problem[] = loaded.warnings;
  return document({ config: loaded.config, origins, warnings });
}

function document(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}
