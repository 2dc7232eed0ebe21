/**
 * Deadlines as numbers on objects, swept by one platform timer.
 *
 * Setting a deadline is a field write (plus a list move when it comes closer), so nothing is armed or
 * cleared per request. Precision: a deadline fires up to `TICK_MS` late, never early.
 *
 * A process that has stood still (stopped, short of CPU, its machine asleep) has not read what came meanwhile,
 * perhaps in time. So a sweep that comes late lets the platform tell its other events first.
 */

import type { Clock, Timer } from "../../runtime/contract/contract.ts";

/** Granularity of all deadlines, in milliseconds. */
export const TICK_MS = 50;
/** Slots of the wheel; deadlines farther than `SLOTS * TICK_MS` (about 102 s) are looked at again in between. */
const SLOTS = 2048;

/** A sweep that is later than this tells of a standstill. */
const LATE_MS = TICK_MS;
/** It is put off by as long as it is late, for as much has piled up; but by no more than this. */
const LONGEST_PUT_OFF_MS = 500;
/** How often in a row that may happen: a loop that is always busy has deadlines too. */
const MOST_PUT_OFF = 4;

/** Something with one deadline. Extend it, and give it to a `DeadlineQueue`. */
export abstract class Timed {
  /** Monotonic milliseconds; Infinity = none. Set it through `DeadlineQueue.set`. */
  deadlineAt = Infinity;
  /** Tick under which the queue has filed this object; -1 = not filed. Owned by the queue. */
  filedTick = -1;
  filedBefore: Timed | null = null;
  filedAfter: Timed | null = null;

  /** The deadline has passed; it is Infinity again during the call. */
  abstract expired(now: number): void;
}

/** A timing wheel that files lazily: a deadline moved further away is noticed when its old slot comes up. */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #slots: (Timed | null)[] = new Array<Timed | null>(SLOTS).fill(null);
  #filed = 0;
  #sweptTick: number;
  #timer: Timer | null = null;
  /** When the next sweep is due. */
  #dueAt = 0;
  /** How often it has been put off. */
  #putOff = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sweptTick = Math.floor(clock.now() / TICK_MS);
  }

  /** Objects under watch. */
  get size(): number {
    return this.#filed;
  }

  /** Sets the deadline of `item` to `at` (monotonic milliseconds; Infinity = none). */
  set(item: Timed, at: number): void {
    item.deadlineAt = at;
    if (item.filedTick >= 0) {
      // Later than filed, or none: the old slot finds out when it comes up.
      if (at >= item.filedTick * TICK_MS) return;
      this.#unlink(item);
    }
    if (at !== Infinity) this.#file(item);
  }

  /** Forgets `item` at once. */
  remove(item: Timed): void {
    item.deadlineAt = Infinity;
    if (item.filedTick >= 0) this.#unlink(item);
  }

  #file(item: Timed): void {
    if (this.#filed === 0) this.#sweptTick = Math.floor(this.#clock.now() / TICK_MS);
    const wanted = Math.ceil(item.deadlineAt / TICK_MS);
    const tick = Math.min(Math.max(wanted, this.#sweptTick + 1), this.#sweptTick + SLOTS - 1);
    const slot = tick % SLOTS;
    const first = this.#slots[slot] ?? null;
    item.filedTick = tick;
    item.filedBefore = null;
    item.filedAfter = first;
    if (first !== null) first.filedBefore = item;
    this.#slots[slot] = item;
    this.#filed++;
    if (this.#timer === null) this.#arm();
  }

  #unlink(item: Timed): void {
    if (item.filedBefore !== null) item.filedBefore.filedAfter = item.filedAfter;
    else this.#slots[item.filedTick % SLOTS] = item.filedAfter;
    if (item.filedAfter !== null) item.filedAfter.filedBefore = item.filedBefore;
    item.filedBefore = null;
    item.filedAfter = null;
    item.filedTick = -1;
    this.#filed--;
  }

  #arm(): void {
    const now = this.#clock.now();
    this.#sweepIn(Math.max(1, Math.ceil((this.#sweptTick + 1) * TICK_MS - now)), now);
  }

  #sweepIn(ms: number, now: number): void {
    this.#dueAt = now + ms;
    this.#timer = this.#clock.setTimer(ms, () => this.#sweep(), true);
  }

  #sweep(): void {
    this.#timer = null;
    const now = this.#clock.now();
    const late = now - this.#dueAt;
    if (late > LATE_MS && this.#putOff < MOST_PUT_OFF) {
      this.#putOff++;
      this.#sweepIn(Math.min(Math.ceil(late), LONGEST_PUT_OFF_MS), now);
      return;
    }
    this.#putOff = 0;
    const upTo = Math.floor(now / TICK_MS);
    // After a long stop of the process one round of the wheel visits every slot.
    if (upTo - this.#sweptTick > SLOTS) this.#sweptTick = upTo - SLOTS;
    let complete = true;
    try {
      while (this.#sweptTick < upTo) {
        this.#sweptTick++;
        complete = false;
        this.#sweepSlot(now);
        complete = true;
      }
    } finally {
      // An exception is a bug of one item; the others of its slot are for the next sweep.
      if (!complete) this.#sweptTick--;
      if (this.#filed > 0 && this.#timer === null) this.#arm();
    }
  }

  #sweepSlot(now: number): void {
    const slot = this.#sweptTick % SLOTS;
    // A handler may change the list: what is left of the slot is at its front.
    for (let item = this.#slots[slot] ?? null; item !== null; item = this.#slots[slot] ?? null) {
      this.#unlink(item);
      if (item.deadlineAt <= now) {
        item.deadlineAt = Infinity;
        item.expired(now);
      } else if (item.deadlineAt !== Infinity) {
        this.#file(item);
      }
    }
  }
}
