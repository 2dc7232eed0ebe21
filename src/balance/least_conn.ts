/** The one with the fewest requests in flight for its weight; ties go round. */

import type { Endpoint, Need } from "../upstream/endpoint.ts";
import type { Policy } from "../upstream/policy.ts";

/** Up to here all endpoints are compared; above, as many drawn by chance, which is as good and constant. */
const COMPARE_ALL = 16;

export class LeastConn implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #random: () => number;
  #start = 0;

  /** @param random uniform in 0 to 1, for tests */
  constructor(endpoints: readonly Endpoint[], random: () => number = Math.random) {
    this.#endpoints = endpoints;
    this.#random = random;
  }

  pick(need: Need): Endpoint | null {
    const endpoints = this.#endpoints;
    const count = endpoints.length;
    if (count <= COMPARE_ALL) {
      this.#start = this.#start + 1 >= count ? 0 : this.#start + 1;
      return this.#least(this.#start, 1, count, need);
    }
    const start = Math.floor(this.#random() * count);
    const stride = 1 + Math.floor(this.#random() * (count - 1));
    return this.#least(start, stride, COMPARE_ALL, need) ?? this.#least(start, 1, count, need);
  }

  #least(start: number, stride: number, tries: number, need: Need): Endpoint | null {
    const endpoints = this.#endpoints;
    let best: Endpoint | null = null;
    let bestLoad = Infinity;
    let at = start;
    for (let i = 0; i < tries; i++) {
      const endpoint = endpoints[at] as Endpoint;
      at = (at + stride) % endpoints.length;
      if (!endpoint.can(need)) continue;
      const load = (endpoint.busy + endpoint.dialing + 1) / endpoint.weight;
      if (load < bestLoad) {
        best = endpoint;
        bestLoad = load;
      }
    }
    return best;
  }
}
