/**
 * The three messages of NTLM ([MS-NLMP] 2.2.1) as HTTP carries them: in base64 behind the name of the scheme. The server's
 * is read with suspicion: every length and offset in it is a claim.
 */

import type { Digests } from "../../../runtime/contract/contract.ts";
import { joined } from "../../forward/auth/secret_bytes.ts";
import { passwordKey, proofs, utf16 } from "./ntlm_proof.ts";

const SIGNATURE = new Uint8Array([0x4e, 0x54, 0x4c, 0x4d, 0x53, 0x53, 0x50, 0]);
/**
 * Unicode, OEM, target wanted, NTLM, always sign, extended session security, 128 and 56 bits. Servers may insist on strong session
 * keys although HTTP uses none.
 */
const FLAGS = 0xa0088207;
const UNICODE = 0x00000001;
/** Some servers do not take an empty one. */
const WORKSTATION = "WORKSTATION";
/** Longest message that is read, in bytes: domains with long names stay far below. */
const MAX_BYTES = 16 * 1024;
/** Ids of what a server says of itself ([MS-NLMP] 2.2.2.1). */
const END_OF_LIST = 0;
const TIMESTAMP = 7;
/** From 1601 to 1970, in tenths of microseconds. */
const EPOCH = 116_444_736_000_000_000n;

/** The NEGOTIATE_MESSAGE, which says nothing of who we are. Base64. */
export function negotiateMessage(): string {
  const message = new Uint8Array(32);
  message.set(SIGNATURE);
  const view = new DataView(message.buffer);
  view.setUint32(8, 1, true);
  view.setUint32(12, FLAGS, true);
  return base64(message);
}

export interface NtlmChallenge {
  readonly flags: number;
  readonly serverChallenge: Uint8Array;
  readonly targetInfo: Uint8Array;
  /** Tenths of microseconds since 1601; null when the server does not tell. */
  readonly time: bigint | null;
}

/** The CHALLENGE_MESSAGE; null when it is malformed, or of a server that knows no version 2. */
export function readChallengeMessage(token: string): NtlmChallenge | null {
  const bytes = fromBase64(token);
  if (bytes === null || bytes.length < 48 || bytes.length > MAX_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (SIGNATURE.some((byte, at) => bytes[at] !== byte) || view.getUint32(8, true) !== 2) return null;
  const flags = view.getUint32(20, true);
  if ((flags & UNICODE) === 0) return null;
  const length = view.getUint16(40, true);
  const offset = view.getUint32(44, true);
  if (length === 0 || offset < 48 || offset + length > bytes.length) return null;
  const targetInfo = bytes.slice(offset, offset + length);
  const time = timeOf(targetInfo);
  if (time === "malformed") return null;
  return { flags, serverChallenge: bytes.slice(24, 32), targetInfo, time };
}

function timeOf(targetInfo: Uint8Array): bigint | null | "malformed" {
  const view = new DataView(targetInfo.buffer, targetInfo.byteOffset, targetInfo.byteLength);
  let time: bigint | null = null;
  for (let at = 0; at + 4 <= targetInfo.length;) {
    const id = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (id === END_OF_LIST) return time;
    if (at + 4 + length > targetInfo.length) return "malformed";
    if (id === TIMESTAMP) {
      if (length !== 8) return "malformed";
      time = view.getBigUint64(at + 4, true);
    }
    at += 4 + length;
  }
  return "malformed";
}

/** Who we are. */
export interface NtlmLogin {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

/**
 * The AUTHENTICATE_MESSAGE, base64.
 *
 * @param wallMs milliseconds since 1970
 * @param clientChallenge eight bytes; default: random ones
 */
export function authenticateMessage(
  digests: Digests,
  { user, domain, password }: NtlmLogin,
  challenge: NtlmChallenge,
  wallMs: number,
  clientChallenge: Uint8Array = crypto.getRandomValues(new Uint8Array(8)),
): string {
  const { serverChallenge, targetInfo } = challenge;
  const { nt, lm } = proofs(digests, passwordKey(digests, user, domain, password), {
    serverChallenge,
    clientChallenge,
    time: challenge.time ?? BigInt(Math.floor(wallMs)) * 10_000n + EPOCH,
    targetInfo,
    serverTime: challenge.time !== null,
  });
  const parts = [lm, nt, utf16(domain), utf16(user), utf16(WORKSTATION), new Uint8Array(0)];
  const head = new Uint8Array(64);
  head.set(SIGNATURE);
  const view = new DataView(head.buffer);
  view.setUint32(8, 3, true);
  let offset = head.length;
  for (const [index, { length }] of parts.entries()) {
    view.setUint16(12 + index * 8, length, true);
    view.setUint16(14 + index * 8, length, true);
    view.setUint32(16 + index * 8, offset, true);
    offset += length;
  }
  view.setUint32(60, (FLAGS & challenge.flags) >>> 0, true);
  return base64(joined([head, ...parts]));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: string): Uint8Array | null {
  if (text.length > 2 * MAX_BYTES) return null;
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
