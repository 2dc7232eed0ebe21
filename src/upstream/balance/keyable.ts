/** Any policy, but for requests that have a key, or name their endpoint: those go where that says. */

import type { Endpoint, Need } from "../endpoint.ts";
import type { Chooser, KeyedPolicy, Policy, PolicyFactory } from "../policy.ts";
import { Rendezvous } from "./rendezvous.ts";

/** So that the same policy is the same setting in every configuration. */
const made = new Map<PolicyFactory, PolicyFactory>();

export function keyable(factory: PolicyFactory): PolicyFactory {
  let keyed = made.get(factory);
  if (keyed === undefined) {
    keyed = (endpoints) => new Keyable(factory(endpoints), new Rendezvous(endpoints));
    made.set(factory, keyed);
  }
  return keyed;
}

class Keyable implements KeyedPolicy {
  readonly #usual: Policy;
  readonly #keyed: KeyedPolicy;

  constructor(usual: Policy, keyed: KeyedPolicy) {
    this.#usual = usual;
    this.#keyed = keyed;
  }

  pick(need: Need, key: number | null, chooser: Chooser | null = null): Endpoint | null {
    return (key === null ? this.#usual : this.#keyed).pick(need, key, chooser);
  }

  wanted(key: number, chooser: Chooser | null = null): Endpoint | null {
    return this.#keyed.wanted(key, chooser);
  }
}
