/** Request targets (RFC 9112 §3.2), hosts and paths. Byte-exact: nothing here changes a target. */

import {
  BACKSLASH,
  COLON,
  DEL,
  DIGIT_0,
  DIGIT_9,
  HOST_NAME,
  NO_DIGIT,
  QUESTION,
  SLASH,
} from "../bytes/character.ts";
import { parseIpv6 } from "../bytes/ip_address.ts";
import type { Fault } from "./fault.ts";
import { FAULTS } from "./fault.ts";
import { equalsIgnoringCase, hexValueAt } from "../bytes/text.ts";
import { isOverlong } from "./overlong.ts";

export type TargetForm = "origin" | "absolute" | "authority" | "asterisk";

export interface Target {
  readonly form: TargetForm;
  /**
   * Path and query exactly as received; "" in authority form, "*" in asterisk form. An empty path is
   * "/", but "*" for OPTIONS of a whole server (RFC 9112 §3.2.1, §3.2.4).
   */
  readonly path: string;
  /** Host and optional port as received; null in origin and asterisk form. */
  readonly authority: string | null;
  /** "http" or "https" in absolute form, else null. */
  readonly scheme: "http" | "https" | null;
}

/** A host with an optional port. */
export interface Authority {
  /** As received but in lower case; an IPv6 literal without its brackets. */
  readonly host: string;
  /** 0 to 65535, null when none is given (or it is empty, as RFC 3986 §3.2.3 allows). */
  readonly port: number | null;
}

/**
 * Tells the form of a target from its first characters and the method, null when they do not fit
 * together. Does not look at the rest. No allocation.
 */
export function targetForm(method: string, target: string): TargetForm | null {
  if (method === "CONNECT") return "authority";
  const first = target.charCodeAt(0);
  if (first === SLASH) return "origin";
  if (target === "*") return method === "OPTIONS" ? "asterisk" : null;
  return schemeLength(target) > 0 ? "absolute" : null;
}

/** Takes a target apart. For the origin form prefer `targetForm`, the target is then its own path. */
export function parseTarget(method: string, target: string): Target | Fault {
  const form = targetForm(method, target);
  switch (form) {
    case "origin":
      return { form, path: target, authority: null, scheme: null };
    case "asterisk":
      return { form, path: target, authority: null, scheme: null };
    case "authority": {
      const authority = parseAuthority(target);
      // RFC 9110 §9.3.6: a CONNECT target has no default port.
      if (authority === null || authority.port === null || authority.port === 0) {
        return FAULTS.connectAuthority;
      }
      return { form, path: "", authority: target, scheme: null };
    }
    case "absolute":
      return parseAbsolute(method, target, schemeLength(target));
    case null:
      return FAULTS.targetForm;
    default:
      return form satisfies never;
  }
}

/** Why `parseTarget` would refuse a target, null when it would not. No allocation for the origin and the absolute form. */
export function targetFault(method: string, target: string): Fault | null {
  if (targetForm(method, target) === "absolute") {
    const from = schemeLength(target) + 3;
    return isAuthority(target, from, authorityEnd(target, from)) ? null : FAULTS.targetAuthority;
  }
  const parsed = parseTarget(method, target);
  return "kind" in parsed ? parsed : null;
}

/** Where the authority ends that begins at `from`. */
function authorityEnd(target: string, from: number): number {
  let to = from;
  while (to < target.length && target.charCodeAt(to) !== SLASH && target.charCodeAt(to) !== QUESTION) to++;
  return to;
}

function parseAbsolute(method: string, target: string, schemeEnd: number): Target | Fault {
  const from = schemeEnd + 3;
  const to = authorityEnd(target, from);
  const authority = target.slice(from, to);
  if (!isAuthority(target, from, to)) return FAULTS.targetAuthority;
  const rest = target.slice(to);
  const path = rest === "" && method === "OPTIONS" ? "*" : rest.startsWith("/") ? rest : "/" + rest;
  return {
    form: "absolute",
    path,
    authority,
    scheme: schemeEnd === 4 ? "http" : "https",
  };
}

/** Length of "http" or "https" in front of "://", 0 for anything else. */
function schemeLength(target: string): number {
  if (target.startsWith("http://")) return 4;
  if (!equalsIgnoringCase(target, 0, "http")) return 0;
  if (target.startsWith("://", 4)) return 4;
  return equalsIgnoringCase(target, 4, "s") && target.startsWith("://", 5) ? 5 : 0;
}

