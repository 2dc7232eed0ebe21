/** The writing side of a connection to an endpoint: requests one at a time, and the deadlines of sending them. */

import { UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { ForwardedRequest } from "../http/forwarded_request.ts";
import type { UpstreamStreamEvents, UpstreamTimeouts } from "../http/upstream_stream.ts";
import { LOW_WATER_BYTES } from "../http/water_marks.ts";
import { fieldLines, keptFields } from "../http1/encode.ts";
import { HttpConnection } from "./http_connection.ts";
import { outOfOrder } from "./state_table.ts";
import { hopLines, hostAnd, isBodiless, requestLine, UpstreamRequest } from "./upstream_request.ts";
import { UPSTREAM_STATES, type UpstreamState, type UpstreamStep } from "./upstream_states.ts";

export abstract class UpstreamWriting extends HttpConnection {
  /** Changed by `take` alone. */
  state: UpstreamState = UPSTREAM_STATES["idle idle"];
  events: UpstreamStreamEvents | null = null;
  /** The current request, or the last one: few connections to endpoints rest, so each keeps its object. */
  protected readonly request = new UpstreamRequest();
  uses = 0;
  sentAt = 0;

  /** Takes a step of the table. */
  protected take(step: UpstreamStep): UpstreamStep["does"] {
    const { then } = step;
    if (then !== this.state) {
      if (then === null) throw outOfOrder(this.state, step);
      this.state = then;
    }
    return step.does;
  }

  /** The request was handed over to its end. */
  protected get sent(): boolean {
    return this.state.writing === "sent";
  }

  sendRequest(request: ForwardedRequest, events: UpstreamStreamEvents, timeouts: UpstreamTimeouts): void {
    const { fields, authority } = request;
    this.take(isBodiless(request.body) ? this.state.sendWholeRequest : this.state.sendRequest);
    this.uses++;
    this.events = events;
    this.request.begin(request, timeouts, this.acceptedBytes);
    const { from } = fields;
    const kept = keptFields(from, fields.dropMask, fields.dropNames);
    this.sendLines(
      from.memo,
      requestLine(request),
      authority === null ? kept : hostAnd(from, authority, kept),
      fields.added.text,
      hopLines(request),
    );
    this.sentAt = this.turn.now;
    this.setDeadline(this.sent ? this.sentAt + timeouts.firstByteTimeoutMs : Infinity);
  }

  expectContinue(): void {
    if (this.take(this.state.expectContinue) === "nothing") return;
    this.setDeadline(this.turn.now + this.request.firstByteMs);
  }

  sendBody(bytes: Uint8Array, from: number, to: number, room = 0): void {
    if (to <= from || this.take(this.state.sendBody) === "nothing") return;
    const request = this.request;
    if (request.body === UNKNOWN_LENGTH) this.sendChunk(bytes, from, to, room);
    else this.sendBytes(bytes, from, to, room);
    this.#sendingMoved(request);
  }

  sendEnd(trailers: ForwardedFields | null): void {
    if (this.take(this.state.sendEnd) === "nothing") return;
    const request = this.request;
    if (request.body === UNKNOWN_LENGTH) {
      this.sendLastChunk(trailers === null ? "" : fieldLines(trailers));
    }
    this.#sendingMoved(request);
  }

  /**
   * Part of the request has gone. The wait for the first byte counts from its last one; while the client
   * is the one who has to send, there is no wait for the endpoint.
   */
  #sendingMoved({ responseBegun, firstByteMs, bodyIdleMs }: UpstreamRequest): void {
    const { now } = this.turn;
    if (this.backlogBytes > 0) this.setDeadline(now + bodyIdleMs);
    else if (responseBegun) this.setDeadline(this.readPaused ? Infinity : now + bodyIdleMs);
    else this.setDeadline(this.sent ? now + firstByteMs : Infinity);
    this.sentAt = now;
  }

  protected override sendProgress(backlogBytes: number): void {
    const act = this.take(this.state.drained);
    if (act === "raw") this.raw?.bytesProgress(backlogBytes);
    if (act !== "moved") return;
    this.#sendingMoved(this.request);
    if (backlogBytes <= LOW_WATER_BYTES) this.events?.upstreamWritable();
  }
}
