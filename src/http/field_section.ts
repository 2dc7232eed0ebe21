/** The field lines of one message: a string and a table of offsets into it. Shared, so what they say never changes. */

import { MASKED_IDS } from "./field.ts";
import type { WrittenHead } from "./written_head.ts";

/** Entries of `FieldSection.table` per field. */
export const TABLE_STRIDE = 5;

/** Content-Length has not been looked at. */
export const LENGTH_UNREAD = -3;

/**
 * A validated header or trailer section. Messages with the same field lines may share one (see
 * prefix_memo.ts), so it also keeps what has been worked out about them.
 */
export class FieldSection {
  /** Latin-1 of the field lines as received, without the final empty line. */
  readonly text: string;
  /** For each field: nameStart, nameEnd, valueStart, valueEnd (SP and HTAB trimmed), id. */
  readonly table: readonly number[];
  /** Number of field lines. */
  readonly count: number;
  /** Mask (see field.ts) of the ids that fields have, without 0. */
  readonly known: number;
  /** Mask of the ids that more than one field has. */
  readonly repeated: number;
  /** The same for ids from `MASKED_IDS` on, as `1 << (id - MASKED_IDS)`. */
  readonly knownMore: number;
  readonly repeatedMore: number;
  /** Options of Connection, see http1/connection_options.ts; 0 where the wire has no such field. */
  readonly connectionFlags: number;
  /** Lower-case names of further fields that concern the hop only, as the sender says; null = none. */
  readonly hopNames: ReadonlySet<string> | null;

  /** How whoever sends such a head wrote it last; null unless a memo has kept the section, and so bounded it. */
  written: WrittenHead | null = null;

  // Worked out on first use.

  /** Whether Host is one valid authority; -1 before it was looked at, then 0 or 1. */
  hostIsValid = -1;
  /** Value of the first Host, "" without one; null before it was asked for. */
  host: string | null = null;
  /** What `contentLength` found; `LENGTH_UNREAD` before. A small integer at all times suits compilers. */
  contentLength = LENGTH_UNREAD;
  /** What whoever writes logs keeps about it. */
  logged: object | null = null;
  /** The mask of the last `keptFields` without names, and what it gave; -1 = none (bit 0 is never set). */
  keptMask = -1;
  kept = "";

  constructor(
    text: string,
    table: readonly number[],
    connectionFlags = 0,
    hopNames: ReadonlySet<string> | null = null,
  ) {
    let known = 0;
    let repeated = 0;
    let knownMore = 0;
    let repeatedMore = 0;
    for (let at = 4; at < table.length; at += TABLE_STRIDE) {
      const id = table[at] as number;
      const bit = 1 << id;
      if (id < MASKED_IDS) {
        repeated |= known & bit;
        known |= bit;
      } else {
        repeatedMore |= knownMore & bit;
        knownMore |= bit;
      }
    }
    this.text = text;
    this.table = table;
    this.count = table.length / TABLE_STRIDE;
    this.known = known & ~1;
    this.repeated = repeated & ~1;
    this.knownMore = knownMore;
    this.repeatedMore = repeatedMore;
    this.connectionFlags = connectionFlags;
    this.hopNames = hopNames;
  }

  /** Name of field `index` as received. */
  name(index: number): string {
    const at = index * TABLE_STRIDE;
    return this.text.slice(this.table[at], this.table[at + 1]);
  }

  /** Value of field `index` without surrounding whitespace. */
  value(index: number): string {
    const at = index * TABLE_STRIDE;
    return this.text.slice(this.table[at + 2], this.table[at + 3]);
  }

  id(index: number): number {
    return this.table[index * TABLE_STRIDE + 4] as number;
  }

  /** Whether at least one field has this id; not for 0. */
  has(id: number): boolean {
    return ((id < MASKED_IDS ? this.known : this.knownMore) & (1 << id)) !== 0;
  }

  /** Whether more than one field has this id; not for 0. */
  isRepeated(id: number): boolean {
    return ((id < MASKED_IDS ? this.repeated : this.repeatedMore) & (1 << id)) !== 0;
  }

  /** Lets the value of the field at `entry` of the table begin later. Only before anybody has been told of it. */
  cutValue(entry: number, valueStart: number): void {
    // The cast: nobody else writes to the table, and nobody has read this entry.
    (this.table as number[])[entry + 2] = valueStart;
  }
}

/** Of messages without field lines. */
export const NO_FIELDS: FieldSection = new FieldSection("", []);
