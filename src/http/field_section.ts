/** The field lines of one message: a string and a table of offsets into it. Shared, so what they say never changes. */

import { contentLengthOf, LENGTH_ABSENT, withoutPadding } from "./content_length.ts";
import { Field, MASKED_IDS, maskOf } from "./field.ts";
import type { SectionMemo } from "./section_memo.ts";
import { isAuthority } from "./target.ts";

/** Entries of `FieldSection.table` per field. */
export const TABLE_STRIDE = 5;

const HOST = maskOf(Field.host);
const LENGTH = maskOf(Field.contentLength);

/**
 * A validated header or trailer section. Messages with the same field lines may share one (see
 * prefix_memo.ts): nothing about it changes, and what the field lines say is worked out when it is made.
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

  /** Value of the first Host, "" without one. */
  readonly host: string;
  /** There is one Host, and its value is an authority. */
  readonly hostIsValid: boolean;
  /** Value of the first Content-Length, or one of the negative constants of content_length.ts. */
  readonly contentLength: number;
  /** What senders and the log remember about it; null unless a memo keeps the section. */
  readonly memo: SectionMemo | null;

  /**
   * @param table is the section's from now on. Zeros that pad a Content-Length are legal (1*DIGIT), and octal to some
   *   readers: they are cut off the value, so that no recipient behind us sees them
   */
  constructor(
    text: string,
    table: number[],
    connectionFlags = 0,
    hopNames: ReadonlySet<string> | null = null,
    memo: SectionMemo | null = null,
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
    this.memo = memo;
    let host = "";
    let hostIsValid = false;
    if ((known & HOST) !== 0) {
      const at = entryOf(table, Field.host);
      const from = table[at + 2] as number;
      const to = table[at + 3] as number;
      host = text.slice(from, to);
      // An empty host is for targets that have no authority (RFC 9110 §7.2); every http one has.
      hostIsValid = (repeated & HOST) === 0 && isAuthority(text, from, to);
    }
    this.host = host;
    this.hostIsValid = hostIsValid;
    let length = LENGTH_ABSENT;
    if ((known & LENGTH) !== 0) {
      const at = entryOf(table, Field.contentLength);
      const from = table[at + 2] as number;
      const to = table[at + 3] as number;
      length = contentLengthOf(text, from, to);
      if (length >= 0) table[at + 2] = withoutPadding(text, from, to);
    }
    this.contentLength = length;
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
}

/** Where the entry of the first field with this id begins; there must be one. */
function entryOf(table: readonly number[], id: number): number {
  let at = 0;
  while (table[at + 4] !== id) at += TABLE_STRIDE;
  return at;
}

/** Of messages without field lines. */
export const NO_FIELDS: FieldSection = new FieldSection("", []);
