/**
 * The host and the port of a destination, read strictly: what one program takes for a name and another for an address
 * is refused, because rules would be asked about the one and the connection made to the other.
 */

import { DIGIT_0, DIGIT_9 } from "../bytes/character.ts";
import { canonicalIp } from "../bytes/ip_address.ts";

export interface DestinationHost {
  /** Lower case without a final dot; an address in canonical text (RFC 5952), IPv6 without brackets. */
  readonly key: string;
  /** Whether it is an IP address. An IPv4-mapped one is the IPv4 address. */
  readonly isLiteral: boolean;
}

export type HostFault = "empty" | "character" | "label" | "length" | "number" | "ipv6" | "zone";

/** Octets of a name without its final dot, and of one of its labels (RFC 1035 §2.3.4). */
const MAX_NAME = 253;
const MAX_LABEL = 63;

/** Letters, digits and hyphens (RFC 952, RFC 1123 §2.1), and the underscore, which names of services have. */
const NAME = /^[0-9A-Za-z_.-]+$/;

/**
 * The last label is a number for the parsers of addresses of some program (`inet_aton`, the URL standard), so that
 * `127.1`, `0x7f.1`, `0177.0.0.1` and `2130706433` would be addresses there.
 */
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/;

/**
 * Reads a host as it stands in a URI: a name, four decimal numbers, or an IPv6 address in brackets. No
 * percent-encoding and no letters beyond ASCII: clients send the `xn--` form (RFC 5891 §4.4).
 */
export function readHost(text: string): DestinationHost | HostFault {
  if (text === "") return "empty";
  if (text.startsWith("[")) return text.endsWith("]") ? readIpv6(text.slice(1, -1)) : "ipv6";
  if (!NAME.test(text)) return "character";
  const name = text.toLowerCase();
  const key = name.endsWith(".") ? name.slice(0, -1) : name;
  // Whatever is a number begins with a digit.
  const first = key.charCodeAt(key.lastIndexOf(".") + 1);
  if (first >= DIGIT_0 && first <= DIGIT_9 && ENDS_IN_NUMBER.test(name)) {
    const address = canonicalIp(name);
    return address === null ? "number" : { key: address, isLiteral: true };
  }
  if (key.length > MAX_NAME) return "length";
  for (const label of key.split(".")) {
    if (label === "" || label.length > MAX_LABEL) return "label";
  }
  return { key, isLiteral: false };
}

function readIpv6(text: string): DestinationHost | HostFault {
  // RFC 6874 §2: an interface of ours is nothing that a client could know.
  if (text.includes("%")) return "zone";
  const address = text.includes(":") ? canonicalIp(text) : null;
  return address === null ? "ipv6" : { key: address, isLiteral: true };
}

/** A port of 1 to 65535 in one to five decimal digits, else null. */
export function readPort(text: string): number | null {
  if (text === "" || text.length > 5) return null;
  let port = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < DIGIT_0 || code > DIGIT_9) return null;
    port = port * 10 + (code - DIGIT_0);
  }
  return port >= 1 && port <= 65_535 ? port : null;
}

export interface HostAndPort {
  /** Like the text, brackets included. */
  readonly host: string;
  /** What follows the colon, "" when nothing does; null without a colon. */
  readonly port: string | null;
}

/** Cuts the port off. Neither part has been looked at. */
export function cutPort(text: string): HostAndPort {
  const bracket = text.startsWith("[") ? text.indexOf("]") : -1;
  const at = text.indexOf(":", bracket + 1);
  if (at < 0) return { host: text, port: null };
  // What stands between the bracket and the colon stays with the host, which is none then.
  return { host: text.slice(0, at), port: text.slice(at + 1) };
}
