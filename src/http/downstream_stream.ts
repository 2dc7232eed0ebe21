/**
 * A client's request and our response to it as a stream, whatever the wire version: all that an exchange knows of the
 * client. HTTP/1 implements it with one connection, one stream at a time.
 *
 * Request line, connection options, remembered heads, pipelining, close and linger are the business of the
 * implementations. Bytes are lent for the call in both directions; `room` tells how many in front of them may be
 * overwritten, so that a head or the size of a chunk can be put there instead of being written apart. An event is never
 * called from inside a method of the same stream, except where a docstring says so.
 */

import type { CloseReason, Socket, SocketEvents } from "../../runtime/contract/contract.ts";
import type { BodyLength } from "./body_length.ts";
import type { ByteStream } from "./byte_stream.ts";
import type { Fault } from "./fault.ts";
import type { FieldSection } from "./field_section.ts";
import type { ForwardedFields } from "./forwarded_fields.ts";
import type { Head } from "./head.ts";

/** The client's side of one exchange. */
export interface DownstreamStream {
  /**
   * Receiver of events; null while none is wanted. The stream drops it once it has ended, by whatever call, or once the
   * protocol is switched: `downstreamGone` is told of neither.
   */
  events: DownstreamStreamEvents | null;
  /** The connection that carries it. */
  readonly peer: DownstreamPeer;
  readonly requestBody: BodyLength;
  /** The request has been received to its end. */
  readonly requestDone: boolean;
  /** Monotonic milliseconds at which the first byte of the request was seen. */
  readonly requestBeganAt: number;
  /** The head of the final response has been sent. */
  readonly responseBegun: boolean;
  /** It was sent, and tells where its body ends. */
  readonly responseSized: boolean;
  /** The client has ended its sending side, and that means that it has left. */
  readonly hasLeft: boolean;
  /** A trailer section can be sent to the client. */
  readonly carriesTrailers: boolean;
  /** Bytes handed over for sending that the client has not taken yet. */
  readonly backlogBytes: number;
  /** Monotonic count of bytes handed over for sending, heads and framing included. */
  readonly offeredBytes: number;

  /**
   * The protocols that the request may be switched to, separated by ", "; "" when it asks for none, or cannot switch.
   *
   * @param allowed tokens let through, lower case
   */
  askedUpgrade(head: Head, allowed: readonly string[]): string;
  /** Begins to expect the rest of the request body: the deadline for a pause within it runs from now. */
  expectBody(): void;
  /** No `downstreamBody` until `resumeBody`; the client is slowed down. */
  pauseBody(): void;
  /** May deliver inside the call what has arrived meanwhile, the end of the request and its fault included. */
  resumeBody(): void;

  /** Sends an interim response; dropped for a client that cannot understand it. */
  sendInterim(status: number, reason: string, fields: ForwardedFields): void;
  /**
   * Sends the head of the final response. A Content-Length among `fields` is passed on as it is; where there is none, and
   * `body` is a number of bytes, it is added.
   *
   * @param close no further request is taken on the connection
   */
  sendHead(status: number, reason: string, fields: ForwardedFields, body: BodyLength, close: boolean): void;
  sendBody(bytes: Uint8Array, from: number, to: number, room?: number): void;
  /**
   * Ends the response, and the stream: nothing of it may be used afterwards. The connection's next request may begin as
   * soon as the caller has returned.
   *
   * @param trailers null for none; dropped where `carriesTrailers` is false
   */
  sendEnd(trailers: ForwardedFields | null): void;
  /**
   * Tells the client that the protocol is switched; what follows is raw bytes.
   *
   * @param protocol as the endpoint named it
   */
  switchProtocols(reason: string, fields: ForwardedFields, protocol: string): ByteStream;

  /**
   * Tells the client that the tunnel it has asked for by CONNECT is there; what follows is raw bytes (RFC 9110 §9.3.6).
   */
  acceptTunnel(fields: ForwardedFields): ByteStream;

