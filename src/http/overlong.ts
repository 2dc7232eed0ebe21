/**
 * Overlong UTF-8 among the escapes of a path: characters in more bytes than they need. RFC 3629 §3 forbids to decode
 * them; some servers do, and read `%C0%AF` as a slash.
 */

import { NO_DIGIT } from "../bytes/character.ts";
import { hexValueAt } from "../bytes/text.ts";

/** Whether the escaped UTF-8 lead byte at `at` begins a longer form of a shorter sequence (RFC 3629 §3). */
export function isOverlong(path: string, at: number, lead: number): boolean {
  if (lead === 0xc0 || lead === 0xc1) return true;
  const second = path.charAt(at + 3) === "%" ? hexValueAt(path, at + 4) : NO_DIGIT;
  if (lead === 0xe0) return second === 8 || second === 9;
  // The last two begin sequences of five and six bytes, which there have not been since 2003.
  return (lead === 0xf0 || lead === 0xf8 || lead === 0xfc) && second === 8;
}

/**
 * An ASCII character in two to six bytes: the upper bit of the character, and the last byte, which has the other six
 * bits.
 */
const ASCII = /(?:%C|(?:%E0|%F0%80|%F8%80%80|%FC%80%80%80)%8)([01])%([89AB][0-9A-F])/g;

/**
 * The same with a last byte that is no continuation byte: decoders that only mask its upper bits (old IIS) read a
 * dot, a slash or a backslash.
 */
const ASCII_MASKED = /%C(?:0([./]|%2F)|1(%5C))/g;

/** The text as a server reads it that decodes overlong ASCII characters; those are escaped in one byte here. */
export function withoutOverlong(text: string): string {
  return text.replace(ASCII, (_, upper: string, last: string) => {
    return escapeOf((upper === "1" ? 0x40 : 0) | (parseInt(last, 16) & 0x3f));
  }).replace(ASCII_MASKED, (_, one: string | undefined, other: string | undefined) => one ?? other ?? "");
}

/** The escape of a byte, in upper case. */
export function escapeOf(code: number): string {
  return "%" + code.toString(16).toUpperCase().padStart(2, "0");
}
