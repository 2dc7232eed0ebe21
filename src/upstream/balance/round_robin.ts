/** Each in turn, as often as its weight says. */

import type { Endpoint, Need } from "../endpoint.ts";
import type { Policy } from "../policy.ts";
import { Turns } from "./turns.ts";

/** Skips those that cannot, and goes on from the one that could. */
export class RoundRobin implements Policy {
  readonly #turns: Turns;
  #next = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.#turns = new Turns(endpoints);
  }

  pick(need: Need): Endpoint | null {
    const { list } = this.#turns;
    let turn = this.#next;
    const usual = list[turn];
    if (usual === undefined) return null;
    if (!usual.can(need)) {
      turn = this.#turns.next(need, turn);
      if (turn < 0) return null;
    }
    this.#next = turn + 1 === list.length ? 0 : turn + 1;
    return list[turn] as Endpoint;
  }
}
