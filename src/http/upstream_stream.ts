/**
 * A request to an endpoint and its response as a stream, whatever the wire version: all that an attempt knows of the
 * endpoint. HTTP/1 implements it with one connection, one stream at a time.
 *
 * Request line, connection options, remembered heads, pipelining, close and linger are the business of the
 * implementations. Bytes are lent for the call in both directions; `room` tells how many in front of them may be
 * overwritten, so that a head or the size of a chunk can be put there instead of being written apart. An event is never
 * called from inside a method of the same stream, except where a docstring says so.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { BodyLength } from "./body_length.ts";
import type { ByteStream } from "./byte_stream.ts";
import type { Fault } from "./fault.ts";
import type { ForwardedFields } from "./forwarded_fields.ts";
import type { ForwardedRequest } from "./forwarded_request.ts";
import type { Head } from "./head.ts";

/** Milliseconds. */
export interface UpstreamTimeouts {
  /** From the end of the request to the first byte of the response. */
  readonly firstByteTimeoutMs: number;
  /** Longest pause within a body, either way. */
  readonly bodyIdleTimeoutMs: number;
}

/** The endpoint's side of one attempt. */
export interface UpstreamStream {
  /** The connection that carries it. */
  readonly peer: UpstreamPeer;
  /**
   * Its connection has been idle before the request: its end may have been under way already. Also true of one that
   * rested without having served, and not of one that carried other streams all the time (see `UpstreamPeer.uses`).
   */
  readonly reused: boolean;
  /** Bytes of the request have been taken by the kernel: the endpoint may have seen it. */
  readonly requestSeen: boolean;
  /** Bytes of a response have come, be it of an interim one or of half a head. */
  readonly anyResponse: boolean;
  /** A final response, or a switch, has begun. */
  readonly responseBegun: boolean;
  /** After the response's end: its connection is fit for another request. */
  readonly mayServeAgain: boolean;
  /** Framing and options of the response allow another request. */
  readonly responsePersists: boolean;
  /** The response promised that the connection is kept. */
  readonly keepAlivePromised: boolean;
  /** Monotonic milliseconds at which the request, as far as it has come, was handed over. */
  readonly sentAt: number;
  /** Bytes handed over for sending that the endpoint has not taken yet. */
  readonly backlogBytes: number;

  /** Sends the head of a request. The first call on a stream; events follow. */
  sendRequest(request: ForwardedRequest, events: UpstreamStreamEvents, timeouts: UpstreamTimeouts): void;
  /** The client waits for a 100 before it sends the body: the endpoint is expected to answer now. */
  expectContinue(): void;
  sendBody(bytes: Uint8Array, from: number, to: number, room?: number): void;
  /** Ends the request. @param trailers null for none */
  sendEnd(trailers: ForwardedFields | null): void;
  /** No `upstreamBody` beyond what has been received until `resumeBody`. */
  pauseBody(): void;
  resumeBody(): void;
  /** After a switch: the raw bytes, which have their own events. The stream's receiver hears nothing more. */
  switchProtocols(): ByteStream;
  /**
   * Ends a stream that does not leave its connection fit for another request, without further events. Whether the
   * connection ends with it is the connection's business: the one of HTTP/1 does, one that carries others must not. After
   * `switchProtocols` the bytes end by themselves; once they have ended there is nothing left that this call could do.
   *
   * @param complete the response was received to its end; else what is under way is dropped
   */
  discard(complete: boolean): void;
}

/** What an endpoint does during an attempt. */
export interface UpstreamStreamEvents {
  /** 1xx except 101. */
  upstreamInterim(head: Head): void;
  /**
   * The endpoint switches protocols: take the bytes over, or close the stream.
   *
   * @param asAsked the switch is to a protocol that was asked for
   */
  upstreamSwitched(head: Head, asAsked: boolean): void;
  upstreamHead(head: Head, body: BodyLength): void;
  upstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void;
  upstreamEnd(trailers: Head | null): void;
  /** The response cannot be understood. */
  upstreamFault(fault: Fault): void;
  /** The stream ended before the response was complete. Last event. */
  upstreamGone(reason: CloseReason): void;
  upstreamWritable(): void;
  /** No first byte ("head"), a pause within the body ("read"), or it stopped reading ("write"). */
  upstreamTimedOut(what: "head" | "read" | "write"): void;
}

/** Pools connections. */
export interface UpstreamPeerOwner {
  /** An idle connection ended, or received bytes without a request: it has dropped itself. */
  idleLost(peer: UpstreamPeer, idleMs: number): void;
}

/** What a connection is pinned to. */
export interface PinHolder {
  /** It ended by itself while no request was under way on it. */
  pinLost(peer: UpstreamPeer): void;
  /** Whether no request is under way on it: those of one client go one after the other there, whatever it could carry. */
  isResting(peer: UpstreamPeer): boolean;
}

/** A connection to an endpoint: carries one stream at a time, or several. */
export interface UpstreamPeer {
  /** What holds it while no stream is open. */
  owner: UpstreamPeerOwner;
  /** IP literal that it leads to. */
  readonly remoteAddress: string;
  /** Monotonic milliseconds. */
  readonly openedAt: number;
  /** Since when no stream is open on it, monotonic milliseconds. */
  readonly idleSince: number;
  /** When it ends if no stream is opened; monotonic milliseconds. */
  readonly deadlineAt: number;
  /** Requests sent on it so far, those under way included. */
  readonly uses: number;
  /** Streams that may be opened now. HTTP/1: one while it is idle. */
  readonly freeStreams: number;
  /** `Keep-Alive: timeout=` of the last response, milliseconds; 0 = not told. */
  readonly keepAliveHintMs: number;
  /** The one client connection that it belongs to. Once set it stays: it never serves another client. */
  pinnedTo: PinHolder | null;
  /** Milliseconds that opening it took. Set by who opened it. */
  connectMs: number;
  /** Answers its endpoint had given, on any connection, when this one was opened. Set by who opened it. */
  endpointAnswers: number;

  /** Opens a stream; `freeStreams` must not be 0. */
  openStream(): UpstreamStream;
  /** No stream is open: it rests until `deadline`, monotonic milliseconds. */
  rest(now: number, deadline: number): void;
  /** It rests until then instead. */
  restUntil(deadline: number): void;
  /**
   * It takes no further stream, and ends in order: at once when none is open, else after the last one. Nothing when it
   * has ended, or was retired before.
   */
  retire(): void;
  /** Drops it; no further event reaches a stream or the owner. */
  drop(): void;
}
