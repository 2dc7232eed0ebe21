/**
 * Checks that knowledge flows one way: a folder imports only itself and the folders before it, no files import each
 * other in a circle, only `runtime/` names a platform, what handles requests knows streams instead of connections and
 * wire versions, and files stay short enough to read.
 *
 *     bun scripts/check_layers.ts
 *
 * Prints `file:line: what is wrong: what to do` and exits 1 when there is anything to print.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { lineAt, readSource } from "./support/source_text.ts";

/**
 * Lowest first. The longest match counts; a folder that is not named belongs to the one around it. Rooms that know more
 * than their neighbours stand in the order in which they may know of each other.
 */
export const layers: readonly string[] = [
  "runtime/contract",
  "src/bytes",
  "src/time",
  // Messages and protocols without sockets.
  "src/http",
  "src/websocket",
  "src/http1",
  "src/resolve",
  // Sockets: one connection, then those of a pool, then those of an upstream.
  "src/conn",
  "src/client",
  // What handlers answer, whoever they are, and how that is sent.
  "src/answer",
  // Accepts, limits and drains the connections of clients; who answers them, it knows by an interface only.
  "src/server",
  "src/upstream",
  // Where a forward proxy may go, and who may use it.
  "src/forward",
  // Who we are towards origins and parents.
  "src/credentials",
  "src/exchange",
  // Requests in the hands of a script or a handler.
  "src/script",
  "src/gateway",
  // Words that users type, and lines that they read.
  "src/config/values",
  "src/config/options",
  "src/config/file",
  "src/config",
  "src/observe",
  // The processes of a Sluice, what can be asked of it, and the programs that it runs.
  "src/process/shared",
  "src/process/worker",
  "src/process/supervisor",
  "src/control",
  "src/backend",
  "src/admin",
  "src/serve",
  // What a program sees that loads Sluice, and what somebody sees who starts it.
  "src/api",
  "src/cli",
];

/** Packages that `src/` may import; a third one needs a reason. */
const packages: readonly string[] = ["@std/yaml", "cac"];

/** Longest file in `src/` and `runtime/`, in lines. A file is one noun, usually 60 to 300 lines. */
const maxLines = 400;

interface LongFile {
  readonly maxLines: number;
  /** Why its parts cannot be read apart. */
  readonly reason: string;
}

/** Files that may be longer. One that has become short enough must be taken out. */
const longFiles: ReadonlyMap<string, LongFile> = new Map(Object.entries({
  "src/exchange/exchange.ts": {
    maxLines: 640,
    reason: "a state machine: all transitions of a request and its answer",
  },
  "src/script/scripted_stream.ts": {
    maxLines: 900,
    reason: "a state machine: all transitions of a request in a script's hands",
  },
  "src/exchange/connect_by_parent.ts": {
    maxLines: 480,
    reason: "a state machine: all transitions of a CONNECT that a parent is asked for",
  },
  "src/http1/message_parser.ts": {
    maxLines: 450,
    reason: "all states of a message move one position through the same bytes, on the path of every request",
  },
  "src/process/supervisor/supervisor.ts": {
    maxLines: 450,
    reason: "all that a worker says is heard in one place, and each part is handed there what it may know",
  },
  "src/process/supervisor/slot_ledger.ts": {
    maxLines: 500,
    reason: "no slot may count twice, whichever rules of granting, limits and names come together",
  },
}));

/** Rooms that handle requests. They know streams (src/http/*_stream.ts), so that no wire version shows in them. */
const streamRooms: readonly string[] = [
  "src/answer/",
  "src/exchange/",
  "src/script/",
  "src/gateway/",
  "src/upstream/",
];

/** Rooms that a stream is made of. What a tunnel carries (src/websocket) is the same over every version. */
const wireRooms: readonly string[] = ["src/conn/", "src/http1/"];

/** What only HTTP/1 has: digits of a version, a line before the fields, a connection that asks for its next request. */
const wireNames = /\b(?:minor|startLine|nextRequest)\b/g;

/** Rooms that make connections of sockets. */
const connectionRooms: readonly string[] = ["src/conn/", "src/client/"];

const newConnection = /\bnew\s+((?:Downstream|Upstream|Tunnel)Connection)\b/g;

