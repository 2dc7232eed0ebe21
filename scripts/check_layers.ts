/**
 * Checks that knowledge flows one way: a folder imports only itself and the folders before it, only
 * `runtime/` names a platform, and files stay short enough to read.
 *
 *     bun scripts/check_layers.ts
 *
 * Prints `file:line: what is wrong: what to do` and exits 1 when there is anything to print.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { lineAt, readSource } from "./support/source_text.ts";

/** Lowest first. A path that ends in ".ts" is a file, the others are folders; the longest match counts. */
export const layers: readonly string[] = [
  "runtime/contract.ts",
  "src/bytes",
  "src/time",
  "src/resolve",
  "src/http1",
  "src/conn",
  "src/upstream",
  "src/balance",
  "src/exchange",
  "src/front",
  "src/config",
  "src/observe",
  "src/control",
  "src/admin",
  "src/cli",
  "src/main.ts",
  "src/cli/main.ts",
];

/** Packages that `src/` may import; a third one needs a reason. */
const packages: readonly string[] = ["@std/yaml", "cac"];

/** Longest file in `src/` and `runtime/`, in lines. A file is one noun, usually 60 to 300 lines. */
const maxLines = 500;

/** State machines: all transitions of one live in one file, so that they can be read together. */
const machines: ReadonlySet<string> = new Set([
  "src/conn/client_connection.ts",
  "src/exchange/exchange.ts",
  "src/upstream/upstream.ts",
]);
const maxMachineLines = 750;

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
  }
  const lines = source.split("\n").length - (source.endsWith("\n") ? 1 : 0);
  const most = machines.has(file) ? maxMachineLines : maxLines;
  if (lines > most) report(most + 1, `${lines} lines: more than ${most}; split it, one noun a file`);
  return problems;
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
  if (target.startsWith("runtime/") && target !== "runtime/contract.ts") {
    return `imports ${target}: src/ knows runtime/contract.ts only; an entry file passes the rest in`;
  }
  const from = rankOf(file);
  const to = rankOf(target);
  if (from < 0) return `is in no layer: move the file, or add its folder to scripts/check_layers.ts`;
  if (to < 0) return `imports ${target}, which is in no layer`;
  if (to <= from) return null;
  return `imports ${target}: ${layers[to]} is above ${layers[from]}; ` +
    `move what is needed to ${layers[from]} or below, or let the upper layer pass it in`;
}

/** contract.ts, and the parts it is made of. */
const CONTRACT = /^(?:[a-z]+_)?contract\.ts$/;

function faultOfRuntimeImport(file: string, specifier: string): string | null {
  const name = posix.basename(file);
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file), specifier);
    if (CONTRACT.test(name) && !CONTRACT.test(posix.basename(target))) {
      return `imports ${target}: the contract stands alone`;
    }
    if (target.startsWith("runtime/") || name.startsWith("main_")) return null;
    return `imports ${target}: adapters know runtime/ only; entry files (main_*.ts) may import src/`;
  }
  if (!specifier.startsWith("node:")) {
    return `imports the package ${specifier}: runtime/ uses the platform only`;
  }
  return CONTRACT.test(name) ? `imports ${specifier}: the contract stands alone` : null;
}

/** Index in `layers`, or -1. */
function rankOf(file: string): number {
  let best = -1;
  layers.forEach((layer, index) => {
    const inside = layer.endsWith(".ts") ? file === layer : file.startsWith(`${layer}/`);
    if (inside && (best < 0 || layer.length > (layers[best]?.length ?? 0))) best = index;
  });
  return best;
}

/** Judges every TypeScript file below `src/` and `runtime/` of `root`. */
export function checkTree(root: string): LayerProblem[] {
  const problems: LayerProblem[] = [];
  for (const folder of ["runtime", "src"]) {
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name)).sort();
    for (const path of paths) {
      const file = relative(root, path).split(sep).join("/");
      problems.push(...checkFile(file, readFileSync(path, "utf8")));
    }
  }
  return problems;
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const problems = checkTree(root);
  for (const { file, line, text } of problems) console.error(`${file}:${line}: ${text}`);
  if (problems.length > 0) process.exitCode = 1;
}
