/**
 * One try at a request, on one stream. It ends as a response, as a switch of protocols, or as a failure; what it holds (the
 * stream, its slot, its part of the retry budget) is given back in `end` and nowhere else.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import { type AfterReply, afterReply } from "../client/after_reply.ts";
import type { BodyLength } from "../http/body_length.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import type { Fault } from "../http/fault.ts";
import type { ForwardedRequest } from "../http/forwarded_request.ts";
import type { Head } from "../http/head.ts";
import type { UpstreamStream, UpstreamStreamEvents } from "../http/upstream_stream.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import type { PinUse } from "./pin_use.ts";

/** Told what becomes of it. */
export interface AttemptOwner {
  readonly context: ExchangeContext;
  readonly settings: ExchangeSettings;
  attemptInterim(head: Head): void;
  /** A final response has begun. */
  attemptAnswered(head: Head, body: BodyLength): void;
  attemptBody(bytes: Uint8Array, from: number, to: number, room: number): void;
  /** The response is complete. */
  attemptCompleted(trailers: Head | null): void;
  /** @param asAsked to a protocol that was asked for */
  attemptSwitched(head: Head, asAsked: boolean): void;
  /** The response cannot be understood. */
  attemptFaulted(fault: Fault): void;
  /** The stream has ended before the response was complete. */
  attemptLost(reason: CloseReason): void;
  attemptTimedOut(what: "head" | "read" | "write"): void;
  /** The endpoint takes more of the request. */
  attemptWritable(): void;
}

export class Attempt implements UpstreamStreamEvents {
  stream: UpstreamStream;
  readonly endpoint: Endpoint;
  readonly #owner: AttemptOwner;
  /** It takes part of the retry budget. */
  #retryCounted: boolean;
  /** Not over: what a stream may still tell of an attempt that is changes nothing, least of all the next attempt. */
  protected open = true;
  /**
   * The connection had carried a request before: an answer on it proves that the endpoint keeps connections. Whether its
   * end may have been under way when this request was sent is `stream.reused`.
   */
  servedBefore: boolean;
  /** A response has begun, be it an interim one. */
  responseSeen = false;
  /** From the request being sent to that; milliseconds. */
  firstByteMs = 0;

  /** @param isRetry bytes of the request have been sent before */
  constructor(
    owner: AttemptOwner,
    stream: UpstreamStream,
    endpoint: Endpoint,
    isRetry: boolean,
  ) {
    this.#owner = owner;
    this.stream = stream;
    this.endpoint = endpoint;
    this.#retryCounted = isRetry;
    this.servedBefore = stream.peer.uses > 0;
  }

  /** Milliseconds that opening its connection took, 0 when it was there. */
  get connectMs(): number {
    return this.servedBefore ? 0 : this.stream.peer.connectMs;
  }

  send(request: ForwardedRequest): void {
    this.endpoint.sentAt = this.#owner.context.turn.now;
    this.stream.sendRequest(request, this, this.#owner.settings);
  }

  #sawResponse(): void {
    if (this.#retryCounted) this.#retryAnswered();
    if (this.responseSeen) return;
    this.responseSeen = true;
    this.firstByteMs = this.#owner.context.turn.now - this.stream.sentAt;
  }

  /**
   * An answer may last for hours, and must not keep others from being retried. Should the connection fail after an interim
   * response, the next attempt counts anew.
   */
  #retryAnswered(): void {
    this.#retryCounted = false;
    this.#owner.settings.upstream.retryAnswered();
  }

  protected answered(): void {
    this.#sawResponse();
    const { stream, endpoint } = this;
    const keeps = this.servedBefore || stream.keepAlivePromised;
    this.#owner.settings.upstream.answered(endpoint, keeps, stream.sentAt);
  }

  upstreamInterim(head: Head): void {
    if (!this.open) return;
    this.#sawResponse();
    this.#owner.attemptInterim(head);
  }

  upstreamHead(head: Head, body: BodyLength): void {
    if (!this.open) return;
    this.answered();
    this.#owner.attemptAnswered(head, body);
  }

  upstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    if (!this.open) return;
    this.#owner.attemptBody(bytes, from, to, room);
  }

  upstreamEnd(trailers: Head | null): void {
    if (!this.open) return;
    this.#owner.attemptCompleted(trailers);
  }

  upstreamSwitched(head: Head, asAsked: boolean): void {
    if (!this.open) return;
    this.answered();
    this.#owner.attemptSwitched(head, asAsked);
  }

  upstreamFault(fault: Fault): void {
    if (!this.open) return;
    this.#owner.attemptFaulted(fault);
  }

  upstreamGone(reason: CloseReason): void {
    if (!this.open) return;
    this.#owner.attemptLost(reason);
  }

  upstreamWritable(): void {
    if (!this.open) return;
    this.#owner.attemptWritable();
  }

  upstreamTimedOut(what: "head" | "read" | "write"): void {
    if (!this.open) return;
    this.#owner.attemptTimedOut(what);
  }

  /** After a switch: the raw bytes. The attempt is over when they are. */
  bytes(): ByteStream {
    return this.stream.switchProtocols();
  }

  /** Its connection leads to where the client wants to: nothing is asked on it. @returns its bytes */
  reached(): ByteStream {
    if (this.#retryCounted) this.#retryAnswered();
    this.responseSeen = true;
    this.#owner.settings.upstream.answered(this.endpoint, false, this.stream.sentAt);
    return this.stream.switchProtocols();
  }

  /**
   * Its connection failed without an answer: the endpoint's health is judged by it.
   *
   * @param detail in words
   */
  blame(detail: string): void {
    const { upstream } = this.#owner.settings;
    if (this.stream.reused) upstream.suspect(this.endpoint);
    else upstream.failed(this.stream.peer, this.endpoint, { code: "connection_terminated", detail });
  }

  /**
   * Gives back what is held. Once is enough.
   *
   * @param complete the response was received to its end, so the connection may serve again
   */
  end(complete: boolean, pin: PinUse | null): void {
    if (!this.open) return;
    this.open = false;
    const { stream } = this;
    const fate = afterReply(stream, complete);
    if (fate !== "pool") this.#leave(fate, complete, pin);
    this.#owner.settings.upstream.release(stream.peer, this.endpoint, fate, this.#retryCounted);
  }

  /** The connection is for one client only after this. */
  #leave(fate: AfterReply, complete: boolean, pin: PinUse | null): void {
    const { stream } = this;
    if (fate === "pin") {
      pin?.rests(stream.peer);
      return;
    }
    if (fate === "close_both") pin?.ends(stream.peer);
    stream.discard(complete);
  }
}
