/**
 * Questions to name servers and what they answer (RFC 1035 §4): as much of the format as addresses need. What comes in
 * is anybody's bytes: every length is checked, names are followed backwards only, and whatever does not answer the
 * question that was asked is not looked at.
 */

import { canonicalIp, formatIp } from "../bytes/ip_address.ts";

export type Family = "A" | "AAAA";

export interface Question {
  /** 16 bits that cannot be guessed. */
  readonly id: number;
  /** Lower case, without a final dot. */
  readonly name: string;
  readonly family: Family;
}

/**
 * What a message comes to.
 * - `unrelated`: no answer to this question; it may be forged by guessing, or late
 * - `truncated`: the rest is to be had over TCP
 * - `answer`: all addresses, in the server's order; none = the name has none of this family
 * - `absent`: there is no such name
 * - `alias`: the name is another one's, and the server does not say more about that
 * - `refused`: the server could not answer; `rcode` as in RFC 6895 §2.3, -1 for a message that is not well-formed
 */
export type Reply =
  | { readonly kind: "unrelated" }
  | { readonly kind: "truncated" }
  | { readonly kind: "answer"; readonly addresses: readonly string[]; readonly ttlMs: number }
  | { readonly kind: "absent" }
  | { readonly kind: "alias"; readonly name: string; readonly ttlMs: number }
  | { readonly kind: "refused"; readonly rcode: number };

/** Largest datagram that we ask for: what fits into one packet nearly everywhere (RFC 9715 §3). */
const UDP_BYTES = 1232;
const HEADER_BYTES = 12;
const TYPES = { A: 1, AAAA: 28 } as const;
const CNAME = 5;
const SOA = 6;
const OPT = 41;
const CLASS_IN = 1;
/** Records of one message that are looked at, addresses that are taken, and aliases that are followed in it. */
const MOST_RECORDS = 256;
const MOST_ADDRESSES = 64;
const MOST_ALIASES = 16;
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;

const UNRELATED: Reply = { kind: "unrelated" };
const MALFORMED: Reply = { kind: "refused", rcode: -1 };

export const RCODE = { formatError: 1, noSuchName: 3 } as const;

/** Whether `name` is one of a host and fits into a message: labels of 1 to 63 octets, 255 in all (RFC 1035 §2.3.4). */
export function isQueryable(name: string): boolean {
  return /^[a-z0-9_.-]+$/.test(name) && name.length <= MAX_NAME_BYTES - 2 &&
    name.split(".").every((label) => label.length > 0 && label.length <= MAX_LABEL_BYTES);
}

/**
 * The message that asks. `question.name` is queryable.
 *
 * @param extended says how large a datagram may be (EDNS0, RFC 6891 §6.1); servers from before 1999 refuse that
 */
export function encodeQuestion({ id, name, family }: Question, extended: boolean): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + name.length + 2 + 4 + (extended ? 11 : 0));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  bytes[2] = 0x01; // recursion is wished for
  view.setUint16(4, 1);
  view.setUint16(10, extended ? 1 : 0);
  let at = HEADER_BYTES;
  for (const label of name.split(".")) {
    bytes[at++] = label.length;
    for (let i = 0; i < label.length; i++) bytes[at++] = label.charCodeAt(i);
  }
  at++;
  view.setUint16(at, TYPES[family]);
  view.setUint16(at + 2, CLASS_IN);
  at += 4;
  if (extended) {
    view.setUint16(at + 1, OPT);
    view.setUint16(at + 3, UDP_BYTES);
  }
  return bytes;
}

/** Reads a message as the answer to `question`. Never throws; linear in the bytes. */
export function readReply(bytes: Uint8Array, question: Question): Reply {
  if (bytes.length < HEADER_BYTES) return UNRELATED;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint16(2);
  const isResponse = (flags & 0x8000) !== 0 && (flags & 0x7800) === 0;
  if (!isResponse || view.getUint16(0) !== question.id) return UNRELATED;
  const rcode = flags & 0x0f;
  const questions = view.getUint16(4);
  // A server that did not understand the question may leave it out (RFC 1035 §4.1.1); nothing else is believed then.
  if (questions === 0 && rcode === RCODE.formatError) return { kind: "refused", rcode };
  const asked = questions === 1 ? readName(bytes, HEADER_BYTES) : null;
  if (asked === null || asked.next + 4 > bytes.length || asked.name !== question.name) return UNRELATED;
  if (view.getUint16(asked.next) !== TYPES[question.family]) return UNRELATED;
  if (view.getUint16(asked.next + 2) !== CLASS_IN) return UNRELATED;
  if ((flags & 0x0200) !== 0) return { kind: "truncated" };
  if (rcode === RCODE.noSuchName) return { kind: "absent" };
  if (rcode !== 0) return { kind: "refused", rcode };
  const answers = readRecords(bytes, view, asked.next + 4, view.getUint16(6));
  if (answers === null) return MALFORMED;
  return follow(answers, question, () => {
    const authority = readRecords(bytes, view, answers.next, view.getUint16(8));
    return authority?.records.some(({ type }) => type === SOA) ?? false;
  });
}

