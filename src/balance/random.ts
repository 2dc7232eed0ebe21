/** Any that can, by chance and weight; needs no memory, so many proxies do not march in step. */

import type { Endpoint, Need } from "../upstream/endpoint.ts";
import type { Policy } from "../upstream/policy.ts";
import { turnList } from "./round_robin.ts";

export class RandomChoice implements Policy {
  readonly #turns: readonly Endpoint[];
  readonly #random: () => number;

  /** @param random uniform in 0 to 1, for tests */
  constructor(endpoints: readonly Endpoint[], random: () => number = Math.random) {
    this.#turns = turnList(endpoints);
    this.#random = random;
  }

  pick(need: Need): Endpoint | null {
    const turns = this.#turns;
    const start = Math.floor(this.#random() * turns.length);
    for (let i = 0; i < turns.length; i++) {
      const endpoint = turns[(start + i) % turns.length] as Endpoint;
      if (endpoint.can(need)) return endpoint;
    }
    return null;
  }
}
