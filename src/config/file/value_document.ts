/**
 * A configuration out of values of a program, in the shape of the file: `{ hold: "10s", queue: { size: 50 } }`. Numbers
 * and booleans become the text that a file would have, so that a value means the same wherever it was given.
 */

import type { Document } from "./document.ts";
import { asMap, type Mapping } from "../values/mapping.ts";

/** Deeper values are no options; it also ends what refers to itself. */
const MOST_LEVELS = 16;

/** @param path what stands in the place of a file's path; "" = nothing. */
export function valueDocument(path: string, root: Mapping): Document {
  const entries = [...root].filter(([, value]) => value !== undefined);
  return {
    path,
    root: new Map(entries.map(([key, value]) => [key, asWritten(value, 1)])),
    lineOf: () => null,
  };
}

/** What is no text, number, boolean, list or plain object stays what it is: the option's reader refuses it. */
function asWritten(value: unknown, level: number): unknown {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
    return String(value);
  }
  if (level >= MOST_LEVELS) return value;
  if (Array.isArray(value)) return value.map((each) => asWritten(each, level + 1));
  const map = asMap(value);
  if (map === null) return value;
  const written: Record<string, unknown> = Object.create(null);
  // Without a value is as good as not given: programs write `{ hold: settings.hold }`.
  for (const [key, each] of map) if (each !== undefined) written[key] = asWritten(each, level + 1);
  return written;
}
