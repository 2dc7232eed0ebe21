/** What the loaders of scripts have in common: errors in words, and the loader of platforms that have none. */
import process from "node:process";
import {
  type DescribedError,
  type ScriptLoader,
  ScriptLoadFault,
  type ScriptProblem,
} from "../contract/contract.ts";
import { isScriptFile } from "./script_generation.ts";
import { scriptPlaces } from "./script_places.ts";

/** Places told of one error at most. */
const MAX_PLACES = 8;
const MAX_WORDS = 1000;

export function describeError(error: unknown): DescribedError {
  try {
    if (!(error instanceof Error)) {
      return { words: `${shown(error)} was thrown, which is no Error`, places: [] };
    }
    const places = scriptPlaces(error).filter(({ file }) => isScriptFile(file));
    return {
      words: oneLine(error.message === "" ? error.name : `${error.name}: ${error.message}`),
      places: places.slice(0, MAX_PLACES).map(({ file, line, column }) =>
        `${shownFile(file)}:${line}:${column}`
      ),
    };
  } catch {
    return { words: "an error that cannot be shown", places: [] };
  }
}

/** A file below the working directory as it is named from there, as people write it; others by their whole path. */
export function shownFile(file: string): string {
  let folder: string;
  try {
    folder = process.cwd();
  } catch {
    // It is gone.
    return file;
  }
  const inside = folder.endsWith("/") ? folder : `${folder}/`;
  return file.startsWith(inside) ? file.slice(inside.length) : file;
}

/** A fault of loading, with files named as people write them. */
export function loadFault(problems: readonly ScriptProblem[], files: readonly string[]): ScriptLoadFault {
  return new ScriptLoadFault(problems.map(shownProblem), files);
}

export function shownProblem(problem: ScriptProblem): ScriptProblem {
  return { ...problem, file: shownFile(problem.file) };
}

function shown(value: unknown): string {
  return oneLine(typeof value === "string" ? JSON.stringify(value) : String(value));
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s*[\r\n]+\s*/g, " | ");
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS)}…` : line;
}

/** What is wrong when the top level of a script has thrown. @param path of the script */
export function thrownProblem(path: string, error: unknown): ScriptProblem {
  const { words } = describeError(error);
  const place = error instanceof Error
    ? scriptPlaces(error).find(({ file }) => isScriptFile(file))
    : undefined;
  return { file: place?.file ?? path, line: place?.line ?? 0, column: place?.column ?? 0, message: words };
}

/** Of the library, whose scripts are functions. */
export function noScriptFiles(): ScriptLoader {
  return noScripts("A library takes functions: handler, onRequest and the others.");
}

/** @param why there can be none, a sentence */
export function noScripts(why: string): ScriptLoader {
  const fault = (path: string) =>
    loadFault([{ file: path, line: 0, column: 0, message: `scripts cannot be used: ${why}` }], []);
  return {
    impossible: why,
    transpiles: false,
    load: (path) => Promise.reject(fault(path)),
    check: (path) => Promise.resolve({ problems: fault(path).problems, warnings: [], files: [] }),
    describe: describeError,
    guard: () => null,
  };
}
