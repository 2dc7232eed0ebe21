/** Names and values of fields as handlers write them, checked before they can reach a wire. */

import type { FieldInit } from "./answer_types.ts";
import { ScriptError } from "./script_error.ts";

export type Line = readonly [name: string, value: string];

/** Lines of one message that a handler may write, and bytes of their names and values together. */
const MAX_LINES = 64;
const MAX_BYTES = 16 * 1024;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible Latin-1, SP and HTAB. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What concerns the hop, or the framing of a message: both are written by Sluice alone. */
const FRAMING = [
  "connection",
  "content-length",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "keep-alive",
  "proxy-connection",
  "expect",
  "via",
  "http2-settings",
];

/**
 * @returns it in lower case
 * @throws ScriptError when such a field may not be written or taken away in some kind of message
 */
export type NameRule = (name: unknown) => string;

/** The rule of responses and their trailers; others are stricter. @throws ScriptError */
export function checkName(name: unknown): string {
  if (typeof name !== "string" || !TOKEN.test(name)) {
    throw new ScriptError(`headers: ${shown(name)} is no field name`);
  }
  const lower = name.toLowerCase();
  if (FRAMING.includes(lower)) {
    throw new ScriptError(`headers: ${name} is written by Sluice, a script cannot`);
  }
  return lower;
}

/** @returns it without surrounding white space. @throws ScriptError when it cannot be a field's value */
export function checkedValue(name: string, value: unknown): string {
  if (typeof value !== "string") throw new ScriptError(`headers: ${name}: ${shown(value)} is no text`);
  if (!VALUE.test(value)) {
    throw new ScriptError(
      `headers: ${name}: the value has line breaks, control characters or characters beyond Latin-1`,
    );
  }
  return value.trim();
}

/**
 * The lines of a field initialiser, in its order.
 *
 * @param rule of their names; default: that of responses
 * @param passed lower-case names that are left to the caller; no rule of names applies to them
 * @throws ScriptError
 */
export function linesOf(
  init: FieldInit | undefined | null,
  rule: NameRule = checkName,
  passed: readonly string[] = [],
): Line[] {
  if (init === undefined || init === null) return [];
  if (typeof init !== "object") {
    throw new ScriptError(`headers: ${shown(init)}: an object or pairs are needed`);
  }
  const lines: Line[] = [];
  const put = (name: unknown, value: unknown) => {
    if (passed.length === 0 || typeof name !== "string" || !passed.includes(name.toLowerCase())) rule(name);
    // The casts: the rule has looked.
    lines.push([name as string, checkedValue(name as string, value)]);
  };
  if (Symbol.iterator in init) {
    for (const pair of init as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new ScriptError(`headers: ${shown(pair)} is no pair of a name and a value`);
      }
      put(pair[0], pair[1]);
    }
  } else {
    for (const [name, values] of Object.entries(init)) {
      if (!Array.isArray(values)) put(name, values);
      else for (const value of values) put(name, value);
    }
  }
  checkSize(lines);
  return lines;
}

/** @throws ScriptError when they are too many, or too long */
export function checkSize(lines: readonly Line[]): void {
  if (lines.length > MAX_LINES) throw new ScriptError(`headers: ${lines.length} lines, at most ${MAX_LINES}`);
  const bytes = lines.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > MAX_BYTES) throw new ScriptError(`headers: ${bytes} bytes, at most ${MAX_BYTES}`);
}

/** A value in words for the author of a handler; short. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? value.slice(0, 60) + "…" : value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}
