/** Options of the Connection field (RFC 9110 §7.6.1). */

import { COMMA, TOKEN } from "../bytes/character.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { TABLE_STRIDE } from "../http/head.ts";
import { equalsIgnoringCase, isOws, trimOws } from "../bytes/text.ts";

/** Flags of `connectionOptions`. */
export const ConnectionOption = {
  close: 1,
  keepAlive: 2,
  upgrade: 4,
  te: 8,
  /** At least one other option; `namedOptions` lists them. */
  other: 16,
  /** An element is not a token. */
  malformed: 32,
  /** Content-Length, Transfer-Encoding or Host is named: must never be obeyed. */
  framing: 64,
} as const;

/** Options of all Connection fields of a head: OR of `ConnectionOption` flags, 0 when there is no such field. */
export function connectionOptions(head: Head): number {
  return head.section.connectionFlags;
}

/**
 * Reads all Connection lines.
 *
 * @param table as in `FieldSection`
 * @returns OR of `ConnectionOption` flags. Empty list elements are ignored (RFC 9110 §5.6.1.2). No allocation
 */
export function readConnectionOptions(text: string, table: readonly number[]): number {
  let options = 0;
  for (let at = 0; at < table.length; at += TABLE_STRIDE) {
    if (table[at + 4] !== Field.connection) continue;
    options |= optionsOf(text, table[at + 2] as number, table[at + 3] as number);
  }
  return options;
}

function optionsOf(text: string, from: number, to: number): number {
  let options = 0;
  let p = from;
  while (p < to) {
    let comma = p;
    while (comma < to && text.charCodeAt(comma) !== COMMA) comma++;
    let end = comma;
    while (p < end && isOws(text.charCodeAt(p))) p++;
    while (end > p && isOws(text.charCodeAt(end - 1))) end--;
    if (p < end) options |= optionOf(text, p, end);
    p = comma + 1;
  }
  return options;
}

function optionOf(text: string, from: number, to: number): number {
  const length = to - from;
  if (length === 5 && equalsIgnoringCase(text, from, "close")) return ConnectionOption.close;
  if (length === 10 && equalsIgnoringCase(text, from, "keep-alive")) return ConnectionOption.keepAlive;
  if (length === 7 && equalsIgnoringCase(text, from, "upgrade")) return ConnectionOption.upgrade;
  if (length === 2 && equalsIgnoringCase(text, from, "te")) return ConnectionOption.te;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f || TOKEN[code] === 0) return ConnectionOption.malformed;
  }
  if (
    (length === 4 && equalsIgnoringCase(text, from, "host")) ||
    (length === 14 && equalsIgnoringCase(text, from, "content-length")) ||
    (length === 17 && equalsIgnoringCase(text, from, "transfer-encoding"))
  ) {
    return ConnectionOption.other | ConnectionOption.framing;
  }
  return ConnectionOption.other;
}

/**
 * Fields that a peer must not be able to take away by naming them in Connection: framing, routing,
 * who asks, and on whose behalf (CVE-2022-1388 and relatives removed authentication this way).
 */
const NEVER_NOMINATED = new Set([
  "authorization",
  "cache-control",
  "content-length",
  "cookie",
  "date",
  "expect",
  "forwarded",
  "host",
  "proxy-authorization",
  "set-cookie",
  "transfer-encoding",
  "via",
  "www-authenticate",
  "x-real-ip",
]);

/**
 * The fields that Connection names for removal, in lower case, beyond the well-known options; null
 * when there are none. Fields that others rely on are left out, so that naming them has no effect.
 * A head can name thousands: a set, so that each is looked at once.
 */
export function hopNames(
  text: string,
  table: readonly number[],
  options: number,
): ReadonlySet<string> | null {
  if ((options & ConnectionOption.other) === 0) return null;
  const names = new Set<string>();
  for (let at = 0; at < table.length; at += TABLE_STRIDE) {
    if (table[at + 4] !== Field.connection) continue;
    for (const element of text.slice(table[at + 2], table[at + 3]).toLowerCase().split(",")) {
      const name = trimOws(element);
      if (name === "" || name === "close" || name === "keep-alive" || name === "upgrade" || name === "te") {
        continue;
      }
      if (NEVER_NOMINATED.has(name) || name.startsWith("x-forwarded-")) continue;
      names.add(name);
    }
  }
  return names.size === 0 ? null : names;
}
