/** SHA-crypt (U. Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6): `$5$` and `$6$`. */

import type { Digests } from "../../../runtime/contract/contract.ts";
import { cryptText } from "./crypt_text.ts";
import { joined, repeated, utf8 } from "./secret_bytes.ts";

export type ShaName = "sha256" | "sha512";

/** Rounds without a word about them. */
export const DEFAULT_ROUNDS = 5000;
/** Rounds between two yields: some 0.1 ms. */
const STEP = 50;

const ORDERS: Readonly<Record<ShaName, readonly (readonly number[])[]>> = {
  sha256: [...turned(10, [0, 10, 20], [2, 0, 1]), [31, 30]],
  sha512: [...turned(21, [0, 21, 42], [1, 2, 0]), [63]],
};

/** `count` groups: each the one before with one added to all, and turned round: the byte at `turn[i]` comes to `i`. */
function turned(count: number, first: readonly number[], turn: readonly number[]): number[][] {
  const groups: number[][] = [];
  let group = [...first];
  for (let i = 0; i < count; i++) {
    groups.push(group);
    group = turn.map((from) => (group[from] as number) + 1);
  }
  return groups;
}

/**
 * The 43 or 86 characters after the salt. 5,000 rounds take ten milliseconds or so.
 *
 * @param salt up to 16 characters
 */
export function* shaCrypt(
  name: ShaName,
  password: Uint8Array,
  salt: string,
  rounds: number,
  digests: Digests,
): Generator<void, string> {
  const hash = (...parts: Uint8Array[]): Uint8Array => digests.digest(name, joined(parts));
  const saltBytes = utf8(salt);
  const inner = hash(password, saltBytes, password);
  const parts = [password, saltBytes, repeated(inner, password.length)];
  for (let bits = password.length; bits > 0; bits >>>= 1) {
    parts.push((bits & 1) !== 0 ? inner : password);
  }
  let state = hash(...parts);
  const passwordHash = hash(repeated(password, password.length ** 2));
  const passwordBytes = repeated(passwordHash, password.length);
  const saltHash = hash(repeated(saltBytes, saltBytes.length * (16 + (state[0] as number))));
  const saltPart = repeated(saltHash, saltBytes.length);
  for (let round = 0; round < rounds; round++) {
    if (round % STEP === 0) yield;
    const isOdd = (round & 1) !== 0;
    state = hash(
      isOdd ? passwordBytes : state,
      ...(round % 3 === 0 ? [] : [saltPart]),
      ...(round % 7 === 0 ? [] : [passwordBytes]),
      isOdd ? state : passwordBytes,
    );
  }
  return cryptText(state, ORDERS[name]);
}
