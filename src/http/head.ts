/** The head of one message, or its trailer section: a start line and a field section. */

import { FIELD_NAMES, MASKED_IDS } from "./field.ts";
import { type FieldSection, TABLE_STRIDE } from "./field_section.ts";
import { equalsIgnoringCase } from "../bytes/text.ts";

export { TABLE_STRIDE };

/** The version of a message, as ten times its number: 1.0, 1.1 or 2. */
export type HttpVersion = 10 | 11 | 20;

export const HTTP_1_0 = 10;
export const HTTP_1_1 = 11;

/** The version as Via and logs name it. */
export function versionText(version: HttpVersion): "1.0" | "1.1" | "2" {
  return version === 11 ? "1.1" : version === 10 ? "1.0" : "2";
}

/**
 * A validated head. It owns all it refers to, so it may be kept as long as the exchange lives; messages with equal
 * heads may share one, so that nothing about it changes. Fields are in the order and spelling received; names and values are cut out of `text` only
 * when asked for.
 */
export class Head {
  /** May be that of other messages, too. */
  readonly section: FieldSection;
  /**
   * HTTP/1: Latin-1 of the start line as received (lenient targets: escaped), with its CRLF; "" in a response, a trailer
   * section, and wherever a wire has none.
   */
  readonly startLine: string;
  /** Octets received, the final empty line included. */
  readonly bytes: number;
  readonly version: HttpVersion;
  /** "" in a response or a trailer section. */
  readonly method: string;
  /** "" in a response or a trailer section. */
  readonly target: string;
  /** 0 in a request or a trailer section. */
  readonly status: number;
  /** "" in a request or a trailer section. */
  readonly reason: string;

  constructor(
    section: FieldSection,
    startLine: string,
    bytes: number,
    version: HttpVersion,
    method: string,
    target: string,
    status: number,
    reason: string,
  ) {
    this.section = section;
    this.startLine = startLine;
    this.bytes = bytes;
    this.version = version;
    this.method = method;
    this.target = target;
    this.status = status;
    this.reason = reason;
  }

  /** A request head like this one, but for its fields, its method and its target (origin form, or the one it has). */
  changed(section: FieldSection, method: string, target: string): Head {
    const same = method === this.method && target === this.target;
    const startLine = same ? this.startLine : method + " " + target + " HTTP/1.1\r\n";
    return new Head(section, startLine, this.bytes, this.version, method, target, 0, "");
  }

  /** Latin-1 of the field lines as received, without the final empty line. */
  get text(): string {
    return this.section.text;
  }

  /** For each field: nameStart, nameEnd, valueStart, valueEnd (SP and HTAB trimmed), id. */
  get table(): readonly number[] {
    return this.section.table;
  }

  /** Number of field lines. */
  get count(): number {
    return this.section.count;
  }

  /** Mask (see field.ts) of the ids that fields have. */
  get known(): number {
    return this.section.known;
  }

  /** Value of the first Host, "" without one. */
  get host(): string {
    return this.section.host;
  }

  /** Whether at least one field has this id; not for 0. */
  has(id: number): boolean {
    const { section } = this;
    return ((id < MASKED_IDS ? section.known : section.knownMore) & (1 << id)) !== 0;
  }

  /** Name of field `index` as received. */
  name(index: number): string {
    return this.section.name(index);
  }

  /** Value of field `index` without surrounding whitespace. */
  value(index: number): string {
    return this.section.value(index);
  }

  id(index: number): number {
    return this.section.id(index);
  }

  /** Index of the first field with this id, -1 when there is none. */
  first(id: number): number {
    if (!this.has(id)) return -1;
    const table = this.table;
    for (let at = 4, index = 0; at < table.length; at += TABLE_STRIDE, index++) {
      if (table[at] === id) return index;
    }
    return -1;
  }

  /** Whether more than one field has this id; not for 0. */
  isRepeated(id: number): boolean {
    const { section } = this;
    return ((id < MASKED_IDS ? section.repeated : section.repeatedMore) & (1 << id)) !== 0;
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
