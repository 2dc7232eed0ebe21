/** Chance from a seed. */

/** Small, seedable and good enough for fuzzing (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to `below - 1`. */
  next(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  /** From 0 to 1, 1 excluded. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** True once in `outOf`. */
  once(outOf: number): boolean {
    return this.next(outOf) === 0;
  }

  /** An integer from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.next(to - from + 1);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.next(items.length)] as T;
  }

  /** Often nothing or little, sometimes up to `most`. */
  size(most: number): number {
    switch (this.next(8)) {
      case 0:
        return 0;
      case 1:
        return this.next(most + 1);
      case 2:
        return this.next(Math.min(most, 4000) + 1);
      default:
        return this.next(Math.min(most, 200) + 1);
    }
  }
}

/** A seed that depends on both numbers. */
export function mixedSeed(seed: number, index: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)) >>> 0;
}
