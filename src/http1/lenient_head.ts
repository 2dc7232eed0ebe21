/**
 * What RFC 9112 lets a recipient of responses forgive, apart from the strict parser: the head is
 * rewritten into a strict one first, so everything behind knows one grammar only.
 */

import { COLON, CR, HTAB, LF, SP, TOKEN } from "../bytes/character.ts";
import { decodeLatin1, encodeLatin1 } from "../bytes/latin1.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { trimOws } from "../bytes/text.ts";

/** Whether framing fields say the same more than once, which `mergeFraming` makes one. */
export function repeatsFraming(head: Head): boolean {
  return repeats(head, Field.contentLength) || repeats(head, Field.transferEncoding);
}

function repeats(head: Head, id: number): boolean {
  return head.has(id) && (head.isRepeated(id) || (head.valueOf(id) ?? "").includes(","));
}

/**
 * Copies a clean head with one Content-Length where there are several of the same digits, as lines or in a list
 * (RFC 9110 §8.6), and with one `chunked` where Transfer-Encoding has that alone, but several times. All else is left
 * as it is, and so refused.
 */
export function mergeFraming(clean: Uint8Array): Uint8Array {
  let lines = decodeLatin1(clean, 0, clean.length).split("\r\n");
  lines = mergeField(lines, "content-length", /^[0-9]+$/);
  lines = mergeField(lines, "transfer-encoding", /^chunked$/);
  const text = lines.join("\r\n");
  const bytes = new Uint8Array(text.length);
  encodeLatin1(text, bytes, 0);
  return bytes;
}

/** The first of a field's lines has the value that all have, and the others are gone; or nothing changes. */
function mergeField(lines: readonly string[], lowerCaseName: string, accepted: RegExp): string[] {
  const isOne = (line: string, index: number) =>
    index > 0 && line.slice(0, line.indexOf(":")).toLowerCase() === lowerCaseName;
  const values = lines.filter(isOne)
    .flatMap((line) => line.slice(lowerCaseName.length + 1).toLowerCase().split(","))
    .map((value) => trimOws(value));
  const [value = ""] = values;
  if (values.length < 2 || !accepted.test(value) || values.some((other) => other !== value)) {
    return [...lines];
  }
  const first = lines.findIndex(isOne);
  return lines.flatMap((line, index) => {
    if (index === first) return [`${line.slice(0, lowerCaseName.length)}: ${value}`];
    return isOne(line, index) ? [] : [line];
  });
}

/**
 * Finds the end of a head whose lines may end in a bare LF.
 *
 * @param from start of the head
 * @param searchFrom where to begin, at most two bytes before what earlier searches covered
 * @returns the place behind the empty line, or -1
 */
export function findLenientEnd(bytes: Uint8Array, from: number, searchFrom: number, to: number): number {
  for (let p = searchFrom; p < to; p++) {
    if (bytes[p] !== LF || p === from) continue;
    if (p + 1 < to && bytes[p + 1] === LF) return p + 2;
    if (p + 2 < to && bytes[p + 1] === CR && bytes[p + 2] === LF) return p + 3;
  }
  return -1;
}

/**
 * Copies the head `bytes[from, to)`: a bare LF becomes CRLF (§2.2), whitespace between a name and its
 * colon is removed (§5.1), a folded line end becomes spaces (§5.2). Nothing else is touched, so
 * anything else that is wrong is still refused.
 */
export function cleanHead(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const clean = new Uint8Array(2 * (to - from));
  let at = 0;
  let inName = false;
  let firstLine = true;
  for (let p = from; p < to; p++) {
    let byte = bytes[p] as number;
    if (byte === CR && p + 1 < to && bytes[p + 1] === LF) continue;
    if (byte === LF) {
      const after = bytes[p + 1];
      if (p + 1 < to && !firstLine && (after === SP || after === HTAB)) {
        clean[at++] = SP;
        continue;
      }
      clean[at++] = CR;
      clean[at++] = LF;
      inName = true;
      firstLine = false;
      continue;
    }
    if (inName && (byte === SP || byte === HTAB)) {
      let colon = p + 1;
      while (colon < to && (bytes[colon] === SP || bytes[colon] === HTAB)) colon++;
      if (bytes[colon] === COLON && at > 0 && TOKEN[clean[at - 1] as number] !== 0) {
        p = colon;
        byte = COLON;
      }
    }
    if (TOKEN[byte] === 0) inName = false;
    clean[at++] = byte;
  }
  return clean.subarray(0, at);
}
