/** Each in turn, as often as its weight says. */

import type { Endpoint, Need } from "../upstream/endpoint.ts";
import type { Policy } from "../upstream/policy.ts";

/** A turn list longer than this would cost more memory than its precision is worth. */
const MAX_TURNS = 10_000;

/** Constant time while endpoints are available; skips those that are not. */
export class RoundRobin implements Policy {
  readonly #turns: readonly Endpoint[];
  #next = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.#turns = turnList(endpoints);
  }

  pick(need: Need): Endpoint | null {
    const turns = this.#turns;
    const count = turns.length;
    let at = this.#next;
    for (let tried = 0; tried < count; tried++) {
      const endpoint = turns[at] as Endpoint;
      at = at + 1 === count ? 0 : at + 1;
      if (endpoint.can(need)) {
        this.#next = at;
        return endpoint;
      }
    }
    return null;
  }
}

/** Interleaves by weight: 5, 1, 1 becomes a b a a a c a, not a a a a a b c. */
export function turnList(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  if (endpoints.every((endpoint) => endpoint.weight === endpoints[0]?.weight)) return endpoints;
  const divisor = endpoints.reduce((all, { weight }) => gcd(all, weight), 0);
  let weights = endpoints.map(({ weight }) => weight / divisor);
  let total = weights.reduce((a, b) => a + b, 0);
  if (total > MAX_TURNS) {
    weights = weights.map((weight) => Math.max(1, Math.round((weight * MAX_TURNS) / total)));
    total = weights.reduce((a, b) => a + b, 0);
  }
  // Each endpoint's turns spread evenly over the round: turn k of n stands at (k + phase) / n. The phases
  // are far from one another (multiples of the golden ratio), or light endpoints would all meet in the middle.
  const turns: { at: number; endpoint: Endpoint }[] = [];
  endpoints.forEach((endpoint, i) => {
    const n = weights[i] as number;
    const phase = (0.5 + i * GOLDEN) % 1;
    for (let k = 0; k < n; k++) turns.push({ at: (k + phase) / n, endpoint });
  });
  return turns.sort((a, b) => a.at - b.at).map(({ endpoint }) => endpoint);
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
