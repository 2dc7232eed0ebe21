/** From the options of a program to a configuration, through the one option table. All problems are found at once. */

import type { System } from "../../runtime/contract/contract.ts";
import type { Document } from "../config/file/document.ts";
import { valueDocument } from "../config/file/value_document.ts";
import { loadDocuments, type Loaded } from "../config/load.ts";
import { isUsual } from "../config/options/layer.ts";
import { CHILD_OPTIONS, CHILD_PROCESS_OPTIONS } from "../config/options/backend.ts";
import type { OptionPath } from "../config/options/options.ts";
import { asMap } from "../config/values/mapping.ts";
import { formatProblem, type Problem } from "../config/values/problem.ts";
import { shown } from "../config/values/shown.ts";
import { suggest } from "../config/values/suggest.ts";
import { checkFiles } from "../serve/check_files.ts";
import type { OpenOptions } from "./api_types.ts";
import { ConfigError } from "./api_error.ts";

/** Keys that stand beside `options`; the rest of the file stands within it. */
const PARTS = ["listen", "upstreams", "routes"] as const;
const KEYS: readonly string[] = [...PARTS, "config", "options", "log"];

/** Options of the program `sluice`, which has a process of its own. */
const PROGRAM_ONLY: ReadonlySet<string> = new Set([
  "workers",
  "watch",
  "ready_fd",
  "port_file",
  "pid_file",
  "control",
  "control_mode",
  "control_group",
  ...Object.keys(CHILD_OPTIONS),
  ...Object.keys(CHILD_PROCESS_OPTIONS),
]);

/** What a program has given, read. */
export interface ReadOptions {
  readonly loaded: Loaded;
  /** Of the files that it names: see `FileFindings.secrets`. */
  readonly secrets: string;
  /** What is allowed but probably not meant, a line each. */
  readonly warnings: readonly string[];
}

/**
 * @param wallMs now; certificates that are over are told of
 * @throws ConfigError
 */
export async function readOptions(
  system: System,
  options: OpenOptions,
  wallMs: number,
): Promise<ReadOptions> {
  const problems: string[] = [];
  const documents = [ownDocument(options, problems), ...await fileDocuments(system, options, problems)];
  const loaded = loadDocuments({ flags: {}, env: {}, documents, unfit });
  if (!loaded.ok) throw new ConfigError([...problems, ...loaded.problems.map(wordsOf)]);
  const files = await checkFiles(system, loaded, wallMs);
  problems.push(...files.problems.map(wordsOf));
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = [...loaded.warnings, ...files.warnings].map(wordsOf);
  return { loaded: withOwnDefaults(loaded), secrets: files.secrets, warnings };
}

/** What stands in the options themselves, in the shape of the file. */
function ownDocument(options: OpenOptions, problems: string[]): Document {
  const given = asMap(options);
  if (given === null) throw new ConfigError([`the options must be an object, got ${shown(options)}`]);
  for (const [key, value] of given) {
    if (value === undefined || KEYS.includes(key)) continue;
    const near = suggest(key, KEYS);
    problems.push(
      `${key}: unknown key: there are ${KEYS.join(", ")}${near === null ? "" : `; did you mean ${near}?`}`,
    );
  }
  const within = options.options === undefined ? new Map<string, unknown>() : asMap(options.options);
  if (within === null) {
    problems.push(`options: must be an object with options of the file, got ${shown(options.options)}`);
  }
  if (options.log !== undefined && typeof options.log !== "function") {
    problems.push(`log: must be a function that takes a line, got ${shown(options.log)}`);
  }
  const root = new Map(within ?? []);
  for (const part of PARTS) {
    if (root.get(part) !== undefined) problems.push(`options.${part}: stands beside options, not in it`);
    if (given.has(part)) root.set(part, given.get(part));
  }
  return valueDocument("", root);
}

/** The YAML file, if there is one. What reads YAML is loaded only then. */
async function fileDocuments(
  system: System,
  { config: path }: OpenOptions,
  problems: string[],
): Promise<readonly (Document | Problem)[]> {
  if (path === undefined) return [];
  if (typeof path !== "string" || path === "") {
    problems.push(`config: must be the path of a file, got ${shown(path)}`);
    return [];
  }
  try {
    const text = await system.readText(path);
    const { readYaml } = await import("../config/file/yaml_file.ts");
    return [readYaml(path, text)];
  } catch (error) {
    problems.push(`config: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

/** A library has no process of its own, and starts none. */
function unfit(path: OptionPath, value: unknown): string | null {
  if (!PROGRAM_ONLY.has(path) || isUsual(path, value)) return null;
  return "is for the program sluice: a library has no process of its own";
}

/**
 * Sockets of the platform unless others are asked for: with those over epoll, timers of the rest of the program may be
 * late by 50 ms.
 */
function withOwnDefaults(loaded: Loaded): Loaded {
  if (loaded.origins.get("sockets")?.source !== "default") return loaded;
  const { config } = loaded;
  return { ...loaded, config: { ...config, process: { ...config.process, sockets: "native" } } };
}

/** The place as the program has written it: what is none of `PARTS` stands in `options`. */
function wordsOf(problem: Problem): string {
  const { source, name, path } = problem;
  const [part = ""] = path.split(/[.[]/, 1);
  if (source !== "file" || name !== "" || part === "" || PARTS.some((each) => each === part)) {
    return formatProblem(problem);
  }
  return formatProblem({ ...problem, path: `options.${path}` });
}
