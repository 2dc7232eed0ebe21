/**
 * Attempts of one request that were sent and ended without an answer, as far as the request may be to blame. A bound on
 * them is a bound on what a request can do that crashes whoever gets it.
 *
 * There are ports that take connections and drop them while what is behind them is down (forwarded to a container, say).
 * Nobody crashes those, and requests are held for them as for an endpoint that refuses connections. A port that drops
 * everything neither answers anybody nor refuses anything; an endpoint that a request has crashed does one or the other
 * before it is crashed again. So, after the first one, a loss counts only if there was such a sign since the one before.
 */

import type { Endpoint } from "../upstream/endpoint.ts";

/** What an endpoint had done by the time of a loss. */
interface Mark {
  readonly answered: number;
  readonly refusals: number;
}

export class Losses {
  all = 0;
  /** Those that count. */
  count = 0;
  readonly #marks = new Map<Endpoint, Mark>();

  /** @param certain the endpoint had its time to answer: it needs no other sign of life */
  note(endpoint: Endpoint, certain: boolean): void {
    let counts = certain || this.all === 0;
    for (const [each, { answered, refusals }] of this.#marks) {
      if (each.answered === answered && each.refusals === refusals) continue;
      this.#marks.delete(each);
      counts = true;
    }
    this.all++;
    if (counts) this.count++;
    this.#marks.set(endpoint, { answered: endpoint.answered, refusals: endpoint.refusals });
  }
}
