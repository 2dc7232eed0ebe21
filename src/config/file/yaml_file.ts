/**
 * Reads a YAML file. With the "failsafe" schema of YAML 1.2 §10.1 every scalar stays the text that was
 * written: `08`, `yes`, `1e3`, `.nan` and `null` mean here what they mean as a flag's value, and it is
 * the option's type that judges them.
 */

import { parse } from "@std/yaml";
import type { Document } from "./document.ts";
import { keyLines } from "./key_lines.ts";
import { asMap } from "../values/mapping.ts";
import { withOwnStrings } from "./own_strings.ts";
import { type Origin, type Problem, problemAt } from "../values/problem.ts";
import { shown } from "../values/shown.ts";
import { yamlHazard } from "./yaml_guard.ts";

/** Larger files are surely something else; also bounds the work of the parser. */
const MAX_FILE_CHARS = 1_048_576;

/**
 * Both libraries that answer to the name `@std/yaml` know `schema`. The others are npm's: no warnings on
 * stderr, and no words about the place of each error, which take time with the square of their number.
 */
const PARSE_OPTIONS = { schema: "failsafe", logLevel: "error", prettyErrors: false } as const;

/** The file, or the one problem that kept it from being read. Never throws. */
export function readYaml(path: string, text: string): Document | Problem {
  const whole: Origin = { source: "file", name: path, line: null };
  if (text.length > MAX_FILE_CHARS) {
    return problemAt(whole, "", `is too large: ${text.length} characters, at most ${MAX_FILE_CHARS}`);
  }
  // What the decoder puts in the place of bytes that are no UTF-8.
  const foreign = text.indexOf("\ufffd");
  if (foreign >= 0) {
    const line = text.slice(0, foreign).split("\n").length;
    return problemAt({ ...whole, line }, "", "is not UTF-8 text: save it as UTF-8");
  }
  const hazard = yamlHazard(text);
  if (hazard !== null) return problemAt({ ...whole, line: hazard.line }, "", hazard.message);
  let value: unknown;
  try {
    value = withOwnStrings(parse(text, PARSE_OPTIONS));
  } catch (error) {
    return syntaxProblem(whole, text, error);
  }
  const root = value === null || value === undefined || value === ""
    ? new Map<string, unknown>()
    : asMap(value);
  if (root === null) {
    return problemAt(whole, "", `must be a mapping like "to: 3000" at the top level, got ${shown(value)}`);
  }
  return { path, root, lineOf: keyLines(text) };
}

/** npm's yaml has the place as `pos` on its errors, JSR's says "at line 3, column 5" in the message. */
function syntaxProblem(origin: Origin, text: string, error: unknown): Problem {
  if (error instanceof RangeError) return problemAt(origin, "", "is nested too deeply");
  const message = error instanceof Error ? error.message : String(error);
  const first = (message.split("\n")[0] ?? "").replace(/:$/, "");
  const match = /\bat line (\d+),? column (\d+)/.exec(first);
  const reason = (match === null ? first : first.slice(0, match.index)).trim();
  const place = match === null ? placeOf(text, error) : { line: Number(match[1]), column: Number(match[2]) };
  // The library's advice is for its caller.
  const said = /\b(?:multiple documents|a single document)\b/.test(reason)
    ? "holds several documents (---): keep one"
    : `is not valid YAML: ${printable(reason)}`;
  return { ...problemAt(origin, "", said), ...place };
}

function placeOf(text: string, error: unknown): { line: number | null; column: number | null } {
  const position = (error as { readonly pos?: unknown } | null)?.pos;
  const offset: unknown = Array.isArray(position) ? position[0] : null;
  if (typeof offset !== "number") return { line: null, column: null };
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

function printable(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");
}
