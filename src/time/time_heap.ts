/** Things that are due at some time each, the one that is due first in front. */

interface Entry<T> {
  readonly item: T;
  at: number;
  index: number;
}

/** A binary heap; every change takes steps in proportion to the logarithm of the number of items. */
export class TimeHeap<T> {
  readonly #entries = new Map<T, Entry<T>>();
  readonly #heap: Entry<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** What is due first; null when there is nothing. */
  get first(): T | null {
    return this.#heap[0]?.item ?? null;
  }

  /** When it is due; Infinity when there is nothing. */
  get firstAt(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  /** `item` is due at `at`, whether or not it was there before. */
  set(item: T, at: number): void {
    let entry = this.#entries.get(item);
    if (entry === undefined) {
      entry = { item, at, index: this.#heap.length };
      this.#entries.set(item, entry);
      this.#heap.push(entry);
    }
    entry.at = at;
    this.#rise(entry);
    this.#sink(entry);
  }

  delete(item: T): void {
    const entry = this.#entries.get(item);
    if (entry === undefined) return;
    this.#entries.delete(item);
    const last = this.#heap.pop() as Entry<T>;
    if (last === entry) return;
    last.index = entry.index;
    this.#heap[last.index] = last;
    this.#rise(last);
    this.#sink(last);
  }

  clear(): void {
    this.#entries.clear();
    this.#heap.length = 0;
  }

  #rise(entry: Entry<T>): void {
    const heap = this.#heap;
    while (entry.index > 0) {
      const above = heap[(entry.index - 1) >> 1] as Entry<T>;
      if (above.at <= entry.at) return;
      this.#swap(entry, above);
    }
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap;
    for (;;) {
      const left = heap[2 * entry.index + 1];
      const right = heap[2 * entry.index + 2];
      const below = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (below === undefined || entry.at <= below.at) return;
      this.#swap(entry, below);
    }
  }

  #swap(a: Entry<T>, b: Entry<T>): void {
    const at = a.index;
    a.index = b.index;
    b.index = at;
    this.#heap[a.index] = a;
    this.#heap[b.index] = b;
  }
}
