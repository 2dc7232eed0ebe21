/** The MD5 scheme of Apache's htpasswd (`$apr1$`): that of FreeBSD's crypt(3) with another word in it. */

import type { Digests } from "../../../runtime/contract/contract.ts";
import { cryptText } from "./crypt_text.ts";
import { joined, repeated, utf8 } from "./secret_bytes.ts";

const ROUNDS = 1000;
/** Rounds between two yields: some 0.1 ms. */
const STEP = 50;

const ORDER = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5], [11]] as const;

/**
 * The 22 characters after the salt. Some milliseconds.
 *
 * @param salt up to 8 characters
 */
export function* apacheMd5(password: Uint8Array, salt: string, digests: Digests): Generator<void, string> {
  const md5 = (...parts: Uint8Array[]): Uint8Array => digests.digest("md5", joined(parts));
  const saltBytes = utf8(salt);
  let state = md5(password, saltBytes, password);
  const parts = [password, utf8("$apr1$"), saltBytes, repeated(state, password.length)];
  const nul = new Uint8Array(1);
  for (let bits = password.length; bits > 0; bits >>>= 1) {
    parts.push((bits & 1) !== 0 ? nul : password.subarray(0, 1));
  }
  state = md5(...parts);
  for (let round = 0; round < ROUNDS; round++) {
    if (round % STEP === 0) yield;
    const isOdd = (round & 1) !== 0;
    state = md5(
      isOdd ? password : state,
      ...(round % 3 === 0 ? [] : [saltBytes]),
      ...(round % 7 === 0 ? [] : [password]),
      isOdd ? state : password,
    );
  }
  return cryptText(state, ORDER);
}
