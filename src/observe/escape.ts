/**
 * Text of peers as it may stand in a log line. Whatever a peer sends, the result is printable ASCII without
 * a bare quote or backslash: it cannot end its field, begin a line or move a terminal's cursor.
 */

import { SLASH } from "../bytes/character.ts";
import { maskUserinfo } from "../config/values/shown.ts";

const HEX = "0123456789abcdef";

/** True when `text` can stand between double quotes as it is. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return false;
  }
  return true;
}

/** Cuts to `limit` characters; "..." shows that something is missing. */
export function cut(text: string, limit: number): string {
  return text.length <= limit ? text : text.slice(0, limit) + "...";
}

/** The inside of a JSON string: everything but printable ASCII as `\u00e9`. */
export function escapeJson(text: string): string {
  if (isPlain(text)) return text;
  let out = "";
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) out += '\\"';
    else if (code === 0x5c) out += "\\\\";
    else if (code >= 0x20 && code <= 0x7e) out += text[index];
    else out += "\\u" + hex(code >> 12) + hex(code >> 8) + hex(code >> 4) + hex(code);
  }
  return out;
}

/**
 * The inside of a quoted field of the common and combined formats: `\"`, `\\`, and `\xe9` for bytes that are
 * not printable ASCII. Text from the wire is Latin-1; anything beyond becomes `\u20ac`.
 */
export function escapeQuoted(text: string): string {
  if (isPlain(text)) return text;
  let out = "";
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) out += '\\"';
    else if (code === 0x5c) out += "\\\\";
    else if (code >= 0x20 && code <= 0x7e) out += text[index];
    else if (code <= 0xff) out += "\\x" + hex(code >> 4) + hex(code);
    else out += "\\u" + hex(code >> 12) + hex(code >> 8) + hex(code >> 4) + hex(code);
  }
  return out;
}

/** A request target or referer: without userinfo, which is a credential, and cut. */
export function withoutUserinfo(target: string, limit: number): string {
  return cut(target.includes("@") ? maskUserinfo(target) : target, limit);
}

/** A host with a port as it may be told of: what stands before an "@" is a credential, though none belongs there. */
export function hostToTell(host: string): string {
  const at = host.lastIndexOf("@");
  return at < 0 ? host : "***" + host.slice(at);
}

/** A request target without userinfo, in whatever form. */
export function targetToTell(target: string): string {
  if (!target.includes("@")) return target;
  return target.charCodeAt(0) === SLASH || target.includes("://") ? maskUserinfo(target) : hostToTell(target);
}

function hex(nibble: number): string {
  return HEX[nibble & 15] ?? "0";
}
