/**
 * A head or trailer section that does not lie whole in the bytes that came, or that is read leniently (RFC 9112 §2.2,
 * §5.1, §5.2): its bytes are collected by the parser and scanned here as they come. Linear: every byte is searched and scanned
 * once.
 */

import { LF, SP } from "../bytes/character.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";
import type { Head } from "../http/head.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { ScanResult, SectionKind } from "./head_scanner.ts";
import { HeadScanner } from "./head_scanner.ts";
import type { HeadMemos } from "./head_memos.ts";
import { cleanHead, findLenientEnd, mergeFraming, repeatsFraming } from "./lenient_head.ts";

export class SplitSection {
  readonly #scanner: HeadScanner;
  readonly #kind: SectionKind;
  readonly #lenient: boolean;
  readonly #limits: Http1Limits;
  /** How much of the bytes holds no further line end. */
  #searchedBytes = 0;
  /** After `done`: the section, and how many bytes it takes. */
  section: Head | null = null;
  bytes = 0;
  /** After `fault`: the reason. */
  fault: Fault = FAULTS.statusLine;

  /** @param lenient for responses only */
  constructor(kind: SectionKind, lenient: boolean, limits: Http1Limits, memos: HeadMemos | null = null) {
    this.#scanner = new HeadScanner(memos);
    this.#kind = kind;
    this.#lenient = lenient;
    this.#limits = limits;
    this.#scanner.begin(kind);
  }

  /** How many bytes have been understood, up to the start of a line. */
  get scannedBytes(): number {
    return this.#scanner.at;
  }

  /**
   * Goes on where the last call ended.
   *
   * @param base place of the section's first byte, which may have moved
   * @param length bytes there are, at least as many as in the last call
   */
  scan(bytes: Uint8Array, base: number, length: number): ScanResult {
    return this.#lenient ? this.#scanLenient(bytes, base, length) : this.#scanLines(bytes, base, length);
  }

  #scanLines(bytes: Uint8Array, base: number, length: number): ScanResult {
    const scanner = this.#scanner;
    const linesEnd = lastLineEnd(bytes, base + this.#searchedBytes, base + length);
    this.#searchedBytes = length;
    if (linesEnd < 0) return "more";
    const result = scanner.scan(bytes, base, linesEnd, this.#limits);
    if (result === "done") return this.#done(scanner.take(bytes, base), scanner.at);
    return result === "fault" && scanner.fault !== null ? this.#fail(scanner.fault) : "more";
  }

  #scanLenient(bytes: Uint8Array, base: number, length: number): ScanResult {
    const scanner = this.#scanner;
    const end = findLenientEnd(bytes, base, base + this.#searchedBytes, base + length);
    if (end < 0) {
      // The end is recognised from at most three bytes: LF CR LF.
      this.#searchedBytes = Math.max(0, length - 2);
      return "more";
    }
    let cleaned = cleanHead(bytes, base, end);
    if (scanner.scan(cleaned, 0, cleaned.length, this.#limits) !== "done") {
      return this.#fail(scanner.fault ?? FAULTS.statusLine);
    }
    const head = scanner.take(cleaned, 0);
    if (!repeatsFraming(head)) return this.#done(head, end - base);
    cleaned = mergeFraming(cleaned);
    scanner.begin(this.#kind);
    scanner.scan(cleaned, 0, cleaned.length, this.#limits);
    return this.#done(scanner.take(cleaned, 0), end - base);
  }

  #done(section: Head, bytes: number): "done" {
    this.section = section;
    this.bytes = bytes;
    return "done";
  }

  #fail(fault: Fault): "fault" {
    this.fault = fault;
    return "fault";
  }
}

/** The fault of a section that has reached its limit. @param scannedBytes bytes of it that have been understood */
export function tooLarge(
  kind: SectionKind,
  scannedBytes: number,
  bytes: Uint8Array,
  base: number,
  limits: Http1Limits,
): Fault {
  if (kind === "trailers") return FAULTS.trailersTooLarge;
  // A request whose first line alone is too long has a target that is, whatever its exact limit.
  if (kind === "response" || scannedBytes > 0) return FAULTS.headTooLarge;
  const space = bytes.indexOf(SP, base);
  const tooLong = space < 0 || space > base + limits.maxMethodBytes;
  return tooLong ? FAULTS.methodTooLong : FAULTS.targetTooLong;
}

/** Just behind the last LF of `bytes[from, to)`, -1 when there is none. */
function lastLineEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let p = to - 1; p >= from; p--) {
    if (bytes[p] === LF) return p + 1;
  }
  return -1;
}
