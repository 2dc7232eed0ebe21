/** Reads the configuration for a command: finds the file, reads it, puts all sources together. */

import type { System } from "../../runtime/contract/contract.ts";
import type { Flags } from "../config/options/layer.ts";
import { loadDocuments, type Loaded, type Rejected } from "../config/load.ts";
import { envName, flagName } from "../config/options/option.ts";
import { type Origin, problemAt } from "../config/values/problem.ts";

/**
 * The effective configuration out of flags, environment and the file they name (`-` is standard input).
 * Reads the file anew at every call.
 */
export async function readConfig(system: System, flags: Flags): Promise<Loaded | Rejected> {
  const flag = flags["config"];
  const path = configPath(system, flags);
  const withoutFile = () => loadDocuments({ flags, env: system.env, documents: [] });
  if (path === "") return withoutFile();
  const origin: Origin = flag !== undefined
    ? { source: "flag", name: flagName("config"), line: null }
    : { source: "env", name: envName("config"), line: null };
  try {
    const text = path === "-" ? await system.readStdin() : await system.readText(path);
    // With the parser of YAML, a millisecond that a start without a file does not need.
    const { loadConfig } = await import("../config/load_config.ts");
    return loadConfig({ flags, env: system.env, file: { path: path === "-" ? "stdin" : path, text } });
  } catch (error) {
    const rest = withoutFile();
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

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
