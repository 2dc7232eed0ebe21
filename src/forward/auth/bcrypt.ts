/**
 * bcrypt (N. Provos and D. Mazières, "A Future-Adaptable Password Scheme", 1999). Written here because it must be done in
 * small steps: a package that works through it in pieces of 100 ms stops all traffic for as long.
 */

import { digitsOfPi } from "./digits_of_pi.ts";

/** Bytes of a password that count, the final NUL among them. */
const MAX_KEY = 72;
const SUBKEYS = 18;
const BOX_WORDS = 1024;
/** "OrpheanBeholderScryDoubt" */
const PLAIN_TEXT = [0x4f727068, 0x65616e42, 0x65686f6c, 0x64657253, 0x63727944, 0x6f756274];
/** The last byte of the cipher text has never been kept. */
const HASH_BYTES = 23;

/**
 * The hash of a password. What follows byte 72 does not count, as everywhere.
 *
 * Yields every 0.1 ms or so.
 *
 * @param password without NUL
 * @param salt 16 bytes
 * @param cost 4 to 31: doubles the time each; 10 takes a tenth of a second
 * @returns 23 bytes
 */
export function* bcrypt(password: Uint8Array, salt: Uint8Array, cost: number): Generator<void, Uint8Array> {
  const key = new Uint8Array(Math.min(password.length + 1, MAX_KEY));
  key.set(password.subarray(0, MAX_KEY));
  const keyWords = cyclicWords(key);
  const saltWords = cyclicWords(salt);
  const cipher = new Blowfish();
  cipher.expand(keyWords, saltWords);
  for (let round = 2 ** cost; round > 0; round--) {
    yield;
    cipher.expand(keyWords, null);
    cipher.expand(saltWords, null);
  }
  const text = Int32Array.from(PLAIN_TEXT);
  for (let at = 0; at < text.length; at += 2) {
    for (let times = 0; times < 64; times++) cipher.encrypt(text, at);
  }
  const bytes = new Uint8Array(HASH_BYTES);
  bytes.forEach((_, at) => bytes[at] = (text[at >> 2] as number) >>> (24 - 8 * (at & 3)));
  return bytes;
}

/** As many big-endian words as there are subkeys, of bytes that repeat. */
function cyclicWords(bytes: Uint8Array): Int32Array {
  return Int32Array.from({ length: SUBKEYS }, (_, word) => {
    let value = 0;
    for (let at = 4 * word; at < 4 * word + 4; at++) {
      value = value << 8 | (bytes[at % bytes.length] as number);
    }
    return value;
  });
}

class Blowfish {
  readonly #subkeys: Int32Array;
  readonly #boxes: Int32Array;
  readonly #block = new Int32Array(2);

  constructor() {
    const words = digitsOfPi();
    this.#subkeys = words.slice(0, SUBKEYS);
    this.#boxes = words.slice(SUBKEYS);
  }

  /** Mixes a key in; with a salt, whose first four words count, the salt as well. */
  expand(key: Int32Array, salt: Int32Array | null): void {
    const subkeys = this.#subkeys;
    for (let i = 0; i < SUBKEYS; i++) subkeys[i] = (subkeys[i] as number) ^ (key[i] as number);
    this.#block.fill(0);
    const used = this.#refill(subkeys, SUBKEYS, salt, 0);
    this.#refill(this.#boxes, BOX_WORDS, salt, used);
  }

  /** @returns where in the salt to go on */
  #refill(words: Int32Array, count: number, salt: Int32Array | null, from: number): number {
    const block = this.#block;
    let used = from;
    for (let i = 0; i < count; i += 2) {
      if (salt !== null) {
        block[0] = (block[0] as number) ^ (salt[used] as number);
        block[1] = (block[1] as number) ^ (salt[used + 1] as number);
        used = used + 2 & 3;
      }
      this.encrypt(block, 0);
      words[i] = block[0] as number;
      words[i + 1] = block[1] as number;
    }
    return used;
  }

  /** Encrypts the two words at `at`. */
  encrypt(block: Int32Array, at: number): void {
    const subkeys = this.#subkeys;
    const boxes = this.#boxes;
    let left = (block[at] as number) ^ (subkeys[0] as number);
    let right = block[at + 1] as number;
    for (let i = 1; i < SUBKEYS - 1; i += 2) {
      right ^= ((((boxes[left >>> 24] as number) + (boxes[256 + (left >>> 16 & 0xff)] as number)) ^
        (boxes[512 + (left >>> 8 & 0xff)] as number)) + (boxes[768 + (left & 0xff)] as number)) ^
        (subkeys[i] as number);
      left ^= ((((boxes[right >>> 24] as number) + (boxes[256 + (right >>> 16 & 0xff)] as number)) ^
        (boxes[512 + (right >>> 8 & 0xff)] as number)) + (boxes[768 + (right & 0xff)] as number)) ^
        (subkeys[i + 1] as number);
    }
    block[at] = right ^ (subkeys[SUBKEYS - 1] as number);
    block[at + 1] = left;
  }
}
