/** Which endpoints that are not trusted with one more connection are looked at anew, and when; see connection_ramp.ts. */

import { TimeHeap } from "../time/time_heap.ts";
import type { Endpoint } from "./endpoint.ts";
import { FEW } from "./candidate_list.ts";
import type { Listing } from "./listing.ts";

export class RampSteps implements Listing<Endpoint> {
  readonly #endpoints: readonly Endpoint[];
  /**
   * Null when there are few endpoints. Otherwise of those that are held back, and of any that may not have been
   * looked at since, when time alone is reason to go on. One that is trusted with any number is in no list:
   * it comes in when that ends.
   */
  readonly #due: TimeHeap<Endpoint> | null;

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
    this.#due = endpoints.length <= FEW ? null : new TimeHeap();
    for (const endpoint of endpoints) this.#due?.set(endpoint, 0);
  }

  /** `endpoint` is not trusted with any number of connections any more. */
  watch(endpoint: Endpoint): void {
    this.#due?.set(endpoint, 0);
  }

  /** Time has passed while requests wait. */
  step(now: number): void {
    const due = this.#due;
    if (due === null) {
      for (const endpoint of this.#endpoints) {
        if (endpoint.state !== "down") endpoint.ramp.goOn(endpoint.inUse, now);
      }
      return;
    }
    for (let endpoint = due.first; endpoint !== null && due.firstAt <= now; endpoint = due.first) {
      if (endpoint.rampLimited) endpoint.ramp.goOn(endpoint.inUse, now);
      if (endpoint.rampLimited) due.set(endpoint, endpoint.ramp.goOnAt);
      else {
        due.delete(endpoint);
        if (endpoint.ramp.limit !== Infinity) endpoint.exclude(this);
      }
    }
  }

  /** One that has come to be trusted with any number comes in to be let go for good: it need not tell any more. */
  holds(endpoint: Endpoint): boolean {
    return endpoint.rampLimited || endpoint.ramp.limit === Infinity;
  }

  readmit(endpoint: Endpoint): void {
    this.#due?.set(endpoint, endpoint.ramp.goOnAt);
  }
}
