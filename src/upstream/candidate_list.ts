/**
 * Lists of endpoints that are kept up to date while they are read, so that no request walks through all of them.
 *
 * A list holds at least the endpoints for which something is true. One that it meets and for which it is
 * not true is left out, and comes back when it tells that it is true again: each change of an endpoint goes
 * through `Endpoint`, which asks the lists that have left it out, and no others. So an endpoint that can do
 * everything pays for no list, and leaving one out costs as little as finding out that it could not.
 */

import type { Endpoint } from "./endpoint.ts";
import type { Listing } from "./listing.ts";

/** Up to this number endpoints are simply looked at one after the other: lists would cost more than they save. */
export const FEW = 16;

/**
 * A list without order. Endpoints are found, left out and taken in again in constant time; where there are
 * few, none is ever left out.
 */
export class CandidateList implements Listing<Endpoint> {
  readonly #members: Endpoint[];
  readonly #few: boolean;
  readonly holds: (endpoint: Endpoint) => boolean;

  constructor(endpoints: readonly Endpoint[], holds: (endpoint: Endpoint) => boolean) {
    this.#members = [...endpoints];
    this.#few = endpoints.length <= FEW;
    this.holds = holds;
  }

  /** How many have not been left out; an upper bound. */
  get size(): number {
    return this.#members.length;
  }

  /**
   * The member at `index`, or null when it is not true of that one. Where there are many it is left out then:
   * `size` is one less, and what was the last member has its place.
   *
   * @param index 0 to `size` - 1
   */
  look(index: number): Endpoint | null {
    const endpoint = this.#members[index] as Endpoint;
    if (this.holds(endpoint)) return endpoint;
    if (this.#few) return null;
    const last = this.#members.pop() as Endpoint;
    if (last !== endpoint) this.#members[index] = last;
    endpoint.exclude(this);
    return null;
  }

  /** A member other than `but` of which it is true, or null. */
  find(but: Endpoint | null = null): Endpoint | null {
    for (let index = 0; index < this.#members.length;) {
      const { length } = this.#members;
      const endpoint = this.look(index);
      if (endpoint !== null && endpoint !== but) return endpoint;
      if (this.#members.length === length) index++;
    }
    return null;
  }

  readmit(endpoint: Endpoint): void {
    this.#members.push(endpoint);
  }
}
