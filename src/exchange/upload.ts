/** The body of a request on its way: what of it is kept, how much has come, and what follows it. */

import type { BodyKind } from "../http1/framing.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import { RequestBody } from "./request_body.ts";

/**
 * Whether a request waits for the end of its body before it asks for a connection: a slow client must not occupy a slot.
 * Of a body whose length is not known that is worth waiting for only where slots are few: its client may want an answer
 * before.
 *
 * @param expected bytes announced, or -1
 */
export function isReadFirst(
  kind: BodyKind,
  expected: number,
  { requestBufferBytes, slotsLimited }: ExchangeSettings,
): boolean {
  return kind === "length" ? expected <= requestBufferBytes : slotsLimited && requestBufferBytes > 0;
}

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
