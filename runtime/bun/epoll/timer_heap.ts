/**
 * Timers by the time they are due: a binary heap that a timer can be taken out of. Unlike `src/time/time_heap.ts` it
 * keeps the order of timers that are due at the same time, and adapters know nothing of `src/`.
 */

export class TimerHeap {
  readonly #heap: HeapTimer[] = [];

  /** When the next one is due, in milliseconds of performance.now(); Infinity when there is none. */
  get next(): number {
    return this.#heap[0]?.due ?? Infinity;
  }

  add(timer: HeapTimer): void {
    this.#heap.push(timer);
    timer.place = this.#heap.length - 1;
    this.#rise(timer);
  }

  /** Nothing when it is not in the heap. */
  remove(timer: HeapTimer): void {
    const { place } = timer;
    if (place < 0) return;
    timer.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  /**
   * Fires what is due, earliest first. What is set meanwhile, due no earlier than `now`, is left for the next time.
   */
  fire(now: number): void {
    const made = timersMade;
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.due > now || first.number >= made) return;
      this.remove(first);
      first.fire();
    }
  }

  #rise(timer: HeapTimer): void {
    while (timer.place > 0) {
      const parent = this.#heap[(timer.place - 1) >> 1] as HeapTimer;
      if (!before(timer, parent)) return;
      this.#swap(timer, parent);
    }
  }

  #sink(timer: HeapTimer): void {
    for (;;) {
      const left = this.#heap[2 * timer.place + 1];
      const right = this.#heap[2 * timer.place + 2];
      const child = right !== undefined && left !== undefined && before(right, left) ? right : left;
      if (child === undefined || !before(child, timer)) return;
      this.#swap(timer, child);
    }
  }

  #swap(one: HeapTimer, other: HeapTimer): void {
    const { place } = one;
    this.#put(one, other.place);
    this.#put(other, place);
  }

  #put(timer: HeapTimer, place: number): void {
    this.#heap[place] = timer;
    timer.place = place;
  }
}

let timersMade = 0;

export abstract class HeapTimer {
  /** Milliseconds of performance.now(). */
  readonly due: number;
  /** Timers that are due at the same time fire in the order in which they were made. */
  readonly number = timersMade++;
  /** Where it is in the heap, -1 when it is not. For `TimerHeap` only. */
  place = -1;

  constructor(due: number) {
    this.due = due;
  }

  abstract fire(): void;
}

function before(one: HeapTimer, other: HeapTimer): boolean {
  return one.due < other.due || one.due === other.due && one.number < other.number;
}
