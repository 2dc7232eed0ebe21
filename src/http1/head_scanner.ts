/** Strict scan of a start line and field lines (RFC 9112 §2-§5): one pass, no copy. */

import { COLON, CR, DEL, FIELD_VALUE, HTAB, LF, RAW_TARGET, SP, TARGET, TOKEN } from "../bytes/character.ts";
import { decodeLatin1 } from "../bytes/latin1.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";
import { fieldIdOf } from "../http/field.ts";
import { FieldSection, NO_FIELDS, TABLE_STRIDE } from "../http/field_section.ts";
import { Head, HTTP_1_0, HTTP_1_1, type HttpVersion } from "../http/head.ts";
import { hopNames, readConnectionOptions } from "./connection_options.ts";
import {
  isVersionOne,
  lineFault,
  nameFault,
  statusVersionFault,
  valueFault,
  versionFault,
} from "./head_faults.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { HeadMemos } from "./head_memos.ts";
import type { PrefixMemo } from "./prefix_memo.ts";
import { SectionMemo } from "../http/section_memo.ts";

/** What is scanned: a head with its start line, or only the field lines of a trailer section. */
export type SectionKind = "request" | "response" | "trailers";

/** `more`: the bytes end within a line. */
export type ScanResult = "more" | "done" | "fault";

const DIGIT_0 = 0x30;
const DIGIT_1 = 0x31;

/**
 * Scans a section line by line. Offsets are relative to `base`, the place of the section's first
 * byte, so the bytes may move between calls. The scan goes on at `at`, which is always the start of
 * a line: a line is judged only as a whole, so the result does not depend on how it arrived.
 */
export class HeadScanner {
  /** Null: every section is understood anew. */
  readonly memos: HeadMemos | null;
  kind: SectionKind = "request";
  /** Start of the first line not yet scanned; after `done` the end of the section. */
  at = 0;
  /** After `fault`: the reason, and the place in the line that is at fault. */
  fault: Fault | null = null;
  faultAt = 0;
  table: number[] = [];
  /** Where the first field line begins. */
  #fieldsAt = 0;
  /** The field section, when it was recognised as one seen before. */
  #section: FieldSection | null = null;
  /** It was looked for in the bytes that are being scanned, all at once. */
  #lookedFor = false;
  #entries = 0;
  #version: HttpVersion = HTTP_1_1;
  #methodEnd = 0;
  #targetEnd = 0;
  /** Bytes of the target that have to be escaped. */
  #rawBytes = 0;
  #status = 0;
  #reasonEnd = 0;
  #textEnd = 0;

  constructor(memos: HeadMemos | null = null) {
    this.memos = memos;
  }

  /** Forgets the last section and gets ready for another. */
  begin(kind: SectionKind): void {
    this.kind = kind;
    this.at = 0;
    this.fault = null;
    this.#fieldsAt = 0;
    this.#section = null;
    this.#entries = 0;
  }

