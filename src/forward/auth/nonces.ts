/**
 * Nonces of the Digest scheme (RFC 7616 §3.3): nothing is kept of one before it was used with the right password, and each
 * process that has the key accepts those of all others.
 *
 * A nonce is a time, a random number, and an HMAC of both. Each count of uses (`nc`) may come once. Connections overtake each
 * other, so the last 32 are told apart; what is older counts as used. What has been forgotten for want of room, or was made
 * before this process began, is stale: the client is given another nonce, and nobody is asked for a password.
 */

import type { Digests } from "../../../runtime/contract/contract.ts";
import { joined, sameBytes } from "./secret_bytes.ts";

const LIFETIME_MS = 300_000;
/** Clocks of processes of one machine are one, but may be set. */
const AHEAD_MS = 5000;
/** Nonces whose uses are remembered. */
const REMEMBERED = 10_000;
/** Uses that are told apart, before the one with the highest count. */
const WINDOW = 32;

const TIME_BYTES = 6;
const RANDOM_BYTES = 10;
const MAC_BYTES = 16;

interface Uses {
  readonly issuedAt: number;
  highest: number;
  /** Bit n: the count `highest - n` has been used. */
  bits: number;
}

export class Nonces {
  readonly #key: Uint8Array;
  readonly #digests: Digests;
  readonly #uses = new Map<string, Uses>();
  /** Wall-clock milliseconds: nonces that are not younger are stale. */
  #floor: number;

  /** @param now wall-clock milliseconds */
  constructor(key: Uint8Array, digests: Digests, now: number) {
    this.#key = key;
    this.#digests = digests;
    this.#floor = now - 1;
  }

  /** @param now wall-clock milliseconds */
  make(now: number): string {
    const stamp = new Uint8Array(TIME_BYTES + RANDOM_BYTES);
    crypto.getRandomValues(stamp);
    let rest = now;
    for (let at = TIME_BYTES - 1; at >= 0; at--) {
      stamp[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return hex(joined([stamp, this.#macOf(stamp)]));
  }

  /**
   * Whether it is one of ours. Says nothing of its age.
   *
   * @returns when it was made, wall-clock milliseconds; null when it was not
   */
  issuedAt(nonce: string): number | null {
    const bytes = fromHex(nonce, TIME_BYTES + RANDOM_BYTES + MAC_BYTES);
    if (bytes === null) return null;
    const stamp = bytes.slice(0, TIME_BYTES + RANDOM_BYTES);
    if (!sameBytes(bytes.slice(stamp.length), this.#macOf(stamp))) return null;
    return stamp.slice(0, TIME_BYTES).reduce((time, byte) => time * 256 + byte, 0);
  }

  /**
   * Uses it. To be called once the password is known to be right.
   *
   * @param issuedAt as `issuedAt` gives it
   * @param count of uses, from 1
   * @param now wall-clock milliseconds
   * @returns false when it is stale, or was used with this count
   */
  use(nonce: string, issuedAt: number, count: number, now: number): boolean {
    if (count < 1 || issuedAt <= this.#floor || issuedAt > now + AHEAD_MS || now - issuedAt > LIFETIME_MS) {
      return false;
    }
    const uses = this.#uses.get(nonce);
    if (uses !== undefined) return useAgain(uses, count);
    this.#uses.set(nonce, { issuedAt, highest: count, bits: 1 });
    if (this.#uses.size > REMEMBERED) this.#forgetOldest();
    return true;
  }

  #forgetOldest(): void {
    for (const [nonce, { issuedAt }] of this.#uses) {
      this.#uses.delete(nonce);
      this.#floor = Math.max(this.#floor, issuedAt);
      return;
    }
  }

  #macOf(stamp: Uint8Array): Uint8Array {
    return this.#digests.hmacSha256(this.#key, stamp).slice(0, MAC_BYTES);
  }
}

function useAgain(uses: Uses, count: number): boolean {
  const ahead = count - uses.highest;
  if (ahead > 0) {
    uses.bits = ahead >= WINDOW ? 1 : (uses.bits << ahead) | 1;
    uses.highest = count;
    return true;
  }
  if (-ahead >= WINDOW) return false;
  const bit = 1 << -ahead;
  if ((uses.bits & bit) !== 0) return false;
  uses.bits |= bit;
  return true;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Null unless it is `length` bytes in lower-case hexadecimal. */
function fromHex(text: string, length: number): Uint8Array | null {
  if (text.length !== 2 * length || !/^[0-9a-f]*$/.test(text)) return null;
  return Uint8Array.from({ length }, (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16));
}
