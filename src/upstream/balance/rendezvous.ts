/** Requests of one key go to one endpoint, as long as it can be reached. */

import { hashText, mixHash } from "../../bytes/hash.ts";
import type { Endpoint, Need } from "../endpoint.ts";
import type { Chooser, KeyedPolicy } from "../policy.ts";

/**
 * Highest random weight (Thaler and Ravishankar 1998; CARP is one of its kind): each key has an order of all endpoints of its
 * own, so that of an endpoint which goes only its own keys move, to all others alike, and come back with it. With weights
 * by the logarithm method, the share of an endpoint is its weight's. Linear in the number of endpoints: those are a handful.
 */
export class Rendezvous implements KeyedPolicy {
  readonly #endpoints: readonly Endpoint[];
  readonly #seeds: readonly number[];

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
    this.#seeds = endpoints.map(({ name }) => hashText(name));
  }

  pick(need: Need, key: number | null, chooser: Chooser | null = null): Endpoint | null {
    if (key === null) return this.#endpoints.find((endpoint) => endpoint.can(need)) ?? null;
    const wanted = this.wanted(key, chooser);
    return wanted !== null && wanted.can(need) ? wanted : null;
  }

  wanted(key: number, chooser: Chooser | null = null): Endpoint | null {
    let best: Endpoint | null = null;
    let bestScore = -1;
    const endpoints = this.#endpoints;
    const preferred = chooser === null ? null : chooser.prefers ?? null;
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[i] as Endpoint;
      if (!endpoint.enabled || endpoint.state === "down" || chooser?.avoids?.(endpoint) === true) continue;
      if (preferred !== null && endpoint.name === preferred) return endpoint;
      const score = scoreOf(key, this.#seeds[i] as number, endpoint.weight);
      if (score > bestScore) {
        best = endpoint;
        bestScore = score;
      }
    }
    return best;
  }
}

/** Larger than 0. */
function scoreOf(key: number, seed: number, weight: number): number {
  // In between 0 and 1, without both.
  const chance = (mixHash(key ^ seed) + 0.5) / 2 ** 32;
  return -weight / Math.log(chance);
}
