/**
 * Dials for requests of which each goes to one endpoint only: a connection to another one would not help it, so that
 * requests are counted by the endpoint that they want.
 */

import type { Endpoint } from "./endpoint.ts";
import type { KeyedPolicy } from "./policy.ts";
import type { Waiter, WaiterFilter } from "./waiting_room.ts";

export class KeyedDials implements WaiterFilter {
  readonly #policy: KeyedPolicy;
  readonly #dial: (endpoint: Endpoint) => void;
  readonly #counted = new Map<Endpoint, number>();
  /** Requests that were counted. */
  count = 0;
  /** One of them wants an endpoint that takes no further dial now. */
  stuck = false;

  constructor(policy: KeyedPolicy, dial: (endpoint: Endpoint) => void) {
    this.#policy = policy;
    this.#dial = dial;
  }

  /** Counts anew, from the oldest request on. */
  begin(): void {
    this.#counted.clear();
    this.count = 0;
    this.stuck = false;
  }

  /** Whether a connection of `endpoint` is for it. */
  suits(waiter: Waiter, endpoint: Endpoint): boolean {
    return waiter.balanceKey === null || this.#policy.wanted(waiter.balanceKey, waiter) === endpoint;
  }

  /** A request for which no connection lies ready: sees to it that as many are dialled as are wanted. */
  serve(waiter: Waiter): void {
    const endpoint = waiter.balanceKey === null ? null : this.#policy.wanted(waiter.balanceKey, waiter);
    if (endpoint === null) return;
    this.count++;
    const before = this.#counted.get(endpoint) ?? 0;
    this.#counted.set(endpoint, before + 1);
    if (before < endpoint.dialing) return;
    if (endpoint.can("dial")) this.#dial(endpoint);
    else this.stuck = true;
  }
}
