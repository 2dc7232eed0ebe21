/** The first that can be reached, in the order of the configuration: the others stand by. */

import type { Endpoint, Need } from "../endpoint.ts";
import type { Chooser, Policy } from "../policy.ts";

/**
 * A request waits for a connection of the first endpoint that is up, and goes to a later one only when the first is
 * down, drained, or is just being tried again. Linear in the number of endpoints: those are a handful.
 */
export class FirstUp implements Policy {
  readonly #endpoints: readonly Endpoint[];

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
  }

  pick(need: Need, _key: number | null = null, chooser: Chooser | null = null): Endpoint | null {
    for (const endpoint of this.#endpoints) {
      if (chooser?.avoids?.(endpoint) === true) continue;
      if (endpoint.can(need)) return endpoint;
      if (endpoint.enabled && endpoint.state === "up") return null;
    }
    return null;
  }
}