  /** Scans whole lines of `bytes[base + at, end)`. Never throws, never reads outside. */
  scan(bytes: Uint8Array, base: number, end: number, limits: Http1Limits): ScanResult {
    let p = base + this.at;
    this.#lookedFor = false;
    if (this.at === 0 && this.kind !== "trailers") {
      p = this.kind === "request"
        ? this.#requestLine(bytes, p, end, limits)
        : this.#statusLine(bytes, p, end);
      if (p < 0) return this.fault === null ? "more" : "fault";
      this.at = this.#fieldsAt = p - base;
      if (this.#recognised(bytes, p, end, limits)) return "done";
    }
    const fieldsBase = base + this.#fieldsAt;
    const table = this.table;
    const maxEntries = limits.maxFields * TABLE_STRIDE;
    let entries = this.#entries;
    let result: ScanResult = "more";
    let lineStart = p;
    const lastFour = end - 3;
    while (p < end) {
      if (bytes[p] === CR) {
        if (p + 1 < end) {
          if (bytes[p + 1] === LF) {
            this.#textEnd = p - fieldsBase;
            lineStart = p + 2;
            result = "done";
          } else {
            this.#fail(FAULTS.bareCr, p);
            result = "fault";
          }
        }
        break;
      }
      let classes = 0;
      let nameEnd = p;
      while (nameEnd < end) {
        const tokenClass = TOKEN[bytes[nameEnd] as number] as number;
        if (tokenClass === 0) break;
        classes |= tokenClass;
        nameEnd++;
      }
      if (nameEnd === end) break;
      if (bytes[nameEnd] !== COLON || nameEnd === p) {
        this.#fail(nameFault(bytes, p, nameEnd, end), nameEnd);
        result = "fault";
        break;
      }
      let valueStart = nameEnd + 1;
      while (valueStart < end && (bytes[valueStart] === SP || bytes[valueStart] === HTAB)) valueStart++;
      let next = valueStart;
      // Four at a time: a quarter of the bounds checks and branches, a third less time on long values.
      while (
        next < lastFour &&
        ((FIELD_VALUE[bytes[next] as number] as number) & (FIELD_VALUE[bytes[next + 1] as number] as number) &
            (FIELD_VALUE[bytes[next + 2] as number] as number) &
            (FIELD_VALUE[bytes[next + 3] as number] as number)) === 1
      ) next += 4;
      while (next < end && FIELD_VALUE[bytes[next] as number] === 1) next++;
      if (next + 1 >= end) {
        if (next < end && bytes[next] !== CR) {
          this.#fail(valueFault(bytes, next), next);
          result = "fault";
        }
        break;
      }
      if (bytes[next] !== CR || bytes[next + 1] !== LF) {
        this.#fail(valueFault(bytes, next), next);
        result = "fault";
        break;
      }
      if (entries === maxEntries) {
        this.#fail(FAULTS.tooManyFields, next);
        result = "fault";
        break;
      }
      let valueEnd = next;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) {
        valueEnd--;
      }
      const id = fieldIdOf(bytes, p, nameEnd, classes);
      table[entries] = p - fieldsBase;
      table[entries + 1] = nameEnd - fieldsBase;
      table[entries + 2] = valueStart - fieldsBase;
      table[entries + 3] = valueEnd - fieldsBase;
      table[entries + 4] = id;
      entries += TABLE_STRIDE;
      p = next + 2;
      lineStart = p;
    }
    this.at = lineStart - base;
    this.#entries = entries;
    return result;
  }

