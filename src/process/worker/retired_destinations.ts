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

  /** Ends those of the configuration before, if there were any and they are not those in use. */
  replace(before: Destinations | undefined, after: Destinations | undefined): void {
    if (before === undefined || before === after) return;
    this.#all.add(before);
    this.#turn.begin();
    before.retire(() => this.#all.delete(before));
    this.#turn.end();
  }

  /** Ends them now. */
  stop(): void {
    for (const destinations of this.#all) destinations.stop();
  }
}
