/**
 * The endpoint's side of the lists in candidate_list.ts: which lists have excluded it, and whether its
 * capacity is summed.
 *
 * Requests come and go far more often than lists change. So an endpoint that no list has excluded, and whose capacity
 * is not summed, pays for a change of its numbers with one look at a flag.
 */

import type { Listing } from "./listing.ts";

export abstract class Listed {
  /** Lists that have excluded it, and readmit it once it is fit for them. */
  #excludedFrom: Listing<this>[] = [];
  /** Is told how `capacity` changes; null = it is not summed. */
  #counter: ((difference: number) => void) | null = null;
  /** The capacity of which `#counter` knows. */
  #capacityTold = 0;
  /** Changes have to be told: its capacity is summed, or a list has excluded it. */
  protected watched = false;

  /** Requests it could take; what the sum of all is made of. */
  abstract get capacity(): number;
  /** Its capacity depends on what it has to do. */
  protected abstract get limited(): boolean;

  /** `listing` does not contain it any more, and hears when it can readmit it. */
  exclude(listing: Listing<this>): void {
    if (!this.#excludedFrom.includes(listing)) this.#excludedFrom.push(listing);
    this.watched = true;
  }

  /**
   * No list that has excluded it is in use any more.
   *
   * @param counter told of the whole capacity, and of each change from now on; null = it is not summed
   */
  begin(counter: ((difference: number) => void) | null): void {
    this.#excludedFrom = [];
    this.#counter = counter;
    this.#capacityTold = 0;
    this.changed();
  }

  /** After every change of what lists and `capacity` look at. */
  changed(): void {
    if (this.#counter !== null) this.#tellCapacity(this.#counter);
    if (this.#excludedFrom.length > 0) this.#readmitAll();
    this.watched = this.#excludedFrom.length > 0 || (this.#counter !== null && this.limited);
  }

  #tellCapacity(counter: (difference: number) => void): void {
    const { capacity } = this;
    if (capacity === this.#capacityTold) return;
    counter(capacity - this.#capacityTold);
    this.#capacityTold = capacity;
  }

  #readmitAll(): void {
    const lists = this.#excludedFrom;
    for (let i = lists.length - 1; i >= 0; i--) {
      const listing = lists[i] as Listing<this>;
      if (!listing.holds(this)) continue;
      const last = lists.pop() as Listing<this>;
      if (last !== listing) lists[i] = last;
      listing.readmit(this);
    }
  }
}
