/**
 * What bytes meant that were seen before: heads and field sections, recognised by one comparison.
 *
 * A client repeats its fields from request to request, and often the whole head; endpoints repeat theirs within a
 * second. Comparing 600 bytes takes about 60 ns; scanning and decoding them, and picking out what is forwarded, a
 * microsecond. Equal bytes have equal meaning, so nothing is decided differently.
 *
 * One memo serves all connections of a codec: a fixed number of places, each with one entry of bounded size, chosen
 * by bytes near its beginning. Something takes a free place when it is seen the second time in a row there,
 * and an occupied one when what is there has been missed several times since it was last met.
 */

import { copyBytes } from "../bytes/copy.ts";
import { equalBytes } from "../bytes/equal.ts";

/** Places; a power of two. */
const PLACES = 128;
/** Longest entry. All places of a memo together hold 512 KiB of bytes at most, and a few times that of what they mean. */
const LONGEST_BYTES = 4096;
/**
 * All of the first bytes choose the place, where targets and hosts are, and of the following ever fewer. What comes
 * after an entry should not count, and how long that is is not known yet.
 */
const DENSE_BYTES = 24;
const LOOKED_AT_BYTES = 64;
/** Misses after which an entry that was met before gives up its place. */
const PATIENCE = 8;

interface Entry<Meaning> {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly meaning: Meaning;
  /** Misses that are left to it. */
  patience: number;
}

/** Entries say themselves where they end: none is the beginning of another. */
export class PrefixMemo<Meaning> {
  readonly #entries: (Entry<Meaning> | null)[] = new Array<Entry<Meaning> | null>(PLACES).fill(null);
  /** For a free place, the sum that was seen there last. */
  readonly #lastSum = new Int32Array(PLACES);
  /** After `find`: where that belongs which was looked for. */
  #place = 0;
  #sum = 0;
  /** The entry that was found last. */
  #last: Entry<Meaning> | null = null;
  /** The same, if it was found several times one after the other: it is tried before a place is looked for. */
  #again: Entry<Meaning> | null = null;
  /** After a successful `find`: length of the entry. */
  foundBytes = 0;

  /** The meaning of what `bytes[from, to)` begins with; null when it is not here. */
  find(bytes: Uint8Array, from: number, to: number): Meaning | null {
    const again = this.#again;
    if (again !== null && again.length <= to - from && equalBytes(again.bytes, again.length, bytes, from)) {
      again.patience = PATIENCE;
      this.foundBytes = again.length;
      return again.meaning;
    }
    this.#again = null;
    const sum = sumOf(bytes, from, to);
    const place = (sum ^ (sum >>> 8) ^ (sum >>> 16)) & (PLACES - 1);
    this.#place = place;
    this.#sum = sum;
    const entry = this.#entries[place] as Entry<Meaning> | null;
    if (entry === null) return null;
    const { length } = entry;
    if (length > to - from || !equalBytes(entry.bytes, length, bytes, from)) {
      entry.patience--;
      return null;
    }
    entry.patience = PATIENCE;
    if (entry === this.#last) this.#again = entry;
    this.#last = entry;
    this.foundBytes = length;
    return entry.meaning;
  }

  /** After a `find` that failed: whether the memo would `keep` what was looked for, `length` bytes. */
  wants(length: number): boolean {
    const place = this.#place;
    const entry = this.#entries[place] as Entry<Meaning> | null;
    if (length > LONGEST_BYTES) return false;
    if (entry !== null) return entry.patience < 0;
    const before = this.#lastSum[place];
    this.#lastSum[place] = this.#sum;
    return before === this.#sum;
  }

  /** After a `find` for `bytes[from, to)`, which the memo `wants` or has: `meaning` is theirs from now on. */
  keep(bytes: Uint8Array, from: number, to: number, meaning: Meaning): void {
    const length = to - from;
    const copy = new Uint8Array(length);
    copyBytes(bytes, from, to, copy, 0);
    this.#entries[this.#place] = { bytes: copy, length, meaning, patience: PATIENCE };
    // It may have been there with another meaning.
    this.#again = this.#last = null;
  }
}

function sumOf(bytes: Uint8Array, from: number, to: number): number {
  const dense = from + DENSE_BYTES < to ? from + DENSE_BYTES : to;
  const until = from + LOOKED_AT_BYTES < to ? from + LOOKED_AT_BYTES : to;
  let sum = 0;
  let p = from;
  // Four at a time: each step waits for the one before it.
  for (; p + 3 < dense; p += 4) {
    const four = (bytes[p] as number) | ((bytes[p + 1] as number) << 8) | ((bytes[p + 2] as number) << 16) |
      ((bytes[p + 3] as number) << 24);
    sum = (Math.imul(sum, 31) + four) | 0;
  }
  for (let step = 3; p < until; p += step, step++) sum = (Math.imul(sum, 31) + (bytes[p] as number)) | 0;
  return sum;
}
