/**
 * Long calculations in slices, so that traffic goes on between them: at most two milliseconds in a turn of the loop. Few
 * run at a time; the sources of those that wait take turns, so that one with many does not keep the others waiting.
 */

import type { Clock } from "../../../runtime/contract/contract.ts";

/** Longest slice, in milliseconds, plus one step of the calculation. */
const SLICE_MS = 2;
/** How many take turns. */
const MAX_RUNNING = 2;
/** How many wait or run, of all sources and of one. */
const MAX_ALL = 512;
const MAX_OF_SOURCE = 64;

interface Task {
  readonly source: string;
  /** One step; true when it was the last. */
  step(): boolean;
}

export class SlicedWork {
  readonly #clock: Clock;
  #running: Task[] = [];
  /** By source; the one whose turn it is comes first. */
  readonly #waiting = new Map<string, Task[]>();
  /** How many wait or run, by source and in all. */
  readonly #bySource = new Map<string, number>();
  #size = 0;
  #isSet = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many wait or run. */
  get size(): number {
    return this.#size;
  }

  /**
   * Works through a calculation.
   *
   * @param source the client that the work is for
   * @param work each step takes 0.1 ms or so
   * @returns null when there is no room. Rejects when the work throws.
   */
  run<T>(source: string, work: Generator<void, T>): Promise<T> | null {
    const ofSource = this.#bySource.get(source) ?? 0;
    if (this.#size >= MAX_ALL || ofSource >= MAX_OF_SOURCE) return null;
    return new Promise((resolve, reject) => {
      this.#begin({
        source,
        step() {
          try {
            const result = work.next();
            if (result.done === true) resolve(result.value);
            return result.done === true;
          } catch (error) {
            reject(error);
            return true;
          }
        },
      });
    });
  }

  #begin(task: Task): void {
    const { source } = task;
    this.#size++;
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1);
    const others = this.#waiting.get(source);
    if (others === undefined) this.#waiting.set(source, [task]);
    else others.push(task);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isSet || this.#size === 0) return;
    this.#isSet = true;
    this.#clock.setTimer(0, () => {
      this.#isSet = false;
      this.#slice();
      this.#schedule();
    });
  }

  #slice(): void {
    const end = this.#clock.now() + SLICE_MS;
    do {
      while (this.#running.length < MAX_RUNNING && this.#startNext());
      for (const task of [...this.#running]) if (task.step()) this.#ended(task);
    } while (this.#size > 0 && this.#clock.now() < end);
  }

  /** False when no caller waits. */
  #startNext(): boolean {
    for (const [source, [task, ...others]] of this.#waiting) {
      // Behind all others.
      this.#waiting.delete(source);
      if (others.length > 0) this.#waiting.set(source, others);
      if (task !== undefined) this.#running.push(task);
      return true;
    }
    return false;
  }

  #ended(task: Task): void {
    this.#running = this.#running.filter((other) => other !== task);
    this.#size--;
    const left = (this.#bySource.get(task.source) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(task.source);
    else this.#bySource.set(task.source, left);
  }
}
