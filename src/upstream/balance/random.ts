/** Any that can, by chance and weight; needs no memory, so many proxies do not march in step. */

import type { Endpoint, Need } from "../endpoint.ts";
import type { Policy } from "../policy.ts";
import { Turns } from "./turns.ts";

export class RandomChoice implements Policy {
  readonly #turns: Turns;
  readonly #random: () => number;

  /** @param random uniform in 0 to 1, for tests */
  constructor(endpoints: readonly Endpoint[], random: () => number = Math.random) {
    this.#turns = new Turns(endpoints);
    this.#random = random;
  }

  pick(need: Need): Endpoint | null {
    const { list } = this.#turns;
    const drawn = Math.floor(this.#random() * list.length);
    const usual = list[drawn];
    if (usual === undefined || usual.can(need)) return usual ?? null;
    const turn = this.#turns.next(need, drawn);
    return turn < 0 ? null : list[turn] as Endpoint;
  }
}
