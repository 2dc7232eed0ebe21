/** The head of one message, or its trailer section: one string and a table of offsets into it. */

import { FIELD_NAMES } from "./field.ts";
import { equalsIgnoringCase } from "./text.ts";

/** Entries of `Head.table` per field. */
export const TABLE_STRIDE = 5;

/**
 * A validated head. It owns all it refers to, so it may be kept as long as the exchange lives. Fields
 * are in the order and spelling received; names and values are cut out of `text` only when asked for.
 */
export class Head {
  /** Latin-1 of the start line and the field lines as received, without the final empty line. */
  readonly text: string;
  /** For each field: nameStart, nameEnd, valueStart, valueEnd (SP and HTAB trimmed), id. */
  readonly table: readonly number[];
  /** Number of field lines. */
  readonly count: number;
  /** OR of `1 << id` over all fields. */
  readonly known: number;
  /** OR of `1 << id` over all ids that more than one field has. */
  readonly repeated: number;
  /** Minor HTTP version; the major one is 1. */
  readonly minor: 0 | 1;
  /** "" in a response or a trailer section. */
  readonly method: string;
  /** "" in a response or a trailer section. */
  readonly target: string;
  /** 0 in a request or a trailer section. */
  readonly status: number;
  /** "" in a request or a trailer section. */
  readonly reason: string;
  /** Set by the framing functions: length of the body, 0 for none, -1 when only its end will tell. */
  bodyBytes: number;
  /** What `connectionOptions` found, -1 before the first time. */
  connectionFlags: number;

  constructor(
    text: string,
    table: readonly number[],
    known: number,
    repeated: number,
    minor: 0 | 1,
    method: string,
    target: string,
    status: number,
    reason: string,
  ) {
    this.text = text;
    this.table = table;
    this.count = table.length / TABLE_STRIDE;
    this.known = known;
    this.repeated = repeated;
    this.minor = minor;
    this.method = method;
    this.target = target;
    this.status = status;
    this.reason = reason;
    this.bodyBytes = 0;
    this.connectionFlags = -1;
  }

  /** Whether at least one field has this id. */
  has(id: number): boolean {
    return (this.known & (1 << id)) !== 0;
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

  /** Index of the first field with this id, -1 when there is none. */
  first(id: number): number {
    if ((this.known & (1 << id)) === 0) return -1;
    const table = this.table;
    for (let at = 4, index = 0; at < table.length; at += TABLE_STRIDE, index++) {
      if (table[at] === id) return index;
    }
    return -1;
  }

  /** Whether more than one field has this id. */
  isRepeated(id: number): boolean {
    return (this.repeated & (1 << id)) !== 0;
  }

  /** Value of the first field with this id, null when there is none. */
  valueOf(id: number): string | null {
    const index = this.first(id);
    return index < 0 ? null : this.value(index);
  }

  /** Values of all fields with this id as one list (RFC 9110 §5.2), null when there is none. */
  joined(id: number): string | null {
    let index = this.first(id);
    if (index < 0) return null;
    let joined = this.value(index);
    while (++index < this.count) {
      if (this.id(index) === id) joined += ", " + this.value(index);
    }
    return joined;
  }

  /** Values of all fields of that name as one list, null when there is none. Works for any name. */
  find(lowerCaseName: string): string | null {
    const id = FIELD_NAMES.indexOf(lowerCaseName);
    if (id > 0) return this.joined(id);
    let joined: string | null = null;
    for (let index = 0; index < this.count; index++) {
      if (!this.isNamed(index, lowerCaseName)) continue;
      const value = this.value(index);
      joined = joined === null ? value : joined + ", " + value;
    }
    return joined;
  }

  /** Whether field `index` has that name, in any case. */
  isNamed(index: number, lowerCaseName: string): boolean {
    const at = index * TABLE_STRIDE;
    const from = this.table[at] as number;
    const to = this.table[at + 1] as number;
    return to - from === lowerCaseName.length && equalsIgnoringCase(this.text, from, lowerCaseName);
  }
}
