/** Numbers from 0 up to a size that is known from the start; each is in or out. */

/** Bits of one word, in powers of two. */
const SHIFT = 5;

/**
 * A bit for each number, and above them a bit for each word that is not empty, and so on up to a single
 * word: every call takes as many steps as there are levels, four for a million numbers.
 */
export class PositionSet {
  readonly #levels: Int32Array[] = [];

  /** @param size how many numbers there are; all are in */
  constructor(size: number) {
    let count = size;
    do {
      const words = new Int32Array((count + 31) >>> SHIFT);
      for (let i = 0; i < count >>> SHIFT; i++) words[i] = -1;
      if ((count & 31) !== 0) words[count >>> SHIFT] = (1 << (count & 31)) - 1;
      this.#levels.push(words);
      count = words.length;
    } while (count > 1);
  }

  add(position: number): void {
    let at = position;
    for (const words of this.#levels) {
      const word = at >>> SHIFT;
      const before = words[word] as number;
      words[word] = before | (1 << (at & 31));
      if (before !== 0) return;
      at = word;
    }
  }

  remove(position: number): void {
    let at = position;
    for (const words of this.#levels) {
      const word = at >>> SHIFT;
      const after = (words[word] as number) & ~(1 << (at & 31));
      words[word] = after;
      if (after !== 0) return;
      at = word;
    }
  }

  /** The smallest number that is in and at least `from`, or -1. */
  next(from: number): number {
    const levels = this.#levels;
    let level = 0;
    let at = from;
    for (;; level++) {
      const words = levels[level];
      const word = at >>> SHIFT;
      if (words === undefined || word >= words.length) return -1;
      const bits = (words[word] as number) & (-1 << (at & 31));
      if (bits !== 0) {
        at = (word << SHIFT) | lowestBit(bits);
        break;
      }
      at = word + 1;
    }
    while (level > 0) at = (at << SHIFT) | lowestBit((levels[--level] as Int32Array)[at] as number);
    return at;
  }
}

/** @param bits not 0 */
function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
