/** The body of a request on its way: what of it is kept, how much has come, and what follows it. */

import type { Upstream } from "../upstream/upstream.ts";
import { RequestBody } from "./request_body.ts";

export class Upload {
  readonly kept: RequestBody;
  /** Bytes received so far. */
  receivedBytes = 0;
  /** Trailer lines that follow it. */
  trailers = "";
  /** Milliseconds it took, where all of it was read before the request went on. */
  readMs = 0;
  /** Bytes that count against the upstream's memory now. */
  #counted = 0;

  /**
   * @param limit bytes that are kept at most
   * @param expected bytes announced, or -1
   */
  constructor(limit: number, expected: number) {
    this.kept = new RequestBody(limit, expected);
  }

  /**
   * What is kept while the request waits counts against the upstream's memory.
   *
   * @returns whether there is room for it
   */
  count(upstream: Upstream): boolean {
    upstream.bufferedBytes += this.kept.length - this.#counted;
    this.#counted = this.kept.length;
    return upstream.bufferedBytes <= upstream.settings.queueBytes;
  }

  /** The request does not wait any more. */
  uncount(upstream: Upstream): void {
    upstream.bufferedBytes -= this.#counted;
    this.#counted = 0;
  }
}
