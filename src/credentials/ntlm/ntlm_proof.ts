/**
 * What proves a password in NTLM version 2 ([MS-NLMP] 3.3.2). Keys for signing and sealing are left out: HTTP uses neither.
 */

import type { Digests } from "../../../runtime/contract/contract.ts";
import { joined } from "../../forward/auth/secret_bytes.ts";
import { md4 } from "./md4.ts";

const BLOCK = 64;

/** HMAC-MD5 (RFC 2104), 16 bytes. */
export function hmacMd5(digests: Digests, key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(BLOCK);
  padded.set(key.length > BLOCK ? digests.digest("md5", key) : key);
  const inner = digests.digest("md5", joined([padded.map((byte) => byte ^ 0x36), bytes]));
  return digests.digest("md5", joined([padded.map((byte) => byte ^ 0x5c), inner]));
}

/** Little-endian UTF-16, as all texts of NTLM are. */
export function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), true);
  return bytes;
}

/** NTOWFv2 ([MS-NLMP] 3.3.2): the key that a password comes to. */
export function passwordKey(digests: Digests, user: string, domain: string, password: string): Uint8Array {
  return hmacMd5(digests, md4(utf16(password)), utf16(user.toUpperCase() + domain));
}

export interface ProofParts {
  /** Eight bytes of the server. */
  readonly serverChallenge: Uint8Array;
  /** Eight random bytes of ours. */
  readonly clientChallenge: Uint8Array;
  /** Tenths of microseconds since 1601. */
  readonly time: bigint;
  /** What the server says of itself, as it stands there. */
  readonly targetInfo: Uint8Array;
  /** The server has told the time: then the older of the two proofs must be empty. */
  readonly serverTime: boolean;
}

export interface Proofs {
  readonly nt: Uint8Array;
  readonly lm: Uint8Array;
}

export function proofs(digests: Digests, key: Uint8Array, parts: ProofParts): Proofs {
  const { serverChallenge, clientChallenge, time, targetInfo, serverTime } = parts;
  const head = new Uint8Array(28);
  head.set([1, 1]);
  new DataView(head.buffer).setBigUint64(8, time, true);
  head.set(clientChallenge, 16);
  const blob = joined([head, targetInfo, new Uint8Array(4)]);
  const nt = joined([hmacMd5(digests, key, joined([serverChallenge, blob])), blob]);
  const lm = serverTime
    ? new Uint8Array(24)
    : joined([hmacMd5(digests, key, joined([serverChallenge, clientChallenge])), clientChallenge]);
  return { nt, lm };
}
