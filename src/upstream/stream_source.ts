/**
 * Where exchanges get their streams from: all that an exchange knows of an upstream. The books of a source balance as long
 * as every stream that it hands out is given back by `release`, and every waiter that gives up leaves.
 */

import type { SocketError } from "../../runtime/contract/contract.ts";
import type { AfterReply } from "../client/after_reply.ts";
import type { UpstreamPeer, UpstreamStream } from "../http/upstream_stream.ts";
import type { Counted } from "./counters.ts";
import type { Endpoint } from "./endpoint.ts";
import type { StreamRequest, Waiter } from "./waiting_room.ts";

export interface StreamSource extends Counted {
  readonly endpoints: readonly Endpoint[];
  /** Requests are held on purpose. */
  readonly paused: boolean;
  /** Requests wait for want of endpoints or slots, not just for connections being opened. */
  readonly pressed: boolean;
  /** Bytes of request bodies that may be kept. */
  readonly queueBytes: number;
  /** Bytes of request bodies kept by requests that wait, or will when they have been read. */
  bufferedBytes: number;
  /** Requests that will ask for a stream, and are not ready to yet: the source is there until they have. */
  coming: number;
  /** Bytes of copies of request bodies that were sent. */
  copiedBytes: number;

  /**
   * Asks for a stream. When a connection lies idle and the waiting room is empty, a stream on it is the answer; otherwise the waiter waits
   * and hears `streamReady` or `waitFailed`, possibly inside this call.
   */
  acquire(waiter: Waiter): UpstreamStream | null;
  /** The same for a request that asks for the first time, and has no connection of its own. */
  acquireFirst(request: StreamRequest): UpstreamStream | null;
  /** The waiter gives up. */
  leave(waiter: Waiter): void;
  /**
   * The exchange is done with a stream.
   *
   * @param fate what becomes of its connection; unless it may serve again it is gone or has been dropped
   * @param wasRetry `waiter.isRetry` at the time it was assigned, unless `retryAnswered` was called since
   */
  release(peer: UpstreamPeer, endpoint: Endpoint, fate: AfterReply, wasRetry: boolean): void;
  /** The answer to a retry has begun: what remains of it takes no part of the budget. */
  retryAnswered(): void;
  /**
   * An endpoint has begun to answer.
   *
   * @param keeps it keeps connections open: this one had served before, or the endpoint says so
   * @param sentAt when the request was sent, monotonic milliseconds
   */
  answered(endpoint: Endpoint, keeps: boolean, sentAt: number): void;
  /** A new connection ended before any answer. */
  failed(peer: UpstreamPeer, endpoint: Endpoint, error: SocketError): void;
  /** A pooled connection died without an answer: the others of that endpoint are suspect. */
  suspect(endpoint: Endpoint): void;
  /** Whether an endpoint other than this one can take a request now. */
  hasOther(endpoint: Endpoint): boolean;
  /** Monotonic count of milliseconds during which no endpoint could be reached, or requests were held on purpose. */
  outageMs(now: number): number;
  /** Milliseconds that are left of a request's hold time. */
  holdLeftMs(arrivedAt: number, queuedMs: number, now: number): number;
}
