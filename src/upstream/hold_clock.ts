/**
 * How long a request may wait. All deadlines of the waiting room are decided here.
 *
 * An upstream is in one of three states, and each has its own time. Time in one state is not taken off the time
 * of another, so a request that may wait in the queue for minutes does not fail when an outage or a pause begins:
 *
 * | state    | a request waits for      | at most                                   | counted                                       |
 * |----------|--------------------------|-------------------------------------------|-----------------------------------------------|
 * | `open`   | a slot or a connection   | `queue.timeout`                           | time in this state since it entered the room  |
 * | `down`   | the return of an endpoint| `hold`                                    | time in this state over all its waits         |
 * | `paused` | the end of all pauses    | `hold`, 30 s at least                     | from the beginning of this pause, or its entry|
 *
 * - At the end of a pause the time for `down` begins anew: what was paused has often been restarted.
 * - `queue.timeout: 0` turns requests away when they arrive. One that has been let in for another reason (it was
 *   held, is to be sent again, or waits for a connection being opened) waits for a slot for `hold`, 30 s at least.
 * - `hold: 0`: the outcome of the dial under way decides. A dial may have to wait for a slot, so there is an end
 *   to that as well: `connect_timeout` and 30 s. When every endpoint is drained there is no dial, and no wait.
 */

import type { UpstreamSettings } from "./upstream_settings.ts";

/** Least time for which a paused upstream holds a request, however short `hold` is. Milliseconds. */
const LEAST_MS = 30_000;
/** With `queue.timeout: 0`: for a slot that another process has, and gives as soon as it is free. */
const HANDOVER_MS = 1000;

export type HoldState = "open" | "down" | "paused";

/** What the clock notes on a waiter; owned by the clock. Times are monotonic milliseconds. */
export interface TimedWait {
  /** When it entered the room last; -1 before. */
  enteredAt: number;
  /** `HoldClock.totalMs` then. */
  heldAtEntry: number;
  /** In the room: the count of outage from which its own is reckoned. Outside: its own so far, in milliseconds. */
  outage: number;
}

type Limits = Pick<UpstreamSettings, "holdMs" | "queueTimeoutMs" | "connectTimeoutMs">;

export class HoldClock {
  state: HoldState = "open";
  /** When it began. */
  #since = 0;
  /** Sums of the time in two states, up to `#since`. */
  #outageMs = 0;
  #pausedMs = 0;
  /** When the last pause ended, and the count of outage then. */
  #resumedAt = -Infinity;
  #outageAtResume = 0;
  /** Monotonic milliseconds; -1 = not told yet, or no request waits any more. */
  #toldAt = -1;

  /** No request can be served now. */
  get holding(): boolean {
    return this.state !== "open";
  }

  /** Monotonic count of milliseconds during which no request could be served. */
  totalMs(now: number): number {
    return this.#outageMs + this.#pausedMs + (this.holding ? now - this.#since : 0);
  }

  #outageAt(now: number): number {
    return this.#outageMs + (this.state === "down" ? now - this.#since : 0);
  }

  /** @returns true when that is a change */
  set(state: HoldState, now: number): boolean {
    if (state === this.state) return false;
    if (this.state === "down") this.#outageMs += now - this.#since;
    if (this.state === "paused") {
      this.#pausedMs += now - this.#since;
      this.#resumedAt = now;
      this.#outageAtResume = this.#outageMs;
    }
    this.state = state;
    this.#since = now;
    return true;
  }

  // Deadlines

  /** `wait` enters the room. */
  enter(wait: TimedWait, now: number): void {
    const spent = wait.enteredAt < 0 ? 0 : wait.outage;
    wait.enteredAt = now;
    wait.heldAtEntry = this.totalMs(now);
    wait.outage = this.#outageAt(now) - spent;
  }

  /** `wait` leaves the room and may come back. */
  leave(wait: TimedWait, now: number): void {
    wait.outage = this.#outageOf(wait, now);
  }

  /** Milliseconds of outage that count against the hold time of a request in the room. */
  #outageOf(wait: TimedWait, now: number): number {
    return this.#outageAt(now) - Math.max(wait.outage, this.#outageAtResume);
  }

  /**
   * When the wait of a request in the room is over if things stay as they are. Among requests that have entered but
   * once the order is that of their arrival.
   *
   * @param asking an endpoint that is down may be dialled; otherwise all of them are drained
   * @param handover without a time for queueing it waits for a slot of another process
   */
  endOfWait(wait: TimedWait, now: number, limits: Limits, asking: boolean, handover = false): number {
    const { holdMs, queueTimeoutMs } = limits;
    const leastMs = Math.max(holdMs, LEAST_MS);
    switch (this.state) {
      case "paused":
        return Math.max(wait.enteredAt, this.#since) + leastMs;
      case "down": {
        const mostMs = holdMs === 0 && asking ? limits.connectTimeoutMs + LEAST_MS : holdMs;
        return now + mostMs - this.#outageOf(wait, now);
      }
      case "open": {
        const mostMs = queueTimeoutMs > 0 ? queueTimeoutMs : handover ? HANDOVER_MS : leastMs;
        return wait.enteredAt + mostMs + this.totalMs(now) - wait.heldAtEntry;
      }
    }
  }

  /**
   * Milliseconds during which a request may still be sent again: `hold` from its arrival, time in the queue aside, or
   * from the end of the last pause.
   */
  leftMs(arrivedAt: number, queuedMs: number, now: number, holdMs: number): number {
    return Math.max(arrivedAt + queuedMs, this.#resumedAt) + holdMs - now;
  }

  // Events

  /** A request waits. @returns true when that has to be told: it is held, and the first of them */
  begins(now: number): boolean {
    if (!this.holding || this.#toldAt >= 0) return false;
    this.#toldAt = now;
    return true;
  }

  /** No request waits any more. @returns since when requests were held, or -1 when that had not been told */
  ends(): number {
    const at = this.#toldAt;
    this.#toldAt = -1;
    return at;
  }
}
