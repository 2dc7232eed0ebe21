/** One entry of a list of destinations: what it means, what it matches, and which of two says more. */

import { inBlock, type IpBlock, maskAt, parseBlock } from "../bytes/ip_address.ts";
import { type AddressClass, classOfBytes, embeddedIpv4, isAddressClass } from "./address_class.ts";
import { cutPort, readHost, readPort } from "./destination_host.ts";

/**
 * - `any`: `*`
 * - `suffix`: `.example.com` or `*.example.com`, the names below it and not itself; `name` is `.example.com`
 * - `host`: a name and nothing else
 * - `block`: an address or a CIDR block
 * - `class`: the word of an address class
 */
export type DestinationPattern =
  | { readonly kind: "any" }
  | { readonly kind: "suffix"; readonly name: string }
  | { readonly kind: "host"; readonly name: string }
  | { readonly kind: "block"; readonly block: IpBlock }
  | { readonly kind: "class"; readonly name: AddressClass };

export interface DestinationRule {
  /** As it was written. */
  readonly text: string;
  readonly pattern: DestinationPattern;
  /** Null = each. */
  readonly port: number | null;
}

export type RuleResult =
  | { readonly kind: "ok"; readonly rule: DestinationRule }
  | { readonly kind: "fault"; readonly message: string };

const WHAT_IT_IS =
  "must be a host, .suffix, an IP address, a CIDR block, a class (loopback, link-local, metadata, private, special, public) or *, " +
  "each with or without :port";

/**
 * Reads an entry. An IPv6 address or block with a port is in brackets: `[fd00::/8]:443`. A host that has the name of a
 * class is written with a final dot.
 */
export function parseDestinationRule(text: string): RuleResult {
  const trimmed = text.trim();
  const isBareIpv6 = !trimmed.startsWith("[") && trimmed.split(":").length > 2;
  const cut = isBareIpv6 ? { host: trimmed, port: null } : cutPort(trimmed);
  const pattern = readPattern(cut.host);
  if (typeof pattern === "string") return { kind: "fault", message: pattern };
  if (cut.port === null) return { kind: "ok", rule: { text: trimmed, pattern, port: null } };
  const port = readPort(cut.port);
  if (port === null) return { kind: "fault", message: "must have a port from 1 to 65535 after the colon" };
  return { kind: "ok", rule: { text: trimmed, pattern, port } };
}

/** The pattern, or what is wrong. */
function readPattern(text: string): DestinationPattern | string {
  if (text === "*") return { kind: "any" };
  if (isAddressClass(text.toLowerCase())) {
    return { kind: "class", name: text.toLowerCase() as AddressClass };
  }
  const block = parseBlock(text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text);
  if (block !== null) return { kind: "block", block: judgedBlock(block) };
  if (text.includes("/")) return "must be a CIDR block with a prefix length that fits";
  const isSuffix = text.startsWith(".") || text.startsWith("*.");
  const host = readHost(isSuffix ? text.slice(text.indexOf(".") + 1) : text);
  if (typeof host === "string" || host.isLiteral) return WHAT_IT_IS;
  return isSuffix ? { kind: "suffix", name: `.${host.key}` } : { kind: "host", name: host.key };
}

/** A single address in a form that stands for an IPv4 address is that. */
function judgedBlock(block: IpBlock): IpBlock {
  if (block.bits !== 128) return block;
  const bytes = embeddedIpv4(block.bytes);
  return bytes === null ? block : { bytes, bits: 32 };
}

/** What an entry is asked about: a name, an address, or a name with the address that it has led to. */
export interface Candidate {
  /** Key of a name; null when the destination is an address. */
  readonly name: string | null;
  /** As `judgedBytes` gives them; null when not known yet. */
  readonly bytes: readonly number[] | null;
  readonly port: number;
}

export function matchesRule(rule: DestinationRule, candidate: Candidate): boolean {
  if (rule.port !== null && rule.port !== candidate.port) return false;
  const { pattern } = rule;
  switch (pattern.kind) {
    case "any":
      return true;
    case "host":
      return candidate.name === pattern.name;
    case "suffix":
      return candidate.name !== null && candidate.name.endsWith(pattern.name);
    case "block":
      return candidate.bytes !== null && inBlock(candidate.bytes, pattern.block);
    case "class":
      return candidate.bytes !== null && classOfBytes(candidate.bytes) === pattern.name;
    default:
      return pattern satisfies never;
  }
}

/** How an entry lies to another one that matches the same candidate: not inside of it, equal, or a part of it. */
export type Nesting = "outside" | "equal" | "inside";

/** Whether `inner` says more than `outer`: in its pattern or in its port, and less in neither. */
export function nestingOf(inner: DestinationRule, outer: DestinationRule): Nesting {
  const pattern = nestingOfPatterns(inner.pattern, outer.pattern);
  const port = inner.port === outer.port ? "equal" : outer.port === null ? "inside" : "outside";
  if (pattern === "outside" || port === "outside") return "outside";
  return pattern === "inside" || port === "inside" ? "inside" : "equal";
}

function nestingOfPatterns(inner: DestinationPattern, outer: DestinationPattern): Nesting {
  switch (outer.kind) {
    case "any":
      return inner.kind === "any" ? "equal" : "inside";
    case "suffix":
      if (inner.kind === "suffix" && inner.name === outer.name) return "equal";
      return (inner.kind === "suffix" || inner.kind === "host") && inner.name.endsWith(outer.name)
        ? "inside"
        : "outside";
    case "host":
      return inner.kind === "host" && inner.name === outer.name ? "equal" : "outside";
    case "block":
      // A name can be given another address by its owner: it says nothing about a block.
      if (inner.kind !== "block" || !inBlock(inner.block.bytes, outer.block)) return "outside";
      if (inner.block.bits === outer.block.bits) return "equal";
      return inner.block.bits > outer.block.bits ? "inside" : "outside";
    case "class":
      if (inner.kind === "class") return inner.name === outer.name ? "equal" : "outside";
      if (inner.kind === "block") return isOfClass(inner.block, outer.name) ? "inside" : "outside";
      // An operator who lists one host by its name knows where it is.
      return inner.kind === "host" ? "inside" : "outside";
    default:
      return outer satisfies never;
  }
}

/** Whether both ends of a block are of the class, so that `0.0.0.0/0` or `169.254.0.0/16` is no word about metadata. */
function isOfClass(block: IpBlock, name: AddressClass): boolean {
  const first = block.bytes.map((byte, at) => byte & maskAt(block.bits, at));
  const last = block.bytes.map((byte, at) => byte | (0xff & ~maskAt(block.bits, at)));
  return classOfBytes(first) === name && classOfBytes(last) === name;
}