/** No name in the DNS is longer (RFC 1035 §2.3.4), the dot that may end it included. */
const MAX_HOST_BYTES = 255;

/** Whether `text[from, to)` is a host with an optional port: no user information, no empty host, none that cannot be. */
export function isAuthority(text: string, from: number, to: number): boolean {
  let p = from;
  if (text.charCodeAt(p) === 0x5b && p < to) {
    const end = text.indexOf("]", p);
    if (end < 0 || end >= to || parseIpv6(text.slice(p + 1, end)) === null) return false;
    p = end + 1;
    if (p < to && text.charCodeAt(p) !== COLON) return false;
  } else {
    while (p < to) {
      const code = text.charCodeAt(p);
      if (code > 0x7f || HOST_NAME[code] === 0) break;
      p++;
    }
    if (p === from || p - from > MAX_HOST_BYTES) return false;
  }
  if (p === to) return true;
  if (text.charCodeAt(p) !== COLON) return false;
  return portOf(text, p + 1, to) !== -2;
}

/** Takes a host with an optional port apart, null when it is none. */
export function parseAuthority(text: string): Authority | null {
  if (!isAuthority(text, 0, text.length)) return null;
  const literal = text.charCodeAt(0) === 0x5b;
  const hostEnd = literal ? text.indexOf("]") : text.indexOf(":");
  const host = text.slice(literal ? 1 : 0, hostEnd < 0 ? text.length : hostEnd).toLowerCase();
  const colon = text.indexOf(":", literal ? hostEnd : 0);
  const port = colon < 0 ? -1 : portOf(text, colon + 1, text.length);
  return { host, port: port < 0 ? null : port };
}

/** The port in `text[from, to)`: -1 for an empty one, -2 for none at all. */
function portOf(text: string, from: number, to: number): number {
  if (from === to) return -1;
  if (to - from > 5) return -2;
  let port = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code < DIGIT_0 || code > DIGIT_9) return -2;
    port = port * 10 + (code - DIGIT_0);
  }
  return port > 65_535 ? -2 : port;
}

/**
 * A copy of the path of an origin-form target for choosing a route: without the query, escapes of
 * unreserved characters decoded (RFC 3986 §6.2.2.2), escapes in upper case. The path itself is
 * forwarded as received (RFC 9110 §7.7).
 *
 * @returns null when a recipient could read the path as another one than we do: a dot segment, plain or
 *   escaped (also with path parameters, "..;"), an escaped slash or backslash (also as overlong UTF-8),
 *   an escaped NUL or other control character, a backslash, or a "%" without two digits. Returns `path` itself (no copy) when
 *   there is nothing to decode and no query.
 */
export function normalizedPath(path: string): string | null {
  let normal = "";
  let copied = 0;
  let p = 0;
  for (; p < path.length; p++) {
    const code = path.charCodeAt(p);
    if (code === 0x3f) break;
    if (code === BACKSLASH) return null;
    if (code !== 0x25) continue;
    const high = hexValueAt(path, p + 1);
    const low = hexValueAt(path, p + 2);
    if (high === NO_DIGIT || low === NO_DIGIT) return null;
    const value = high * 16 + low;
    if (value < 0x20 || value === DEL || value === SLASH || value === BACKSLASH) return null;
    if (value >= 0xc0 && isOverlong(path, p, value)) return null;
    const decoded = isUnreserved(value) ? String.fromCharCode(value) : path.slice(p, p + 3).toUpperCase();
    normal += path.slice(copied, p) + decoded;
    p += 2;
    copied = p + 1;
  }
  const result = copied === 0 && p === path.length ? path : normal + path.slice(copied, p);
  return result.includes("/.") && hasDotSegment(result) ? null : result;
}

function isUnreserved(code: number): boolean {
  return (code >= DIGIT_0 && code <= DIGIT_9) || (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;
}

function hasDotSegment(path: string): boolean {
  return path.split("/").some((segment) => {
    const parameters = segment.indexOf(";");
    const name = parameters < 0 ? segment : segment.slice(0, parameters);
    return name === "." || name === "..";
  });
}
