/**
 * Test data whose every byte tells where it belongs: a random block of prime length, over and over.
 * Lost, doubled or swapped bytes shift what follows and are seen, unless exactly a multiple of the
 * block went missing, which no buffer size in use is.
 */
import { Buffer } from "node:buffer";

const BLOCK_BYTES = 65_521;

/** Seeded random numbers (mulberry32): same seed, same run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * limit);
  }
}

export class Pattern {
  /** The block twice, so that every piece up to its length is one view. */
  readonly #block = new Uint8Array(2 * BLOCK_BYTES);

  constructor(seed: number) {
    const random = new Random(seed);
    for (let i = 0; i < BLOCK_BYTES; i++) this.#block[i] = random.below(256);
    this.#block.copyWithin(BLOCK_BYTES, 0, BLOCK_BYTES);
  }

  /** Bytes `[offset, offset + length)` of the endless pattern, `length` up to 65,521; do not modify. */
  view(offset: number, length: number): Uint8Array {
    const from = offset % BLOCK_BYTES;
    return this.#block.subarray(from, from + Math.min(length, BLOCK_BYTES));
  }

  /** A copy of any length. */
  bytes(offset: number, length: number): Uint8Array {
    const copy = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const piece = this.view(offset + done, length - done);
      copy.set(piece, done);
      done += piece.length;
    }
    return copy;
  }

  /** Index of the first byte of `bytes` that is not the pattern's from `offset` on, or -1. */
  mismatch(bytes: Uint8Array, offset: number): number {
    for (let done = 0; done < bytes.length;) {
      const expected = this.view(offset + done, bytes.length - done);
      const actual = bytes.subarray(done, done + expected.length);
      if (!equal(actual, expected)) {
        for (let i = 0; i < actual.length; i++) if (actual[i] !== expected[i]) return done + i;
      }
      done += expected.length;
    }
    return -1;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
