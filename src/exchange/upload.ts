/** The body of a request on its way: what of it is kept, how much has come, and what follows it. */

import { type BodyLength, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { UpstreamStream } from "../http/upstream_stream.ts";
import { HIGH_WATER_BYTES } from "../http/water_marks.ts";
import type { StreamSource } from "../upstream/stream_source.ts";
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

/** Where the memory for bodies is counted. */
type BodyMemory = Pick<StreamSource, "bufferedBytes" | "copiedBytes" | "queueBytes">;

/** Of a body, what its pace depends on. */
type BodySender = Pick<
  DownstreamStream,
  "requestBody" | "requestDone" | "expectBody" | "pauseBody" | "resumeBody"
>;

export class Upload {
  readonly #client: BodySender;
  readonly #memory: BodyMemory;
  /** The client sends nothing before it has a 100 (RFC 9110 §10.1.1). */
  readonly #waitsFor100: boolean;
  readonly kept: RequestBody;
  /** Bytes received so far. */
  receivedBytes = 0;
  /** The trailer section that follows it. */
  trailers: ForwardedFields | null = null;
  /** Milliseconds it took, where all of it was read before the request went on. */
  readMs = 0;
  /** Bytes that count against the memory now: as `buffered`, or as `copied`. */
  #counted = 0;
  #copy = false;

  /** @param limit bytes that are kept at most */
  constructor(client: BodySender, memory: BodyMemory, limit: number, waitsFor100: boolean) {
    const { requestBody } = client;
    this.#client = client;
    this.#memory = memory;
    this.#waitsFor100 = waitsFor100;
    this.kept = new RequestBody(limit, requestBody <= limit ? requestBody : -1);
  }

  // On its way

  /** All that is kept goes out on a stream that was just opened, and whatever follows after it. */
  sendKept(stream: UpstreamStream): void {
    const client = this.#client;
    const { kept } = this;
    const nothingSent = kept.length === 0;
    if (!nothingSent) stream.sendBody(kept.bytes, 0, kept.length);
    if (!client.requestDone) kept.sent();
    this.#countSent();
    if (client.requestDone) {
      stream.sendEnd(this.trailers);
      return;
    }
    if (!this.#waitsFor100) client.expectBody();
    else if (nothingSent) stream.expectContinue();
    // Last: it may deliver what ends the exchange.
    client.resumeBody();
  }

  /** Bytes go from the client to the endpoint; arguments as in the event. */
  send(stream: UpstreamStream, bytes: Uint8Array, from: number, to: number, room: number): void {
    this.kept.retain(bytes, from, to);
    this.#countSent();
    stream.sendBody(bytes, from, to, room);
    if (stream.backlogBytes > HIGH_WATER_BYTES) this.#client.pauseBody();
  }

  /**
   * Bytes come before there is a stream; they are read ahead.
   *
   * @returns whether enough has been read: there is no room for more, or it is not a small one
   */
  readAhead(bytes: Uint8Array, from: number, to: number): boolean {
    this.kept.append(bytes, from, to);
    const { requestBody } = this.#client;
    if (this.receivedBytes === requestBody) return false;
    // Half of the memory is for requests that wait.
    const room = this.count() && 2 * this.#memory.bufferedBytes <= this.#memory.queueBytes;
    return !room || (this.kept.full && requestBody === UNKNOWN_LENGTH);
  }

  /** The client sends no more of it than is kept. */
  pauseWhenFull(): void {
    if (this.kept.full) this.#client.pauseBody();
  }

  /**
   * Of a request that waits.
   *
   * @returns false when what has come has nowhere to be kept
   */
  wait(): boolean {
    if (this.count()) return true;
    // A body that is not here yet can wait in the kernel.
    if (this.#client.requestDone) return false;
    this.#client.pauseBody();
    return true;
  }

  // Counted memory

  /** Counts what is kept before the request has a stream. @returns whether there is room for it */
  count(): boolean {
    const memory = this.#memory;
    if (this.#copy) this.uncount();
    memory.bufferedBytes += this.kept.length - this.#counted;
    this.#counted = this.kept.length;
    return memory.bufferedBytes <= memory.queueBytes;
  }

  /** What is kept has been sent. The copy stays, for sending it again, if there is room for it. */
  #countSent(): void {
    const memory = this.#memory;
    if (!this.#copy) this.uncount();
    this.#copy = true;
    memory.copiedBytes += this.kept.length - this.#counted;
    this.#counted = this.kept.length;
    if (this.#counted === 0) return;
    if (memory.bufferedBytes + memory.copiedBytes > memory.queueBytes) this.forget();
  }

  /** It will not be sent again. */
  forget(): void {
    this.kept.forget();
    this.uncount();
  }

  /** Nothing is kept any more that counts. */
  uncount(): void {
    if (this.#copy) this.#memory.copiedBytes -= this.#counted;
    else this.#memory.bufferedBytes -= this.#counted;
    this.#counted = 0;
    this.#copy = false;
  }
}
