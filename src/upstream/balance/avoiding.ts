/** A policy for endpoints that stand in for each other: what one has failed to do goes to another. */

import type { Endpoint, Need } from "../endpoint.ts";
import type { Chooser, Policy, PolicyFactory } from "../policy.ts";

/** The same policy, which does not choose what a request avoids. Linear in the endpoints where it does. */
export function avoiding(factory: PolicyFactory): PolicyFactory {
  return (endpoints) => new Avoiding(factory(endpoints), endpoints);
}

class Avoiding implements Policy {
  readonly #policy: Policy;
  readonly #endpoints: readonly Endpoint[];

  constructor(policy: Policy, endpoints: readonly Endpoint[]) {
    this.#policy = policy;
    this.#endpoints = endpoints;
  }

  pick(need: Need, key: number | null, chooser: Chooser | null = null): Endpoint | null {
    const usual = this.#policy.pick(need, key, chooser);
    if (usual === null || chooser?.avoids?.(usual) !== true) return usual;
    return this.#endpoints.find((endpoint) => chooser.avoids?.(endpoint) !== true && endpoint.can(need)) ??
      null;
  }
}
