/**
 * A clock that stands still until a test moves it. Timers fire inside `advance`, ordered by due time and
 * then by the order they were set in, so a test never sleeps and a run is the same every time.
 */
import type { Clock, Timer } from "../../runtime/contract/contract.ts";

/** More timers than this in one `advance` means that one re-arms itself without moving on. */
const maxTimersPerAdvance = 1_000_000;

class FakeTimer implements Timer {
  readonly at: number;
  readonly order: number;
  readonly background: boolean;
  readonly #clock: FakeClock;
  #fire: (() => void) | null;

  constructor(clock: FakeClock, at: number, order: number, background: boolean, fire: () => void) {
    this.#clock = clock;
    this.at = at;
    this.order = order;
    this.background = background;
    this.#fire = fire;
  }

  get pending(): boolean {
    return this.#fire !== null;
  }

  cancel(): void {
    if (this.#fire === null) return;
    this.#fire = null;
    this.#clock.forget(this);
  }

  fire(): void {
    const fire = this.#fire;
    this.#fire = null;
    fire?.();
  }
}

export class FakeClock implements Clock {
  #nowMs: number;
  readonly #wallOffsetMs: number;
  #order = 0;
  /** Sorted: the next one to fire is last. */
  #timers: FakeTimer[] = [];

  /**
   * @param startMs first value of `now`; not 0, so that a forgotten field shows
   * @param wallMs wall-clock time at the start; the default is the date in RFC 9110's examples
   */
  constructor(startMs = 1000, wallMs = Date.UTC(1994, 10, 6, 8, 49, 37)) {
    this.#nowMs = startMs;
    this.#wallOffsetMs = wallMs - startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  setTimer(ms: number, fire: () => void, background = false): Timer {
    if (!Number.isFinite(ms)) throw new RangeError(`a timer needs a finite time, not ${ms}`);
    const timer = new FakeTimer(this, this.#nowMs + Math.max(0, ms), this.#order++, background, fire);
    // Mostly far-off deadlines come last in time, so the search starts at the far end.
    let i = 0;
    while (i < this.#timers.length) {
      const other = this.#timers[i];
      if (other === undefined || other.at <= timer.at) break;
      i++;
    }
    this.#timers.splice(i, 0, timer);
    return timer;
  }

  /** Timers neither fired nor cancelled. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Like `pendingTimers`, without those set with `background`. */
  get pendingForegroundTimers(): number {
    let count = 0;
    for (const timer of this.#timers) if (!timer.background) count++;
    return count;
  }

  /** When the next timer is due, as a value of `now`; null when none is set. */
  get nextTimerAt(): number | null {
    return this.#timers.at(-1)?.at ?? null;
  }

  /**
   * Fires the next timer if it is due by `untilMs` (a value of `now`), after moving the clock to it.
   * @returns whether one fired
   */
  fireNext(untilMs: number = this.#nowMs): boolean {
    const timer = this.#timers.at(-1);
    if (timer === undefined || timer.at > untilMs) return false;
    this.#timers.pop();
    this.#nowMs = Math.max(this.#nowMs, timer.at);
    timer.fire();
    return true;
  }

  /** Moves the clock, firing what becomes due on the way, also timers set meanwhile. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (let fired = 0; this.fireNext(until); fired++) {
      if (fired >= maxTimersPerAdvance) throw new Error("a timer re-arms itself without end");
    }
    this.#nowMs = Math.max(this.#nowMs, until);
  }

  /** Nothing has run for so long: then all timers that are due fire at once. */
  sleep(ms: number): void {
    this.#nowMs += ms;
    this.advance(0);
  }

  /** Only for the timers of this clock. */
  forget(timer: FakeTimer): void {
    const i = this.#timers.indexOf(timer);
    if (i >= 0) this.#timers.splice(i, 1);
  }
}
