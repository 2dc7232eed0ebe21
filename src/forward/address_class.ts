/** Kinds of addresses, for rules about where a connection may go. */

import { inBlock, type IpBlock, ipBytes, parseBlock } from "../bytes/ip_address.ts";

/**
 * - `loopback`: this machine; also the unspecified addresses, which lead there
 * - `link-local`: the same wire only
 * - `metadata`: where clouds give programs credentials of their machine
 * - `private`: networks of one owner
 * - `special`: no single machine that could be meant, or no unicast address in use
 * - `public`: all others
 */
export type AddressClass = "loopback" | "link-local" | "metadata" | "private" | "special" | "public";

const ADDRESS_CLASSES: readonly AddressClass[] = [
  "loopback",
  "link-local",
  "metadata",
  "private",
  "special",
  "public",
];

export function isAddressClass(word: string): word is AddressClass {
  return ADDRESS_CLASSES.some((name) => name === word);
}

/** The first block that holds an address decides. */
const CLASSES: readonly (readonly [AddressClass, readonly string[]])[] = [
  ["metadata", [
    "169.254.169.254", // nearly all clouds
    "169.254.170.2", // Amazon ECS
    "169.254.170.23", // Amazon EKS
    "fd00:ec2::254", // Amazon EC2
    "fd00:ec2::23", // Amazon EKS
    "fd20:ce::254", // Google
    "100.100.100.200", // Alibaba
    "168.63.129.16", // Azure: an address of the public range, reached from its virtual machines only
  ]],
  ["loopback", ["127.0.0.0/8", "0.0.0.0", "::", "::1"]],
  ["link-local", ["169.254.0.0/16", "fe80::/10"]],
  ["private", [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10", // RFC 6598: between a provider and its customers
    "198.18.0.0/15", // RFC 2544: benchmarks; local tools that answer DNS themselves make up addresses here
    "fc00::/7", // RFC 4193
    "fec0::/10", // RFC 3879: site-local, no longer given out
  ]],
  ["special", [
    "0.0.0.0/8", // RFC 791
    "192.0.0.0/24", // RFC 6890: protocol assignments
    "192.0.2.0/24", // RFC 5737: documentation
    "192.88.99.0/24", // RFC 7526: was a relay of 6to4
    "198.51.100.0/24", // RFC 5737
    "203.0.113.0/24", // RFC 5737
    "224.0.0.0/4", // multicast
    "240.0.0.0/4", // RFC 1112 §4, broadcast included
    "2001::/23", // RFC 2928: protocol assignments, Teredo among them
    "2001:db8::/32", // RFC 3849: documentation
    "3fff::/20", // RFC 9637: documentation
  ]],
  // What is not in 2000::/3 has not been given to anybody as a unicast address (RFC 4291 §2.4).
  ["public", ["0.0.0.0/0", "2000::/3"]],
  ["special", ["::/0"]],
];

type ClassBlock = readonly [AddressClass, IpBlock];

/** Prefixes of IPv6 addresses that stand for an IPv4 address, and where its four bytes are. */
const EMBEDDINGS: readonly (readonly [prefix: string, at: number])[] = [
  ["::/96", 12], // RFC 4291 §2.5.5.1: IPv4-compatible; some systems still dial the IPv4 address
  ["2002::/16", 2], // RFC 3056: 6to4
  ["64:ff9b::/96", 12], // RFC 6052: NAT64
  ["64:ff9b:1::/48", 12], // RFC 8215: NAT64 of a network of its own, nearly always with a prefix of 96 bits
];

/** The tables above, parsed when first used: most processes forward nothing. */
class Parsed {
  /** Every destination is judged: those of its own family are enough. */
  readonly ipv4: readonly ClassBlock[];
  readonly ipv6: readonly ClassBlock[];
  readonly embeddings: readonly (readonly [prefix: IpBlock, at: number])[];

  constructor() {
    const blocks = CLASSES.flatMap(([name, texts]) => texts.map((text) => [name, blockOf(text)] as const));
    this.ipv4 = blocks.filter(([, { bytes }]) => bytes.length === 4);
    this.ipv6 = blocks.filter(([, { bytes }]) => bytes.length === 16);
    this.embeddings = EMBEDDINGS.map(([prefix, at]) => [blockOf(prefix), at]);
  }
}

let known: Parsed | null = null;

function parsed(): Parsed {
  return known ??= new Parsed();
}

function blockOf(text: string): IpBlock {
  const block = parseBlock(text);
  if (block === null) throw new Error(`${text} is no block of addresses`);
  return block;
}

/**
 * Bytes of the address that a connection would arrive at: 4 for an IPv4 address, however it is written in IPv6
 * (IPv4-mapped, IPv4-compatible, 6to4, NAT64), else 16.
 *
 * @param text an IP literal without brackets; a zone is left out. Null for anything else.
 */
export function judgedBytes(text: string): readonly number[] | null {
  const bytes = ipBytes(text);
  return bytes === null ? null : embeddedIpv4(bytes) ?? bytes;
}

/** The IPv4 address that 16 bytes stand for; null when they are an IPv6 address in their own right, or four bytes. */
export function embeddedIpv4(bytes: readonly number[]): readonly number[] | null {
  if (bytes.length !== 16) return null;
  // :: and ::1 are no IPv4 addresses.
  if (bytes.every((byte, at) => byte === 0 || (at === 15 && byte === 1))) return null;
  for (const [prefix, at] of parsed().embeddings) if (inBlock(bytes, prefix)) return bytes.slice(at, at + 4);
  return null;
}

/**
 * Blocks of a class that are smaller than all the rest of IPv6. A part of one may be of a class that comes before, in the order of
 * the table.
 */
export function blocksOfClass(name: AddressClass): readonly string[] {
  return CLASSES.filter(([each]) => each === name).flatMap(([, texts]) => texts).filter((text) =>
    text !== "::/0"
  );
}

/** The class of an address as `judgedBytes` gives it. */
export function classOfBytes(bytes: readonly number[]): AddressClass {
  const { ipv4, ipv6 } = parsed();
  for (const [name, block] of bytes.length === 4 ? ipv4 : ipv6) if (inBlock(bytes, block)) return name;
  return "special";
}

/** The class of an IP literal without brackets; null when it is none. */
export function addressClass(text: string): AddressClass | null {
  const bytes = judgedBytes(text);
  return bytes === null ? null : classOfBytes(bytes);
}
