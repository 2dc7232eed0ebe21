/**
 * The one reader of IP literals and CIDR blocks in `src/`. Only the canonical spellings are IPv4 addresses here: the forms that
 * `inet_aton` accepts (`127.1`, `0x7f.0.0.1`, `010.0.0.1`) mean different hosts to different programs.
 */

import { DIGIT_0, DIGIT_9, DOT } from "./character.ts";

/** Length of `255.255.255.255`. */
const MAX_IPV4_TEXT = 15;

/**
 * Four bytes, or null when `text` is not `a.b.c.d` in decimal without leading zeros. Each destination of a forward proxy is read
 * this way, so without a regular expression and what it would allocate.
 */
function parseIpv4(text: string): readonly number[] | null {
  if (text.length > MAX_IPV4_TEXT) return null;
  const bytes: number[] = [];
  let value = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (value < 0) return null;
      bytes.push(value);
      value = -1;
    } else {
      if (code < DIGIT_0 || code > DIGIT_9 || value === 0) return null;
      value = (value < 0 ? 0 : value * 10) + (code - DIGIT_0);
      if (value > 255) return null;
    }
  }
  if (value < 0 || bytes.length !== 3) return null;
  bytes.push(value);
  return bytes;
}

/** Eight 16-bit groups, or null. Zone identifiers (`%eth0`) are refused. Source: RFC 4291 §2.2. */
export function parseIpv6(text: string): readonly number[] | null {
  if (text.length > 45) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  if (head === null) return null;
  if (halves.length === 1) return head.length === 8 ? head : null;
  const tail = parseGroups(halves[1] ?? "", true);
  if (tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (missing < 1) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (mayEndInIpv4 && index === parts.length - 1 && part.includes(".")) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === null) return null;
      const [a = 0, b = 0, c = 0, d = 0] = ipv4;
      groups.push(a * 256 + b, c * 256 + d);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

/** The canonical text of eight groups: lower case, longest run of zeros shortened. Source: RFC 5952 §4. */
export function formatIpv6(groups: readonly number[]): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
    start = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(":");
  return hex.slice(0, bestStart).join(":") + "::" + hex.slice(bestStart + bestLength).join(":");
}

/**
 * Bytes of an IP literal without brackets: 4 or 16 of them, an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) as 4.
 * A zone identifier (`fe80::1%eth0`) is left out. Null when `text` is neither.
 */
export function ipBytes(text: string): readonly number[] | null {
  if (!text.includes(":")) return parseIpv4(text);
  const zone = text.indexOf("%");
  const groups = parseIpv6(zone < 0 ? text : text.slice(0, zone));
  return groups === null ? null : withoutMapping(bytesOf(groups));
}

/** Text of 4 or 16 bytes: dotted decimal, or the form of RFC 5952 §4. */
export function formatIp(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => (bytes[2 * at] ?? 0) * 256 + (bytes[2 * at + 1] ?? 0));
  return formatIpv6(groups);
}

/**
 * Canonical text of an IPv4 or IPv6 literal without brackets, or null when it is neither. An IPv4-mapped address
 * is the IPv4 address that it stands for: it is the same peer, and sockets that are IPv6 only do not take it.
 */
export function canonicalIp(text: string): string | null {
  // There is one spelling of an IPv4 address.
  if (!text.includes(":")) return parseIpv4(text) === null ? null : text;
  const bytes = text.includes("%") ? null : ipBytes(text);
  return bytes === null ? null : formatIp(bytes);
}

/** True for `localhost`, the names below it (RFC 6761 §6.3), 127.0.0.0/8 and ::1; `host` is in lower case. */
export function isLoopback(host: string): boolean {
  if (isLocalhostName(host)) return true;
  const bytes = ipBytes(host);
  if (bytes === null) return false;
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, at) => byte === (at === 15 ? 1 : 0));
}

/** True for `localhost` and the names below it, with or without a final dot; `name` is in lower case. */
export function isLocalhostName(name: string): boolean {
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  return bare === "localhost" || bare.endsWith(".localhost");
}

/** A block of addresses: the bytes of its first one (4 or 16), and how many leading bits count. */
export interface IpBlock {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** True when the address of these bytes, as `ipBytes` gives them, is in the block. */
export function inBlock(bytes: readonly number[], block: IpBlock): boolean {
  const { bytes: first, bits } = block;
  if (bytes.length !== first.length) return false;
  for (let at = 0; at * 8 < bits; at++) {
    if ((((bytes[at] ?? 0) ^ (first[at] ?? 0)) & maskAt(bits, at)) !== 0) return false;
  }
  return true;
}

/** The block that a valid CIDR text means; null for any other text. */
export function parseBlock(text: string): IpBlock | null {
  const read = readBlock(text);
  return "bytes" in read ? read : null;
}

export type CidrResult =
  | { readonly kind: "ok"; readonly text: string }
  | { readonly kind: "fault"; readonly message: string; readonly suggestion: string | null };

/**
 * Canonical text of a CIDR block; a bare address means that one address. Host bits must be zero. A block of
 * IPv4-mapped addresses (`::ffff:10.0.0.0/104`) is the IPv4 block (`10.0.0.0/8`).
 */
export function canonicalCidr(text: string): CidrResult {
  const block = readBlock(text);
  if (!("bytes" in block)) return { kind: "fault", message: block.message, suggestion: null };
  const masked = block.bytes.map((byte, at) => byte & maskAt(block.bits, at));
  const canonical = `${formatIp(masked)}/${block.bits}`;
  if (masked.some((byte, at) => byte !== block.bytes[at])) {
    return { kind: "fault", message: "has bits set beyond its prefix length", suggestion: canonical };
  }
  return { kind: "ok", text: canonical };
}

function readBlock(text: string): IpBlock | { readonly message: string } {
  const slash = text.indexOf("/");
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const groups = parseIpv6(addressText);
  const bytes = groups === null ? parseIpv4(addressText) : bytesOf(groups);
  if (bytes === null) return { message: "must be an IP address or a CIDR block" };
  const width = bytes.length * 8;
  const bitsText = slash < 0 ? String(width) : text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(bitsText) || Number(bitsText) > width) {
    return { message: `must have a prefix length of 0 to ${width}` };
  }
  const bits = Number(bitsText);
  const plain = bits >= MAPPED_BITS ? withoutMapping(bytes) : bytes;
  return { bytes: plain, bits: bits - (bytes.length - plain.length) * 8 };
}

/** Length of the prefix ::ffff:0:0/96 of IPv4-mapped addresses. */
const MAPPED_BITS = 96;

function withoutMapping(bytes: readonly number[]): readonly number[] {
  for (let at = 0; at < 12; at++) if (bytes[at] !== (at < 10 ? 0 : 0xff)) return bytes;
  return bytes.slice(12);
}

function bytesOf(groups: readonly number[]): readonly number[] {
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

/** The bits of the byte at `at` that count in a prefix of `bits`. */
export function maskAt(bits: number, at: number): number {
  const kept = Math.max(0, Math.min(8, bits - at * 8));
  return (0xff << (8 - kept)) & 0xff;
}