/** Names that tie code to a platform. `src/` gets what it needs from `Runtime` and `System`. */
const platformNames =
  /(?<![.\w$])(?:Bun|Deno|process|Buffer|globalThis)(?=\s*[.[(])|(?<![.\w$])(?:__dirname|__filename)\b/g;

export interface LayerProblem {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/**
 * Judges one file.
 *
 * @param file path from the root of the repository, with "/"
 */
export function checkFile(file: string, source: string): LayerProblem[] {
  const inSource = file.startsWith("src/");
  const inRuntime = file.startsWith("runtime/");
  if (!inSource && !inRuntime) return [];
  const problems: LayerProblem[] = [];
  const report = (line: number, text: string): void => {
    problems.push({ file, line, text });
  };
  const { code, imports } = readSource(source);
  for (const { specifier, line } of imports) {
    const fault = inSource ? faultOfImport(file, specifier) : faultOfRuntimeImport(file, specifier);
    if (fault !== null) report(line, fault);
  }
  if (inSource) {
    for (const match of code.matchAll(platformNames)) {
      // All three runtimes have Buffer, and its Latin-1 routines are what makes bytes/ fast.
      if (match[0] === "Buffer" && file.startsWith("src/bytes/")) continue;
      report(
        lineAt(code, match.index),
        `names ${match[0]}: only runtime/ knows the platform; take it from Runtime or System`,
      );
    }
    if (isIn(file, streamRooms)) {
      for (const match of code.matchAll(wireNames)) {
        report(
          lineAt(code, match.index),
          `names ${match[0]}, which only HTTP/1 has: take what the stream or the head says for every version`,
        );
      }
    }
    if (!isIn(file, connectionRooms)) {
      for (const match of code.matchAll(newConnection)) {
        report(
          lineAt(code, match.index),
          `constructs a ${match[1]}: only src/conn and src/client do; take an opener or a connector`,
        );
      }
    }
  }
  const lines = linesOf(source);
  const most = longFiles.get(file)?.maxLines ?? maxLines;
  if (lines > most) {
    report(
      most + 1,
      `${lines} lines: more than ${most}; split it, one noun a file, or give the reason in longFiles`,
    );
  }
  return problems;
}

function isIn(file: string, rooms: readonly string[]): boolean {
  return rooms.some((room) => file.startsWith(room));
}

function linesOf(source: string): number {
  return source.split("\n").length - (source.endsWith("\n") ? 1 : 0);
}

/**
 * Judges the exceptions from the longest file.
 *
 * @param sources by path from the root of the repository
 */
export function needlessExceptions(sources: ReadonlyMap<string, string>): LayerProblem[] {
  return [...longFiles.keys()].flatMap((file) => {
    const source = sources.get(file);
    if (source !== undefined && linesOf(source) > maxLines) return [];
    const text = source === undefined ? "is not there" : `is not longer than ${maxLines} lines`;
    return [{ file, line: 1, text: `${text}: take it out of longFiles in scripts/check_layers.ts` }];
  });
}

function faultOfImport(file: string, specifier: string): string | null {
  if (specifier.startsWith("node:")) {
    return `imports ${specifier}: only runtime/ does; take it from Runtime or System`;
  }
  if (!specifier.startsWith(".")) {
    if (packages.some((name) => specifier === name || specifier.startsWith(`${name}/`))) return null;
    return `imports the package ${specifier}: run-time dependencies are ${packages.join(" and ")} only`;
  }
  const target = posix.join(posix.dirname(file), specifier);
  if (target.startsWith("runtime/") && target !== "runtime/contract/contract.ts") {
    return `imports ${target}: src/ knows runtime/contract/contract.ts only; an entry file passes the rest in`;
  }
  if (isIn(file, streamRooms) && isIn(target, wireRooms)) {
    return `imports ${target}: what handles requests knows streams only, of any wire version; ` +
      "add what is needed to a stream of src/http";
  }
  const from = rankOf(file);
  const to = rankOf(target);
  if (from < 0) return `is in no layer: move the file, or add its folder to scripts/check_layers.ts`;
  if (to < 0) return `imports ${target}, which is in no layer`;
  if (to <= from) return null;
  return `imports ${target}: ${layers[to]} is above ${layers[from]}; ` +
    `move what is needed to ${layers[from]} or below, or let the upper layer pass it in`;
}

const CONTRACT = "runtime/contract/";

/** A platform each; what several of them use is in runtime/shared, which imports none of them. */
const PLATFORM = /^runtime\/(bun|deno|node)\//;

function faultOfRuntimeImport(file: string, specifier: string): string | null {
  const isContract = file.startsWith(CONTRACT);
  if (!specifier.startsWith(".")) {
    if (!specifier.startsWith("node:")) {
      return `imports the package ${specifier}: runtime/ uses the platform only`;
    }
    return isContract ? `imports ${specifier}: the contract stands alone` : null;
  }
  const target = posix.join(posix.dirname(file), specifier);
  if (isContract) return target.startsWith(CONTRACT) ? null : `imports ${target}: the contract stands alone`;
  if (/^runtime\/main_\w+\.ts$/.test(file)) return null;
  if (/^runtime\/test_\w+\.ts$/.test(file)) {
    if (target.startsWith("runtime/") || target.startsWith("src/cli/scripts/")) return null;
    return `imports ${target}: tests of scripts are an adapter and src/cli/scripts`;
  }
  if (/^runtime\/api_\w+\.ts$/.test(file)) {
    if (target.startsWith("runtime/") || target.startsWith("src/api/")) return null;
    return `imports ${target}: the library is an adapter and src/api`;
  }
  if (!target.startsWith("runtime/")) {
    return `imports ${target}: adapters know runtime/ only; entry files (main_*.ts, api_*.ts, test_*.ts) may import src/`;
  }
  const [, platform = ""] = PLATFORM.exec(target) ?? [];
  if (platform === "" || file.startsWith(`runtime/${platform}/`)) return null;
  return `imports ${target}: a platform's folder is its own; move what both use to runtime/shared`;
}

/** Index in `layers`, or -1. */
function rankOf(file: string): number {
  let best = -1;
  layers.forEach((layer, index) => {
    if (file.startsWith(`${layer}/`) && (best < 0 || layer.length > (layers[best]?.length ?? 0))) {
      best = index;
    }
  });
  return best;
}

/**
 * Groups of files that import each other in a circle, whatever they import, types included: none of them can be
 * understood before the others.
 *
 * @param sources by path from the root of the repository
 */
export function circles(sources: ReadonlyMap<string, string>): string[][] {
  const imports = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const targets = readSource(source).imports
      .filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier }) => posix.join(posix.dirname(file), specifier));
    imports.set(file, targets.filter((target) => sources.has(target)));
  }
  // Tarjan's algorithm: strongly connected components.
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.size - 1);
    stack.push(file);
    const reach = (at: number): void => {
      lowest.set(file, Math.min(lowest.get(file) ?? at, at));
    };
    for (const target of imports.get(file) ?? []) {
      if (!order.has(target)) {
        visit(target);
        reach(lowest.get(target) ?? 0);
      } else if (stack.includes(target)) reach(order.get(target) ?? 0);
    }
    if (lowest.get(file) !== order.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1) found.push(group.sort());
  };
  for (const file of sources.keys()) if (!order.has(file)) visit(file);
  return found;
}

/** Judges every TypeScript file below `src/` and `runtime/` of `root`. */
export function checkTree(root: string): LayerProblem[] {
  const problems: LayerProblem[] = [];
  const sources = new Map<string, string>();
  for (const folder of ["runtime", "src"]) {
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name)).sort();
    for (const path of paths) {
      const file = relative(root, path).split(sep).join("/");
      const source = readFileSync(path, "utf8");
      sources.set(file, source);
      problems.push(...checkFile(file, source));
    }
  }
  problems.push(...needlessExceptions(sources));
  for (const [file = "", ...others] of circles(sources)) {
    const text = `is in a circle of imports with ${
      others.join(", ")
    }: move what they share below all of them`;
    problems.push({ file, line: 1, text });
  }
  return problems;
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const problems = checkTree(root);
  for (const { file, line, text } of problems) console.error(`${file}:${line}: ${text}`);
  if (problems.length > 0) process.exitCode = 1;
}
