/** Destinations of the forward proxy that a configuration before had otherwise, and that still have requests. */

import type { Turn } from "../../time/turn.ts";
import type { Destinations } from "../../upstream/destinations.ts";

export class RetiredDestinations {
  readonly #turn: Turn;
  readonly #all = new Set<Destinations>();

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  get all(): Iterable<Destinations> {
    return this.#all;
  }

  /** Ends those of the configuration before that are not in use any more. */
  replace(before: readonly Destinations[], after: readonly Destinations[]): void {
    for (const destinations of before) if (!after.includes(destinations)) this.#retire(destinations);
  }

  #retire(destinations: Destinations): void {
    this.#all.add(destinations);
    this.#turn.begin();
    destinations.retire(() => this.#all.delete(destinations));
    this.#turn.end();
  }

  /** Ends them now. */
  stop(): void {
    for (const destinations of this.#all) destinations.stop();
  }
}