  /** Whether the client could send another request after an answer given now whose body is this long. */
  staysOpenAfter(body: BodyLength): boolean;
  /** Ends the stream so that the client sees that the response is not complete. */
  abortResponse(): void;
  /** Ends the stream without an answer, as an origin does that closes an idle connection: the client may try again. */
  endUnanswered(): void;
  /** Ends the stream now, unsent bytes included; HTTP/1: its connection. */
  abort(): void;
}

/** What a client does during an exchange. */
export interface DownstreamStreamEvents {
  /** Bytes a second that the client must send of the body, or take of the response; 0 = any. */
  readonly leastRate: number;
  downstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void;
  downstreamEnd(trailers: Head | null): void;
  /**
   * The rest of the request cannot be understood, or the client has ended its sending side within it (code
   * `incomplete_message`). While the body is paused that end is told by `downstreamEnded`, and by this after
   * `resumeBody`, once what had arrived before it has been delivered.
   */
  downstreamFault(fault: Fault): void;
  /** The backlog has fallen to the low-water mark. */
  downstreamWritable(): void;
  /**
   * The client has ended its sending side after its request, or within a body that is paused: it has left (`hasLeft`), or
   * still reads.
   */
  downstreamEnded(): void;
  /** The stream is gone. Last event. */
  downstreamGone(reason: CloseReason): void;
  /**
   * The client paused for too long while sending ("read") or while reading ("write").
   *
   * @param slow it did not pause, but was slower than `leastRate`
   */
  downstreamTimedOut(what: "read" | "write", slow: boolean): void;
}

/** Answers requests. May answer inside the call. */
export interface RequestHandler {
  /** A request head has arrived and is well-formed; `stream.requestDone` tells whether it has no body. */
  request(stream: DownstreamStream, head: Head): void;
  /**
   * What arrived is not an acceptable request. The answer must be given with `close`; the connection
   * lingers after it. `head` is null when it could not be parsed.
   */
  refused(stream: DownstreamStream, fault: Fault, head: Head | null): void;
  /** The connection is gone, whatever it was doing. */
  connectionClosed(peer: DownstreamPeer): void;
}

/** Something that belongs to a client's connection and ends with it. */
export interface DownstreamCompanion {
  /** No request comes on the connection any more. */
  clientDone(): void;
}

/** Fields that say where a connection's requests come from. */
export interface ForwardedFrom {
  /** What they depend on, besides the connection's ends. */
  readonly settings: object;
  readonly key: string;
  readonly fields: FieldSection;
}

/** A client's connection: carries one stream at a time, or several. */
export interface DownstreamPeer {
  /** IP literal of the client, "" for Unix sockets. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The listener speaks TLS. */
  readonly secure: boolean;
  /** The client opens a connection for each request unless it says otherwise (HTTP/1.0). */
  readonly isPerRequest: boolean;
  /** Requests that have no answer yet, or of whose answer not all has left: to abort now loses them. A tunnel is none. */
  readonly owedAnswers: number;
  /** Whether the client's own account of where requests come from is believed. Belongs to the gateway. */
  trusted: boolean;
  /** The fields made last, which several connections may share. Belongs to the exchange. */
  forwarded: ForwardedFrom | null;
  companion: DownstreamCompanion | null;
  /** Calls `visit` for each stream that has a receiver of events. */
  forEachStream(visit: (stream: DownstreamStream) => void): void;
  /** The next answer is in the middle of a handshake that cannot go on elsewhere: it does not announce an end. */
  keepForHandshake(): void;
  /** The answer under way is the last one on this connection. */
  endAfterAnswer(): void;
  /** A handler is going to answer although nothing was asked; the connection ends after that. */
  refuseConnection(): DownstreamStream;
  /**
   * No further request: the responses in progress announce the end; an idle connection is closed when it has been idle
   * for `gapMs`.
   *
   * @param now monotonic milliseconds
   */
  drain(now: number, gapMs: number): void;
  abort(): void;
}

/** Opens a client's connection over a socket that was accepted, and speaks what its TLS handshake has agreed on. */
export type OpenDownstream = (socket: Socket, handler: RequestHandler) => SocketEvents & DownstreamPeer;
