/** The body of a request on its way: what of it is kept, how much has come, and what follows it. */

import type { BodyLength } from "../http/body_length.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import { RequestBody } from "./request_body.ts";

/**
 * Whether a request waits for the end of its body before it asks for a connection: a slow client must not occupy a slot.
 * Of a body whose length is not known that is worth waiting for only where slots are few: its client may want an answer
 * before.
 */
export function isReadFirst(
  body: BodyLength,
  { requestBufferBytes, slotsLimited }: ExchangeSettings,
): boolean {
  return body >= 0 ? body <= requestBufferBytes : slotsLimited && requestBufferBytes > 0;
}

export class Upload {
  readonly kept: RequestBody;
  /** Bytes received so far. */
  receivedBytes = 0;
  /** The trailer section that follows it. */
  trailers: ForwardedFields | null = null;
  /** Milliseconds it took, where all of it was read before the request went on. */
  readMs = 0;
  /** Bytes that count against the upstream's memory now: as `buffered`, or as `copied`. */
  #counted = 0;
  #copy = false;

  /**
   * @param limit bytes that are kept at most
   * @param expected bytes announced, or -1
   */
  constructor(limit: number, expected: number) {
    this.kept = new RequestBody(limit, expected);
  }

  /**
   * What is kept before the request has a connection counts against the upstream's memory.
   *
   * @returns whether there is room for it
   */
  count(upstream: Upstream): boolean {
    if (this.#copy) this.uncount(upstream);
    upstream.bufferedBytes += this.kept.length - this.#counted;
    this.#counted = this.kept.length;
    return upstream.bufferedBytes <= upstream.settings.queueBytes;
  }

  /** The same, of a body that is being read ahead: half of the memory is for requests that wait. */
  countRead(upstream: Upstream): boolean {
    this.count(upstream);
    return 2 * upstream.bufferedBytes <= upstream.settings.queueBytes;
  }

  /** What is kept has been sent. The copy stays, for sending it again, if there is room for it. */
  countSent(upstream: Upstream): void {
    if (!this.#copy) this.uncount(upstream);
    this.#copy = true;
    upstream.copiedBytes += this.kept.length - this.#counted;
    this.#counted = this.kept.length;
    if (this.#counted === 0) return;
    if (upstream.bufferedBytes + upstream.copiedBytes > upstream.settings.queueBytes) this.forget(upstream);
  }

  /** It will not be sent again. */
  forget(upstream: Upstream): void {
    this.kept.forget();
    this.uncount(upstream);
  }

  /** Nothing is kept any more that counts. */
  uncount(upstream: Upstream): void {
    if (this.#copy) upstream.copiedBytes -= this.#counted;
    else upstream.bufferedBytes -= this.#counted;
    this.#counted = 0;
    this.#copy = false;
  }
}
