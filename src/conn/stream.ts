/**
 * One request and its response as streams, whatever the wire version: what an exchange sees of the
 * client and of the endpoint. HTTP/1.1 implements both with one connection each.
 *
 * Bytes are lent for the call in both directions; `room` tells how many in front of them may be overwritten,
 * so that a head or the size of a chunk can be put there instead of being written apart. Nobody calls an event from inside a method of the
 * other side, except where a docstring says so.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { Fault } from "../http/fault.ts";
import type { BodyKind } from "../http1/framing.ts";
import type { Head } from "../http/head.ts";
import type { WrittenHead } from "../http/written_head.ts";

/**
 * How the body of a response is delimited as far as the sender knows: by its length, by a Content-Length
 * that is among the fields already (checked by the codec, which accepts only the canonical form), or
 * only by its end.
 */
export type ResponseBody = "none" | "length" | "sized" | "stream";

/** The client's side of one exchange. */
export interface DownstreamStream {
  /** Receiver of events; null while nobody is interested. */
  events: DownstreamStreamEvents | null;
  /** How the request body is framed. */
  readonly requestKind: BodyKind;
  /** The request has been received to its end. */
  readonly requestDone: boolean;
  /** Bytes the client has not taken yet. */
  readonly backlogBytes: number;

  /** Sends an interim response; dropped for a client that cannot understand it. */
  sendInterim(status: number, reason: string, fields: string): void;
  /**
   * Sends the response head. `fields` are complete field lines without connection options and, unless
   * `body` is "none" or "sized", without framing, which are added here.
   *
   * @param bodyBytes length of the body when `body` is "length"
   * @param close true to end the connection after this response
   * @param written remembers heads that are passed on again and again
   */
  sendHead(
    status: number,
    reason: string,
    fields: string,
    body: ResponseBody,
    bodyBytes: number,
    close: boolean,
    written?: WrittenHead | null,
  ): void;
  sendBody(bytes: Uint8Array, from: number, to: number, room?: number): void;
  /** Ends the response. `trailers` are field lines or "". */
  sendEnd(trailers: string): void;
  /** After `sendEnd`: goes on with a request that has arrived meanwhile; may begin it inside the call. */
  nextRequest(): void;
  /** Ends the connection so that the client sees that the response is not complete. */
  abortResponse(): void;
  /** No `downstreamBody` until `resumeBody`; the client is slowed down. */
  pauseBody(): void;
  resumeBody(): void;
}

/** What a client does during an exchange. */
export interface DownstreamStreamEvents {
  /** Bytes a second that the client must send of the body, or take of the response; 0 = any. */
  readonly leastRate: number;
  downstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void;
  downstreamEnd(trailers: Head | null): void;
  /** The rest of the request cannot be understood, or ended early. */
  downstreamFault(fault: Fault): void;
  /** The backlog has fallen to the low-water mark. */
  downstreamWritable(): void;
  /** The client sent FIN after its request: it has left, or still reads. */
  downstreamEnded(): void;
  /** The connection is gone. Last event. */
  downstreamGone(reason: CloseReason): void;
  /**
   * The client paused for too long while sending ("read") or while reading ("write").
   *
   * @param slow it did not pause, but was slower than `leastRate`
   */
  downstreamTimedOut(what: "read" | "write", slow: boolean): void;
}

/** What an endpoint does during an exchange. */
export interface UpstreamStreamEvents {
  /** 1xx except 101. */
  upstreamInterim(head: Head): void;
  /** 101: the connection is raw bytes from here; take it over or abort it. */
  upstreamSwitched(head: Head): void;
  upstreamHead(head: Head, kind: BodyKind): void;
  upstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void;
  upstreamEnd(trailers: Head | null): void;
  /** The response cannot be understood. */
  upstreamFault(fault: Fault): void;
  /** The connection ended before the response was complete. Last event. */
  upstreamGone(reason: CloseReason): void;
  upstreamWritable(): void;
  /** No first byte ("head"), a pause within the body ("read"), or it stopped reading ("write"). */
  upstreamTimedOut(what: "head" | "read" | "write"): void;
}

/** Receives the bytes of a connection that has become a tunnel's. */
export interface RawEvents {
  rawData(bytes: Uint8Array): void;
  /** FIN: the peer sends nothing more. */
  rawEnded(): void;
  /** The peer is gone while it is not read from; bytes that it had sent before may be unread. */
  rawBroken(): void;
  /** The connection is gone; last event. */
  rawClosed(reason: CloseReason): void;
  /** Unsent bytes have gone out. */
  rawProgress(backlogBytes: number): void;
  rawTimedOut(): void;
}
