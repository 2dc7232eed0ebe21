/** When each endpoint that is down is asked by a dial again, one dial at a time. */

import type { Clock, Timer } from "../../runtime/contract/contract.ts";
import { TimeHeap } from "../time/time_heap.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Listing } from "./listing.ts";

/** How often requests that need not wait look after the endpoints that are down. */
const IN_PASSING_MS = 20;
/** Endpoints that are down that are dialled in one go, while requests wait and while none does, and the pause after them. */
const MOST_ASKED = 64;
const MOST_IN_PASSING = 16;
const REST_MS = 10;
/** After so long without a dial an endpoint is dialled with short pauses again. */
const FORGOTTEN_MS = 1000;

export class DialLoop implements Listing<Endpoint> {
  readonly #clock: Clock;
  readonly #dial: (endpoint: Endpoint) => void;
  readonly #due: () => void;
  /** By `nextDialAt`; some of them may not be askable any more. */
  readonly #endpoints = new TimeHeap<Endpoint>();
  #timer: Timer | null = null;
  #timerAt = Infinity;
  /** Monotonic milliseconds at which they were last asked in passing. */
  #askedAt = -Infinity;
  /** Monotonic milliseconds before which no more of them are dialled: the most for one go have been. */
  #restUntil = -Infinity;

  /**
   * @param dial asks an endpoint
   * @param due called when the time has come to `ask` again
   */
  constructor(clock: Clock, dial: (endpoint: Endpoint) => void, due: () => void) {
    this.#clock = clock;
    this.#dial = dial;
    this.#due = due;
  }

  /** `endpoint` is down, and its `nextDialAt` is as it should be. */
  schedule(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint, endpoint.nextDialAt);
  }

  /** Forgets all endpoints. */
  clear(): void {
    this.#endpoints.clear();
    this.#cancel();
  }

  /** No request waits, but requests pass: dials those that are due now and then, not at every request. */
  askInPassing(now: number): void {
    if (now - this.#askedAt < IN_PASSING_MS) return;
    this.#askedAt = now;
    this.#ask(now, MOST_IN_PASSING, false);
  }

  /** Requests wait: asks those that are due, and calls `due` when the next ones are. */
  ask(now: number): void {
    this.#ask(now, MOST_ASKED, false);
  }

  /** Dials `most` of them whatever the pause that is left: what comes of it decides about the requests that wait. */
  askAtOnce(now: number, most: number): void {
    this.#ask(now, most, true);
  }

  #ask(now: number, most: number, atOnce: boolean): void {
    if (now < this.#restUntil && !atOnce) return;
    let left = most;
    for (; left > 0; left--) {
      const endpoint = this.#take(now, atOnce);
      if (endpoint === null) break;
      if (now - endpoint.nextDialAt > FORGOTTEN_MS) endpoint.loopSince = now;
      this.#dial(endpoint);
    }
    if (left === 0) this.#restUntil = now + REST_MS;
    this.#wake(Math.max(now, this.#restUntil), now);
  }

  /** The next one that is to be asked; null when none is. */
  #take(now: number, atOnce: boolean): Endpoint | null {
    const endpoints = this.#endpoints;
    for (let endpoint = endpoints.first; endpoint !== null; endpoint = endpoints.first) {
      const askable = this.holds(endpoint);
      if (askable && endpoints.firstAt > now && !atOnce) return null;
      endpoints.delete(endpoint);
      if (askable) return endpoint;
      if (endpoint.state === "down") endpoint.exclude(this);
    }
    return null;
  }

  /** Calls `due` once when the next one may be asked, not before `from`. */
  #wake(from: number, now: number): void {
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

  /** No dial to it is under way, and it would have a slot for the connection. */
  holds(endpoint: Endpoint): boolean {
    return endpoint.state === "down" && endpoint.enabled && endpoint.dialing === 0 &&
      endpoint.busy < endpoint.slotLimit;
  }

  readmit(endpoint: Endpoint): void {
    this.schedule(endpoint);
  }
}
