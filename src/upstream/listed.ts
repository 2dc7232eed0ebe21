/**
 * The endpoint's side of the lists in candidate_list.ts: which lists have left it out, and who counts its places.
 *
 * Requests come and go far more often than lists change. So an endpoint that no list has left out, and whose places
 * are not counted, pays for a change of its numbers with one look at a flag.
 */

import type { Listing } from "./listing.ts";

export abstract class Listed {
  /** Lists that have left it out and take it in again when it tells that it is fit for them. */
  #excludedFrom: Listing<this>[] = [];
  /** It is told how `places` changes; null = nobody counts them. It was told of so many. */
  #counter: ((difference: number) => void) | null = null;
  #placesTold = 0;
  /** Changes may matter to somebody: places are counted, or a list has left it out. */
  protected watched = false;

  /** Requests it could take; what the sum of all is made of. */
  abstract get places(): number;
  /** The number of its places depends on what it has to do. */
  protected abstract get limited(): boolean;

  /** `listing` does not hold it any more, and hears when it can take it in again. */
  exclude(listing: Listing<this>): void {
    if (!this.#excludedFrom.includes(listing)) this.#excludedFrom.push(listing);
    this.watched = true;
  }

  /**
   * No list that has left it out is in use any more.
   *
   * @param counter told of all places, and of each change from now on; null = nobody counts them
   */
  begin(counter: ((difference: number) => void) | null): void {
    this.#excludedFrom = [];
    this.#counter = counter;
    this.#placesTold = 0;
    this.changed();
  }

  /** After every change of what lists and `places` look at. */
  changed(): void {
    if (this.#counter !== null) this.#tellPlaces(this.#counter);
    if (this.#excludedFrom.length > 0) this.#readmitAll();
    this.watched = this.#excludedFrom.length > 0 || (this.#counter !== null && this.limited);
  }

  #tellPlaces(counter: (difference: number) => void): void {
    const { places } = this;
    if (places === this.#placesTold) return;
    counter(places - this.#placesTold);
    this.#placesTold = places;
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
