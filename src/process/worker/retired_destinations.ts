/** Destinations of the forward proxy that a configuration before had otherwise, and that still have requests. */

import { allDestinations, type ForwardSnapshot } from "../../gateway/forward/forward_snapshot.ts";
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

  /**
   * Ends those of the configuration before that are not in use any more, and of the others the connections that were opened for
   * other credentials.
   */
  replace(before: ForwardSnapshot | null, after: ForwardSnapshot | null): void {
    const used = allDestinations(after);
    const keyOf = (host: string, port: number): string =>
      after?.credentials?.connectionKeyOf(host, port) ?? "";
    this.#turn.begin();
    for (const destinations of allDestinations(before)) {
      if (used.includes(destinations)) destinations.useCredentials(keyOf);
      else this.#retire(destinations);
    }
    this.#turn.end();
  }

  #retire(destinations: Destinations): void {
    this.#all.add(destinations);
    destinations.retire(() => this.#all.delete(destinations));
  }

  /** Ends them now. */
  stop(): void {
    for (const destinations of this.#all) destinations.stop();
  }
}
