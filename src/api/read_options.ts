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
import type { OpenOptions, RouteInit } from "./api_types.ts";
import { ConfigError } from "./api_error.ts";
import { HANDLER_NAME, HOOKS, HOOKS_NAME, type ProgramFunctions, routeName } from "./program_functions.ts";
import { carriedBy, type CarriedUpstream, type CarriedUpstreams } from "./proxy_handler.ts";

/** Keys that stand beside `options`; the rest of the file stands within it. */
const PARTS = ["listen", "upstreams", "routes"] as const;
const FUNCTIONS = ["handler", "fetch", "log", ...HOOKS] as const;
const KEYS: readonly string[] = [...PARTS, "config", "options", ...FUNCTIONS];

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
  "script.stall",
  "script.guard",
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
  /** What names of scripts stand for in the configuration. */
  readonly functions: ProgramFunctions;
  /** Upstreams that handlers have brought along, those that were known before included. By name. */
  readonly carried: CarriedUpstreams;
}

/**
 * @param functions of these options
 * @param known upstreams that handlers have brought along so far
 * @param wallMs now; certificates that are over are told of
 * @throws ConfigError
 */
export async function readOptions(
  system: System,
  options: OpenOptions,
  functions: ProgramFunctions,
  known: CarriedUpstreams,
  wallMs: number,
): Promise<ReadOptions> {
  const problems: string[] = [];
  const carried = new Map(known);
  const own = ownDocument(options, carried, problems);
  const documents = [own, ...await fileDocuments(system, options, problems)];
  const loaded = loadDocuments({ flags: {}, env: {}, documents, unfit });
  const words = (problem: Problem) => wordsOf(problem, options);
  if (!loaded.ok) throw new ConfigError([...problems, ...loaded.problems.map(words)]);
  const files = await checkFiles(system, loaded, wallMs);
  problems.push(...files.problems.map(words));
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = [...loaded.warnings, ...files.warnings].map(words);
  return { loaded: withOwnDefaults(loaded), secrets: files.secrets, warnings, functions, carried };
}

/** What stands in the options themselves, in the shape of the file. @param carried gets what handlers bring along */
function ownDocument(
  options: OpenOptions,
  carried: Map<string, CarriedUpstream>,
  problems: string[],
): Document {
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
  for (const name of FUNCTIONS) {
    const value: unknown = given.get(name);
    if (value === undefined || typeof value === "function") continue;
    problems.push(`${name}: must be a function, got ${shown(value)}`);
  }
  const root = new Map(within ?? []);
  for (const part of PARTS) {
    if (root.get(part) !== undefined) problems.push(`options.${part}: stands beside options, not in it`);
    if (given.has(part)) root.set(part, given.get(part));
  }
  root.set("routes", routesOf(options, carried));
  if (HOOKS.some((name) => options[name] !== undefined)) {
    root.set("script", scriptOf(root.get("script"), problems));
  }
  root.set("upstreams", upstreamsOf(root.get("upstreams"), carried, problems));
  return valueDocument("", root);
}

/** Functions are told by their names, and what `proxy` makes by the upstream that it brings along. */
function routesOf(options: OpenOptions, carried: Map<string, CarriedUpstream>): unknown {
  const { routes, handler = options.fetch } = options;
  // The reader says what is wrong with it.
  if (routes !== undefined && !Array.isArray(routes)) return routes;
  const given: readonly RouteInit[] = routes ?? [];
  const named = given.map((route, index) => {
    if (typeof route?.to !== "function") return route;
    const { to, ...rest } = route;
    return { ...rest, ...targetOf(to, routeName(index), carried) };
  });
  if (typeof handler === "function") named.push(targetOf(handler, HANDLER_NAME, carried));
  return routes === undefined && named.length === 0 ? undefined : named;
}

function targetOf(handler: unknown, name: string, carried: Map<string, CarriedUpstream>): object {
  const upstream = carriedBy(handler);
  if (upstream === undefined) return { handle: name };
  carried.set(upstream.name, upstream);
  return { to: upstream.name };
}

/** The hooks are the script before all routes. */
function scriptOf(given: unknown, problems: string[]): unknown {
  const settings = given === undefined ? new Map<string, unknown>() : asMap(given);
  if (settings === null || settings.has("file")) {
    problems.push("options.script: there are hooks already: a file beside them is for the program sluice");
  }
  return { ...Object.fromEntries(settings ?? []), file: HOOKS_NAME };
}

function upstreamsOf(
  given: unknown,
  carried: CarriedUpstreams,
  problems: string[],
): unknown {
  const own = given === undefined ? new Map<string, unknown>() : asMap(given);
  if (carried.size === 0 || own === null) return given;
  for (const name of own.keys()) {
    if (carried.has(name)) {
      problems.push(`upstreams.${name}: is what proxy() has named its own: rename this one`);
    }
  }
  return Object.fromEntries([...own, ...Array.from(carried, ([name, { init }]) => [name, init] as const)]);
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
function wordsOf(problem: Problem, { routes }: OpenOptions): string {
  const { source, name } = problem;
  // The route of the handler is the last one.
  const path = problem.path.replace(`routes[${routes?.length ?? 0}]`, "handler");
  const [part = ""] = path.split(/[.[]/, 1);
  if (
    source !== "file" || name !== "" || part === "" || part === "handler" ||
    PARTS.some((each) => each === part)
  ) {
    return formatProblem({ ...problem, path });
  }
  return formatProblem({ ...problem, path: `options.${path}` });
}
