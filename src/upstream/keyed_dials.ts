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
  /** Those of them that a dial is under way for. */
  dialled = 0;
  /** One of them wants an endpoint that takes no further dial now. */
  stuck = false;

  constructor(policy: KeyedPolicy, dial: (endpoint: Endpoint) => void) {
    this.#policy = policy;
    this.#dial = dial;
  }

  /** Counts anew, from the oldest request on. */
  begin(): void {
    this.#counted.clear();
    this.count = this.dialled = 0;
    this.stuck = false;
  }

  /** Whether a connection of `endpoint` is for it. */
  suits(waiter: Waiter, endpoint: Endpoint): boolean {
    return waiter.balanceKey === null || this.#policy.wanted(waiter.balanceKey, waiter) === endpoint;
  }

  wantedBy(waiter: Waiter): Endpoint | null {
    return waiter.balanceKey === null ? null : this.#policy.wanted(waiter.balanceKey, waiter);
  }

  /** Whether a slot of `endpoint` may help it: the only one that it wants, or one that may be found to be up. */
  mayUse(waiter: Waiter, endpoint: Endpoint): boolean {
    if (waiter.balanceKey === null || endpoint.state === "down") return true;
    const wanted = this.#policy.wanted(waiter.balanceKey, waiter);
    return wanted === null || wanted === endpoint;
  }

  /** A request for which no connection lies ready: sees to it that as many are dialled as are wanted. */
  serve(waiter: Waiter): void {
    const endpoint = waiter.balanceKey === null ? null : this.#policy.wanted(waiter.balanceKey, waiter);
    if (endpoint === null) return;
    this.count++;
    const before = this.#counted.get(endpoint) ?? 0;
    this.#counted.set(endpoint, before + 1);
    if (before < endpoint.dialing) {
      this.dialled++;
    } else if (endpoint.can("dial")) {
      this.dialled++;
      this.#dial(endpoint);
    } else this.stuck = true;
  }
}
