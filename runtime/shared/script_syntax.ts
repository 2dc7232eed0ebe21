/** Where in a file a fault of its syntax or of an import is, out of what Node and Deno say in words. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ScriptProblem } from "../contract/contract.ts";
import { moduleModule } from "./lazy_module.ts";

interface Place {
  readonly line: number;
  readonly column: number;
}

const NOWHERE: Place = { line: 0, column: 0 };

/** Where `importer` names `specifier`; zeros when that is not seen. */
export function placeOfSpecifier(importer: string, specifier: string): Place {
  let source: string;
  try {
    source = readFileSync(importer, "utf8");
  } catch {
    return NOWHERE;
  }
  for (const quote of ['"', "'", "`"]) {
    const at = source.indexOf(quote + specifier + quote);
    if (at >= 0) return placeAt(source, at);
  }
  return NOWHERE;
}

function placeAt(source: string, at: number): Place {
  const before = source.slice(0, at);
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

/** A URL or path with a generation's mark, then line and, on Deno, column. */
const AT_END = / at ((?:(?:sluice-)?file:\/\/)?\/[^\n]*?)(?:\?sluice=\d+)?:(\d+):(\d+)$/;
const FIRST_LINE = /^((?:file:\/\/)?(?:\/|[A-Za-z]:\\).*?)(?:\?sluice=\d+)?:(\d+)$/;
/** What Deno's converter of types calls every file. */
const STRIPPED = "/stripTypeScriptTypes.ts";

/**
 * Null for what is no fault of syntax.
 * @param files where it may be: looked through when the error does not tell
 */
export function syntaxProblem(error: unknown, files: readonly string[]): ScriptProblem | null {
  if (!(error instanceof Error) || !/SyntaxError/.test(`${error.name} ${error.message}`)) return null;
  return placed(error, files[0] ?? "") ?? searched(error, files);
}

function placed(error: Error, only: string): ScriptProblem | null {
  const tail = AT_END.exec(error.message);
  if (tail !== null) {
    const [all, name = "", line, column] = tail;
    const file = name.endsWith(STRIPPED) ? only : pathOf(name);
    return {
      file,
      line: Number(line),
      column: Number(column),
      message: words(error.message.slice(0, -all.length)),
    };
  }
  const lines = (error.stack ?? "").split("\n");
  const head = FIRST_LINE.exec(lines[0] ?? "");
  if (head === null) return null;
  const caret = lines.slice(1, 4).find((line) => /^\s*\^+\s*$/.test(line)) ?? "";
  return {
    file: pathOf(head[1] ?? ""),
    line: Number(head[2]),
    column: caret.indexOf("^") + 1,
    message: words(error.message),
  };
}

/** Node does not say where in a file of JavaScript: the converter of types reads it as well, and does. */
function searched(error: Error, files: readonly string[]): ScriptProblem | null {
  for (const file of files) {
    if (!/\.[mc]?[jt]s$/.test(file)) continue;
    try {
      stripTypes(readFileSync(file, "utf8"), file);
    } catch (other) {
      const problem = other instanceof Error ? placed(other, file) : null;
      return problem === null
        ? { file, ...NOWHERE, message: words(error.message) }
        : { ...problem, file, message: words(error.message) };
    }
  }
  return null;
}

/** The platform's converter of types, without its word that it may change. @throws SyntaxError with a place */
export function stripTypes(source: string, file: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return moduleModule().stripTypeScriptTypes(source, { sourceUrl: file });
  } finally {
    process.emitWarning = emitWarning;
  }
}

function pathOf(name: string): string {
  try {
    const url = name.replace(/^sluice-/, "");
    return url.startsWith("file://") ? fileURLToPath(url) : name;
  } catch {
    return name;
  }
}

function words(message: string): string {
  const bare = message.replace(/^SyntaxError: /, "").replace(/^\[InvalidSyntax\] /, "").split("\n")[0] ?? "";
  return /strip-only mode/.test(bare)
    ? bare.replace(
      / is not supported in strip-only mode.*/,
      " is no syntax that can be left out, and only Bun compiles it",
    )
    : bare;
}
