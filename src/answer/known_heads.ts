/**
 * Heads of answers that a handler has made before: most handlers give the same fields again and again, as new objects. What was
 * checked once is not checked again, and is written from one section.
 */

import type { FieldSection } from "../http/field_section.ts";

/** What fields come to. */
export interface KnownHead {
  /** Without framing. */
  readonly fields: FieldSection;
  /** A Content-Length that stood among them, as it was written; null = none. */
  readonly length: string | null;
}

/** Heads that are kept, and characters of names and values of each. */
const MOST = 256;
const MOST_CHARACTERS = 1024;

export class KnownHeads {
  readonly #known = new Map<string, KnownHead>();

  /**
   * @param fields as a handler gives them; only a plain object of texts has a key
   * @param typed whether a Content-Type is added where there is none
   * @returns "" = these are not kept
   */
  keyOf(fields: unknown, typed: boolean): string {
    if (fields === undefined || fields === null) return typed ? "t" : "n";
    if (typeof fields !== "object" || Symbol.iterator in fields) return "";
    let key = typed ? "t" : "n";
    const record = fields as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(record)) {
      const value = record[name];
      if (typeof value !== "string" || key.length + value.length > MOST_CHARACTERS) return "";
      // With its lengths, so that no two sets of fields have one key, whatever characters are in them.
      key += `${name.length},${value.length}:${name}${value}`;
    }
    return key;
  }

  get(key: string): KnownHead | undefined {
    return this.#known.get(key);
  }

  keep(key: string, head: KnownHead): void {
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(key, head);
  }
}
