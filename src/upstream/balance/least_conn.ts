/** The one with the fewest requests in flight for its weight; ties go round. */

import type { Endpoint, Need } from "../endpoint.ts";
import type { Policy } from "../policy.ts";
import { CandidateList, FEW } from "../candidate_list.ts";

/** Up to here all that can are compared; of more, as many drawn by chance, which is as good and constant. */
const COMPARED = FEW;

export class LeastConn implements Policy {
  readonly #endpoints: readonly Endpoint[];
  readonly #random: () => number;
  /** Those that can, where there are many endpoints. */
  readonly #able: Readonly<Record<Need, CandidateList>> | null;
  #start = 0;

  /** @param random uniform in 0 to 1, for tests */
  constructor(endpoints: readonly Endpoint[], random: () => number = Math.random) {
    this.#endpoints = endpoints;
    this.#random = random;
    this.#able = endpoints.length <= FEW ? null : {
      any: new CandidateList(endpoints, (endpoint) => endpoint.can("any")),
      idle: new CandidateList(endpoints, (endpoint) => endpoint.can("idle")),
      dial: new CandidateList(endpoints, (endpoint) => endpoint.can("dial")),
    };
  }

  pick(need: Need): Endpoint | null {
    if (this.#able !== null) return this.#leastOf(this.#able[need]);
    const endpoints = this.#endpoints;
    const count = endpoints.length;
    let at = this.#start + 1 >= count ? 0 : this.#start + 1;
    this.#start = at;
    let best: Endpoint | null = null;
    let bestLoad = Infinity;
    for (let tried = 0; tried < count; tried++) {
      const endpoint = endpoints[at] as Endpoint;
      at = at + 1 === count ? 0 : at + 1;
      if (!endpoint.can(need)) continue;
      const load = loadOf(endpoint);
      if (load < bestLoad) {
        best = endpoint;
        bestLoad = load;
      }
    }
    return best;
  }

  #leastOf(able: CandidateList): Endpoint | null {
    let best: Endpoint | null = null;
    let bestLoad = Infinity;
    let compared = 0;
    let at = Math.floor(this.#random() * able.size);
    const stride = 1 + Math.floor(this.#random() * (able.size - 1));
    while (compared < COMPARED && able.size > COMPARED) {
      at = (at + stride) % able.size;
      const endpoint = able.look(at);
      if (endpoint === null) continue;
      compared++;
      const load = loadOf(endpoint);
      if (load < bestLoad) {
        best = endpoint;
        bestLoad = load;
      }
    }
    if (compared === COMPARED) return best;
    // So few are left that each is looked at; those that cannot are left out first.
    for (let i = able.size - 1; i >= 0; i--) able.look(i);
    at = able.size === 0 ? 0 : at % able.size;
    for (let left = able.size; left > 0; left--) {
      const endpoint = able.look(at) as Endpoint;
      at = at + 1 === able.size ? 0 : at + 1;
      const load = loadOf(endpoint);
      if (load < bestLoad) {
        best = endpoint;
        bestLoad = load;
      }
    }
    return best;
  }
}

/** What it would have with one more. */
function loadOf(endpoint: Endpoint): number {
  return (endpoint.taken + 1) / endpoint.weight;
}