  /** Whether the fields from `from` on are, to their end, ones that have been scanned before. */
  #recognised(bytes: Uint8Array, from: number, end: number, limits: Http1Limits): boolean {
    const memo = this.#memoOfKind();
    if (memo === null) return false;
    const section = memo.find(bytes, from, end);
    this.#lookedFor = section === null;
    if (section === null || section.count > limits.maxFields) return false;
    this.#section = section;
    this.at += memo.foundBytes;
    return true;
  }

  #memoOfKind(): PrefixMemo<FieldSection> | null {
    const { memos } = this;
    if (memos === null) return null;
    return this.kind === "request" ? memos.requestSections : memos.responseSections;
  }

  /**
   * After `done`: the section as a Head of its own. `bytes` and `base` as in the last `scan`.
   *
   * @param remembered the caller keeps the head, to hand it out again
   */
  take(bytes: Uint8Array, base: number, remembered = false): Head {
    const section = this.#section ?? this.#newSection(bytes, base + this.#fieldsAt, remembered);
    if (this.kind === "request") {
      const lines = this.memos === null ? null : this.memos.requestLines;
      const line = lines === null ? null : lines.find(bytes, base, this.#fieldsAt);
      if (line !== null) {
        return new Head(section, line.text, this.at, this.#version, line.method, line.target, 0, "");
      }
      const text = decodeLatin1(bytes, base, base + this.#fieldsAt);
      const method = internedMethod(bytes, base, this.#methodEnd, text);
      const target = text.slice(this.#methodEnd + 1, this.#targetEnd);
      if (this.#rawBytes > 0) {
        const escaped = escapeRaw(target);
        const line = method + " " + escaped + text.slice(this.#targetEnd);
        return new Head(section, line, this.at, this.#version, method, escaped, 0, "");
      }
      if (lines !== null) lines.offer(bytes, base, text, method, target);
      return new Head(section, text, this.at, this.#version, method, target, 0, "");
    }
    if (this.kind === "response") {
      const reasonFrom = base + STATUS_LINE_BYTES + 1;
      const reasonTo = base + this.#reasonEnd;
      let reason = "";
      if (isOk(bytes, reasonFrom, reasonTo)) reason = "OK";
      else if (reasonTo > reasonFrom) reason = decodeLatin1(bytes, reasonFrom, reasonTo);
      return new Head(section, "", this.at, this.#version, "", "", this.#status, reason);
    }
    return new Head(section, "", this.at, HTTP_1_1, "", "", 0, "");
  }

  #newSection(bytes: Uint8Array, from: number, remembered: boolean): FieldSection {
    if (this.#entries === 0) return NO_FIELDS;
    const text = decodeLatin1(bytes, from, from + this.#textEnd);
    const table = this.table.slice(0, this.#entries);
    const memo = this.#memoOfKind();
    const length = this.#textEnd + 2;
    const wanted = memo !== null && this.#lookedFor && memo.wants(length);
    const section = sectionOf(text, table, wanted || remembered ? new SectionMemo() : null);
    if (wanted) memo.keep(bytes, from, from + length, section);
    return section;
  }

  /** Scans `method SP request-target SP HTTP-version CRLF`; answers where the next line begins, or -1. */
  #requestLine(bytes: Uint8Array, from: number, end: number, limits: Http1Limits): number {
    let p = from;
    while (p < end && TOKEN[bytes[p] as number] !== 0) p++;
    if (p === end) return -1;
    if (bytes[p] !== SP || p === from) return this.#fail(lineFault(bytes, p, end, FAULTS.method), p);
    this.#methodEnd = p - from;
    if (p - from > limits.maxMethodBytes) return this.#fail(FAULTS.methodTooLong, p);
    const targetStart = ++p;
    const allowed = limits.lenientTargets ? RAW_TARGET : TARGET;
    while (p < end && allowed[bytes[p] as number] === 1) p++;
    if (p === end) return -1;
    if (bytes[p] !== SP || p === targetStart) {
      // A line that ends here is HTTP/0.9.
      const fault = bytes[p] === CR && p > targetStart ? FAULTS.version : FAULTS.target;
      return this.#fail(lineFault(bytes, p, end, fault), p);
    }
    this.#targetEnd = p - from;
    this.#rawBytes = limits.lenientTargets ? countRaw(bytes, targetStart, p) : 0;
    if (p - targetStart + 2 * this.#rawBytes > limits.maxTargetBytes) {
      return this.#fail(FAULTS.targetTooLong, p);
    }
    p++;
    if (p + 10 > end) return this.#shortVersion(bytes, p, end);
    const minor = bytes[p + 7] as number;
    if (
      !isVersionOne(bytes, p) || (minor !== DIGIT_1 && minor !== DIGIT_0) || bytes[p + 8] !== CR ||
      bytes[p + 9] !== LF
    ) {
      return this.#fail(versionFault(bytes, p, end), p);
    }
    this.#version = minor === DIGIT_1 ? HTTP_1_1 : HTTP_1_0;
    return p + 10;
  }

  /** Fewer bytes are there than a version and CRLF need: is the line complete all the same? */
  #shortVersion(bytes: Uint8Array, from: number, end: number): number {
    const lineFeed = bytes.indexOf(LF, from);
    if (lineFeed < 0 || lineFeed >= end) return -1;
    return this.#fail(versionFault(bytes, from, end), from);
  }

  /**
   * Scans `HTTP-version SP status-code [SP reason-phrase] CRLF`. The grammar wants the second space
   * even when there is no reason; servers leave it out, no recipient reads it another way, and we write our
   * own status line.
   */
  #statusLine(bytes: Uint8Array, from: number, end: number): number {
    let p = from + STATUS_LINE_BYTES;
    if (p + 2 > end) {
      // A complete short line fails below, at its line feed at the latest.
      const lineFeed = bytes.indexOf(LF, from);
      if (lineFeed < 0 || lineFeed >= end) return -1;
    }
    const minor = bytes[from + 7] as number;
    if (!isVersionOne(bytes, from) || (minor !== DIGIT_1 && minor !== DIGIT_0)) {
      return this.#fail(statusVersionFault(bytes, from), from);
    }
    if (bytes[from + 8] !== SP) return this.#fail(FAULTS.statusLine, from + 8);
    const hundreds = (bytes[from + 9] as number) - DIGIT_0;
    const tens = (bytes[from + 10] as number) - DIGIT_0;
    const ones = (bytes[from + 11] as number) - DIGIT_0;
    if (hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9) {
      return this.#fail(FAULTS.statusCode, from + 9);
    }
    if (bytes[p] === SP) {
      p++;
      while (p < end && FIELD_VALUE[bytes[p] as number] === 1) p++;
      if (p === end) return -1;
    } else if (bytes[p] !== CR && bytes[p] !== LF) {
      return this.#fail(FAULTS.statusCode, p);
    }
    if (bytes[p] !== CR) {
      return this.#fail(bytes[p] === LF ? FAULTS.bareLf : FAULTS.reason, p);
    }
    if (p + 1 >= end) return -1;
    if (bytes[p + 1] !== LF) return this.#fail(FAULTS.bareCr, p);
    this.#version = minor === DIGIT_1 ? HTTP_1_1 : HTTP_1_0;
    this.#status = hundreds * 100 + tens * 10 + ones;
    this.#reasonEnd = p - from;
    return p + 2;
  }

  #fail(fault: Fault, at: number): -1 {
    this.fault = fault;
    this.faultAt = at;
    return -1;
  }
}

/** `HTTP/1.1 200`. */
const STATUS_LINE_BYTES = 12;

/** How many of the bytes are above 0x7F. */
function countRaw(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if ((bytes[i] as number) > DEL) count++;
  return count;
}

/** Latin-1 text with the bytes above 0x7F as escapes. */
function escapeRaw(text: string): string {
  return text.replace(/[\x80-\xff]/g, (char) => "%" + char.charCodeAt(0).toString(16).toUpperCase());
}

/** The usual methods as constants, so that `===` compares pointers and no string is made. */
function internedMethod(bytes: Uint8Array, from: number, length: number, text: string): string {
  const second = bytes[from + 1];
  switch (length) {
    case 3:
      if (bytes[from] === 0x47 && second === 0x45 && bytes[from + 2] === 0x54) return "GET";
      if (bytes[from] === 0x50 && second === 0x55 && bytes[from + 2] === 0x54) return "PUT";
      break;
    case 4:
      if (second === 0x4f && text.startsWith("POST")) return "POST";
      if (second === 0x45 && text.startsWith("HEAD")) return "HEAD";
      break;
    case 5:
      if (second === 0x41 && text.startsWith("PATCH")) return "PATCH";
      if (second === 0x52 && text.startsWith("TRACE")) return "TRACE";
      break;
    case 6:
      if (text.startsWith("DELETE")) return "DELETE";
      break;
    case 7:
      if (text.startsWith("OPTIONS")) return "OPTIONS";
      if (text.startsWith("CONNECT")) return "CONNECT";
      break;
  }
  return text.slice(0, length);
}

function isOk(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from === 2 && bytes[from] === 0x4f && bytes[from + 1] === 0x4b;
}

function sectionOf(text: string, table: number[], memo: SectionMemo | null): FieldSection {
  const options = readConnectionOptions(text, table);
  return new FieldSection(text, table, options, options === 0 ? null : hopNames(text, table, options), memo);
}
