/**
 * Slows down guessing: a bucket of failures for each key (an address, a user). No user is locked out: the right password
 * is right at any time.
 */

/** Failures that cost nothing. */
const BURST = 5;
/** One more after this time in milliseconds. Also the longest delay. */
const REFILL_MS = 1000;

interface Bucket {
  /** Failures that are left, with fractions, at that time. */
  readonly left: number;
  readonly atMs: number;
}

export class GuessLimit {
  readonly #buckets = new Map<string, Bucket>();
  readonly #capacity: number;

  /** @param capacity most keys; the one that has not failed for longest is forgotten */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Counts a failure. Returns by how much its answer is to be delayed, in milliseconds, 0 to 1000. */
  failed(key: string, nowMs: number): number {
    const before = this.#buckets.get(key) ?? { left: BURST, atMs: nowMs };
    const left = Math.min(BURST, before.left + Math.max(0, nowMs - before.atMs) / REFILL_MS);
    const isFree = left >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: isFree ? left - 1 : left, atMs: nowMs });
    this.#forget(nowMs);
    return isFree ? 0 : Math.ceil((1 - left) * REFILL_MS);
  }

  /** Those of the beginning have not failed for longest: full buckets go, and what is too much. */
  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#buckets) {
      if (this.#buckets.size <= this.#capacity && nowMs - atMs < BURST * REFILL_MS) return;
      this.#buckets.delete(key);
    }
  }
}
