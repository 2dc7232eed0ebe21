/** Policies that walk through all endpoints at each request: slow, and simple enough to be right. */

import assert from "node:assert/strict";
import { turnList } from "../../src/upstream/balance/turns.ts";
import type { Endpoint, Need } from "../../src/upstream/endpoint.ts";
import type { Policy } from "../../src/upstream/policy.ts";

/** Each in turn as `turnList` says; one that cannot is passed over. */
export class WalkingRoundRobin implements Policy {
  readonly #turns: readonly Endpoint[];
  #next = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.#turns = turnList(endpoints);
  }

  pick(need: Need): Endpoint | null {
    for (let tried = 0; tried < this.#turns.length; tried++) {
      const turn = (this.#next + tried) % this.#turns.length;
      const endpoint = this.#turns[turn] as Endpoint;
      if (!endpoint.can(need)) continue;
      this.#next = (turn + 1) % this.#turns.length;
      return endpoint;
    }
    return null;
  }
}

/** Asks two policies and wants one answer. */
export class SamePolicy implements Policy {
  readonly #policy: Policy;
  readonly #model: Policy;

  constructor(policy: Policy, model: Policy) {
    this.#policy = policy;
    this.#model = model;
  }

  pick(need: Need, key: number | null): Endpoint | null {
    const expected = this.#model.pick(need, key);
    const picked = this.#policy.pick(need, key);
    assert.equal(picked?.name, expected?.name, `a pick for ${need}`);
    return picked;
  }
}