interface DnsRecord {
  readonly owner: string;
  readonly type: number;
  readonly ttlMs: number;
  /** Of an alias, the other name; of an address its text. */
  readonly value: string;
}

interface Section {
  readonly records: readonly DnsRecord[];
  readonly next: number;
}

/** Null when a record does not lie within the message, or there are too many. */
function readRecords(bytes: Uint8Array, view: DataView, from: number, count: number): Section | null {
  if (count > MOST_RECORDS) return null;
  const records: DnsRecord[] = [];
  let at = from;
  for (let i = 0; i < count; i++) {
    const owner = readName(bytes, at);
    if (owner === null || owner.next + 10 > bytes.length) return null;
    const type = view.getUint16(owner.next);
    const inClass = view.getUint16(owner.next + 2) === CLASS_IN;
    const seconds = view.getUint32(owner.next + 4);
    const data = owner.next + 10;
    const end = data + view.getUint16(owner.next + 8);
    if (end > bytes.length) return null;
    const value = inClass ? readValue(bytes, type, data, end) : "";
    if (value === null) return null;
    // RFC 2181 §8: one with the highest bit set is none.
    const ttlMs = seconds > 0x7fff_ffff ? 0 : seconds * 1000;
    if (inClass) records.push({ owner: owner.name, type, ttlMs, value });
    at = end;
  }
  return { records, next: at };
}

/** "" for types that do not matter; null for data that is not of its type. */
function readValue(bytes: Uint8Array, type: number, from: number, to: number): string | null {
  if (type === TYPES.A || type === TYPES.AAAA) {
    const size = type === TYPES.A ? 4 : 16;
    return to - from === size ? canonicalIp(formatIp([...bytes.subarray(from, to)])) : null;
  }
  if (type !== CNAME) return "";
  const name = readName(bytes, from);
  return name === null || name.next !== to ? null : name.name;
}

/** From the name that was asked for along its aliases to addresses. */
function follow({ records }: Section, question: Question, saysNone: () => boolean): Reply {
  let { name } = question;
  let ttlMs = Infinity;
  for (let hops = 0; hops <= MOST_ALIASES; hops++) {
    const own = records.filter(({ owner }) => owner === name);
    const found = own.filter(({ type }) => type === TYPES[question.family]).slice(0, MOST_ADDRESSES);
    if (found.length > 0) {
      const least = found.reduce((least, record) => Math.min(least, record.ttlMs), ttlMs);
      // Filters answer with the unspecified address, and a connection to that arrives at this machine.
      const addresses = found.map(({ value }) => value).filter((value) =>
        value !== "0.0.0.0" && value !== "::"
      );
      return { kind: "answer", addresses: [...new Set(addresses)], ttlMs: least };
    }
    const alias = own.find(({ type }) => type === CNAME);
    if (alias === undefined) {
      // RFC 2308 §2.2: with the zone's SOA the server says that there is nothing more.
      if (name === question.name || saysNone()) return { kind: "answer", addresses: [], ttlMs: 0 };
      return isQueryable(name) ? { kind: "alias", name, ttlMs } : MALFORMED;
    }
    name = alias.value;
    ttlMs = Math.min(ttlMs, alias.ttlMs);
  }
  return MALFORMED;
}

/**
 * The name at `at`, in lower case, and where what follows it begins. Pointers (RFC 1035 §4.1.4) lead backwards only,
 * so that there are no loops. Null for one that is too long or not within the message.
 */
function readName(bytes: Uint8Array, at: number): { readonly name: string; readonly next: number } | null {
  let name = "";
  let next = -1;
  let length = 1;
  let lowest = at;
  for (let p = at;;) {
    const size = bytes[p];
    if (size === undefined) return null;
    if (size === 0) return { name, next: next < 0 ? p + 1 : next };
    if (size >= 0xc0) {
      const low = bytes[p + 1];
      if (low === undefined) return null;
      if (next < 0) next = p + 2;
      const target = (size & 0x3f) << 8 | low;
      if (target >= lowest) return null;
      lowest = target;
      p = target;
      continue;
    }
    length += size + 1;
    if (size > MAX_LABEL_BYTES || length > MAX_NAME_BYTES || p + size >= bytes.length) return null;
    name += name === "" ? "" : ".";
    for (let i = p + 1; i <= p + size; i++) name += character(bytes[i] as number);
    p += size + 1;
  }
}

/** In lower case; what has no place in a name of a host is written as in zone files, so that it equals nothing else. */
function character(byte: number): string {
  const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  const plain = (lower >= 0x61 && lower <= 0x7a) || (lower >= 0x30 && lower <= 0x39) || lower === 0x2d ||
    lower === 0x5f;
  return plain ? String.fromCharCode(lower) : `\\${String(lower).padStart(3, "0")}`;
}
