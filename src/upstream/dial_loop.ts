/** When each endpoint that is away is asked by a dial again, one dial at a time. */

import type { Clock, Timer } from "../../runtime/contract.ts";
import { TimeHeap } from "../time/time_heap.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Listing } from "./roster.ts";

export class DialLoop implements Listing {
  readonly #clock: Clock;
  readonly #due: () => void;
  /** By `nextDialAt`; some of them may not be askable any more. */
  readonly #endpoints = new TimeHeap<Endpoint>();
  #timer: Timer | null = null;
  #timerAt = Infinity;

  /** @param due called when `wake` had asked for it and the time has come */
  constructor(clock: Clock, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** `endpoint` is away, and its `nextDialAt` is as it should be. */
  schedule(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint, endpoint.nextDialAt);
  }

  /** Forgets all endpoints. */
  clear(): void {
    this.#endpoints.clear();
    this.#cancel();
  }

  /**
   * The next one that is to be asked, which the caller dials; null when none is.
   *
   * @param atOnce whatever the pause that is left
   */
  take(now: number, atOnce: boolean): Endpoint | null {
    const endpoints = this.#endpoints;
    for (let endpoint = endpoints.first; endpoint !== null; endpoint = endpoints.first) {
      const askable = this.holds(endpoint);
      if (askable && endpoints.firstAt > now && !atOnce) return null;
      endpoints.delete(endpoint);
      if (askable) return endpoint;
      if (endpoint.state === "away") endpoint.leaveOut(this);
    }
    return null;
  }

  /** Calls `due` once when the next one may be asked, not before `from`. */
  wake(from: number, now: number): void {
    const at = Math.max(this.#endpoints.firstAt, from);
    if (at >= this.#timerAt) return;
    this.#cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(Math.max(0, at - now), () => {
      this.#timer = null;
      this.#timerAt = Infinity;
      this.#due();
    }, true);
  }

  #cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  /** Nobody asks it yet, and it would have a slot for the connection. */
  holds(endpoint: Endpoint): boolean {
    return endpoint.state === "away" && endpoint.enabled && endpoint.dialing === 0 &&
      endpoint.busy < endpoint.slotLimit;
  }

  readmit(endpoint: Endpoint): void {
    this.schedule(endpoint);
  }
}
