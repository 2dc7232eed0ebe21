/** Messages to bytes. Everything is written from the parsed model, nothing is passed through unseen. */

import { CR, LF, SP } from "../bytes/character.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { TABLE_STRIDE } from "../http/head.ts";

/** The last chunk and an empty trailer section. The bytes are shared: do not change them. */
export const LAST_CHUNK: Uint8Array = Uint8Array.of(0x30, CR, LF, CR, LF);

/** Room that `encodeChunkHead` needs at most: 14 digits of 2^53 - 1 and CRLF. */
export const MAX_CHUNK_HEAD_BYTES = 16;

/**
 * The field lines to forward: those whose id is not in `dropMask` and whose name is not in
 * `dropNames`, in their order and spelling, each as "Name: value" CRLF.
 *
 * @param dropMask OR of `1 << id`; bit 0 has no effect
 * @param dropNames lower-case names (letters, digits, "-"), or null
 * Runs of lines that are already written so are cut out of the head in one piece, so the usual cost is
 * one comparison per field and one slice per dropped field.
 */
export function keptFields(head: Head, dropMask: number, dropNames: ReadonlySet<string> | null): string {
  const drop = dropMask & ~1;
  if (dropNames !== null) return writeKept(head, drop, dropNames);
  const { section } = head;
  if (section.keptMask !== drop) {
    section.kept = writeKept(head, drop, null);
    section.keptMask = drop;
  }
  return section.kept;
}

function writeKept(head: Head, drop: number, dropNames: ReadonlySet<string> | null): string {
  const { text, table } = head.section;
  const count = table.length;
  let kept = "";
  /** Start of the current run, -1 when there is none. */
  let runStart = -1;
  for (let at = 0; at < count; at += TABLE_STRIDE) {
    const nameStart = table[at] as number;
    if (
      ((1 << (table[at + 4] as number)) & drop) !== 0 ||
      (dropNames !== null && dropNames.has(text.slice(nameStart, table[at + 1]).toLowerCase()))
    ) {
      if (runStart >= 0) {
        kept += text.slice(runStart, nameStart);
        runStart = -1;
      }
      continue;
    }
    const nameEnd = table[at + 1] as number;
    const valueStart = table[at + 2] as number;
    const valueEnd = table[at + 3] as number;
    const lineEnd = at + TABLE_STRIDE < count ? table[at + TABLE_STRIDE] as number : text.length;
    if (valueStart === nameEnd + 2 && lineEnd === valueEnd + 2 && text.charCodeAt(nameEnd + 1) === SP) {
      if (runStart < 0) runStart = nameStart;
      continue;
    }
    if (runStart >= 0) {
      kept += text.slice(runStart, nameStart);
      runStart = -1;
    }
    kept += text.slice(nameStart, nameEnd) + ": " + text.slice(valueStart, valueEnd) + "\r\n";
  }
  return runStart >= 0 ? kept + text.slice(runStart) : kept;
}

/** The last line made for each status, and its reason: an origin uses the same phrase again and again. */
const STATUS_LINES: string[] = new Array<string>(600).fill("");
const REASONS: string[] = new Array<string>(600).fill("");

/** The status line with its CRLF. `reason` must be safe as a field value or come out of a Head. */
export function statusLine(status: number, reason: string): string {
  if (REASONS[status] === reason && STATUS_LINES[status] !== "") return STATUS_LINES[status] as string;
  const line = "HTTP/1.1 " + status + " " + reason + "\r\n";
  if (status < 600) {
    REASONS[status] = reason;
    STATUS_LINES[status] = line;
  }
  return line;
}

/**
 * Writes the size line of a chunk.
 *
 * @param size 1 to 2^53 - 1; 0 would end the body
 * @param out has room for `MAX_CHUNK_HEAD_BYTES` from `at` on
 * @returns bytes written
 */
export function encodeChunkHead(size: number, out: Uint8Array, at: number): number {
  let digits = 1;
  for (let rest = size; rest >= 16; rest = Math.floor(rest / 16)) digits++;
  let rest = size;
  for (let i = at + digits - 1; i >= at; i--) {
    const digit = rest % 16;
    out[i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest = (rest - digit) / 16;
  }
  out[at + digits] = CR;
  out[at + digits + 1] = LF;
  return digits + 2;
}

/**
 * The trailer fields that may be forwarded, as lines, without the last chunk before and the empty line
 * after them. Left out is everything a recipient could take for framing, routing, authentication,
 * content metadata or a control, should it merge trailers into the header section (RFC 9110 §6.5.1).
 */
export function encodeTrailers(trailers: Head): string {
  return keptFields(trailers, FORBIDDEN_TRAILER_MASK, forbiddenNames(trailers));
}

/** All ids but unknown names, and the few known ones that only inform. */
const FORBIDDEN_TRAILER_MASK = ~((1 << Field.other) | (1 << Field.server) | (1 << Field.proxyStatus));

const FORBIDDEN_TRAILERS = new Set([
  "accept-ranges",
  "age",
  "authentication-info",
  "authorization",
  "cache-control",
  "cookie",
  "expires",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "location",
  "origin",
  "pragma",
  "proxy-authentication-info",
  "range",
  "set-cookie",
  "vary",
  "warning",
  "www-authenticate",
]);

function forbiddenNames(trailers: Head): Set<string> | null {
  let names: Set<string> | null = null;
  for (let index = 0; index < trailers.count; index++) {
    if (trailers.id(index) !== Field.other) continue;
    const name = trailers.name(index).toLowerCase();
    if (FORBIDDEN_TRAILERS.has(name) || name.startsWith("content-") || name.startsWith("sec-")) {
      (names ??= new Set()).add(name);
    }
  }
  return names;
}
