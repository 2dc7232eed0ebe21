/** Where a configuration is written down: a YAML file, or values that a program gives. Both have the same shape. */

import type { LineOf } from "./key_lines.ts";
import type { Mapping } from "../values/mapping.ts";
import type { Origin } from "../values/problem.ts";

/** Its scalars are text, as they were written; the type of an option judges them. */
export interface Document {
  /** Path of the file; "" = values of a program. */
  readonly path: string;
  readonly root: Mapping;
  readonly lineOf: LineOf;
}

/** Where a value of the document stands. */
export function originIn(document: Document, path: string): Origin {
  return { source: "file", name: document.path, line: document.lineOf(path) };
}
