/**
 * The far ends of a wire, as tests hold them: a client that sends requests, and endpoints that answer. What stands
 * between them knows streams only, so that the same test runs over every wire. Each call has had its effect when it
 * returns.
 */

import type { SocketErrorCode } from "../../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY } from "../../../src/http/body_length.ts";
import type { DownstreamPeer, RequestHandler } from "../../../src/http/downstream_stream.ts";
import type { Turn } from "../../../src/time/turn.ts";
import type { Connector } from "../../../src/client/connector.ts";
import type { FakeClock } from "../fake_clock.ts";
import type { Pair } from "./pairs.ts";

/**
 * How a stream has ended, as its far end sees it; "" = it goes on.
 *
 * - `complete`: in order
 * - `cut`: it is told that the rest does not come
 * - `unanswered`: it is told that it may try again
 * - `aborted`: it is gone
 */
export type StreamEnd = "" | "complete" | "cut" | "unanswered" | "aborted";

/** What a client has got. */
export interface Answer {
  /** Statuses of interim responses. */
  readonly interims: number[];
  /** 0 before the head has come. */
  status: number;
  fields: readonly Pair[];
  length: BodyLength;
  body: string;
  trailers: readonly Pair[] | null;
  end: StreamEnd;
}

export function noAnswer(): Answer {
  return {
    interims: [],
    status: 0,
    fields: [],
    length: NO_BODY,
    body: "",
    trailers: null,
    end: "",
  };
}

/** What an endpoint has got of a request. */
export interface ReceivedRequest {
  method: string;
  target: string;
  /** Null: the client's Host is among the fields. */
  authority: string | null;
  fields: readonly Pair[];
  length: BodyLength;
  upgrade: string;
  body: string;
  trailers: readonly Pair[] | null;
  end: StreamEnd;
}

/** Raw bytes, once protocols were switched. */
export interface RawEnd {
  received: string;
  /** The other side has ended its sending side, or is gone. */
  end: "" | "ended" | "aborted";
  say(text: string): void;
  /** Ends the sending side. */
  finish(): void;
  /** Is gone. */
  reset(): void;
  /** Takes nothing until `readOn`. */
  stopReading(): void;
  readOn(): void;
}

/** A request, as its client holds it. */
export interface ClientEnd {
  readonly answer: Answer;
  /** After a switch. */
  readonly raw: RawEnd;
  body(text: string): void;
  end(trailers?: readonly Pair[]): void;
  /** Is gone. */
  reset(): void;
  /** Sends what cannot be understood. */
  garble(): void;
  /** The proxy finds that it has paused for too long. @param slow it was slower than it has to be */
  timeOut(what: "read" | "write", slow?: boolean): void;
  /** Takes nothing of the answer until `readOn`. */
  stopReading(): void;
  readOn(): void;
  /** The proxy does not want more of the body just now. */
  readonly held: boolean;
}

/** A client's connection. */
export interface ClientConnection {
  /** The proxy's end. */
  readonly peer: DownstreamPeer;
  /** Open: further requests may be sent. `last`: the proxy has told that none is wanted. */
  readonly state: "open" | "last" | "closed";
  /** What the proxy has said without being asked; null = nothing. */
  readonly unasked: Answer | null;
  /** Sends the head of a request. @param length NO_BODY, bytes, or UNKNOWN_LENGTH */
  request(method: string, target: string, fields: readonly Pair[], length: BodyLength): ClientEnd;
  /** Ends the sending side. */
  finish(): void;
  /** Is gone, with all its streams. */
  reset(): void;
}

/** A request, as its endpoint holds it. */
export interface EndpointEnd {
  readonly request: ReceivedRequest;
  /** After a switch. */
  readonly raw: RawEnd;
  /** Number of the connection that carries it, from 0. */
  readonly connection: number;
  interim(status: number, fields?: readonly Pair[]): void;
  /** @param length of the body that follows */
  head(status: number, fields: readonly Pair[], length: BodyLength): void;
  body(text: string): void;
  end(trailers?: readonly Pair[]): void;
  /** Switches. @param protocol "" names none: not as asked */
  switchTo(protocol: string): void;
  /** Is gone. */
  reset(): void;
  /** Sends what cannot be understood. */
  garble(): void;
  /** The proxy finds that it has paused for too long. */
  timeOut(what: "head" | "read" | "write"): void;
  /** Takes nothing of the request until `readOn`. */
  stopReading(): void;
  readOn(): void;
  /** The proxy does not want more of the answer just now. */
  readonly held: boolean;
}

/** What became of an endpoint's connection: `open` = in use or in the pool. */
export type ConnectionFate = "open" | "closed";

export interface WireOptions {
  /** Of all that is up to chance on the wire; null = nothing is. */
  readonly seed: number | null;
  readonly bodyIdleTimeoutMs: number;
  /** A client that has ended its sending side is still answered; otherwise it has left. */
  readonly servesHalfClosed: boolean;
}

export interface Wire {
  readonly name: string;
  /** Requests of several clients may be under way on one connection to an endpoint. */
  readonly sharesConnections: boolean;
  open(options: WireOptions): OpenWire;
}

export interface OpenWire {
  readonly clock: FakeClock;
  readonly turn: Turn;
  readonly connector: Connector;
  /** Requests that endpoints have got, in their order. */
  readonly requests: readonly EndpointEnd[];
  /** Opens a client's connection. */
  connect(handler: RequestHandler): ClientConnection;
  /** Dials fail from now on, or (null) succeed; until the next `run` they are under way. */
  dials(outcome: SocketErrorCode | null): void;
  /** Of the endpoint's connections, by their number. */
  fates(): readonly ConnectionFate[];
  /** The endpoint ends a connection. */
  lose(connection: number): void;
  /** `happens` is done in a turn of its own, with all that follows from it. */
  take(happens: () => void): void;
  /** All that can happen without time going by. */
  run(): void;
  advance(ms: number): void;
  /** Rules of the stream interfaces that were broken; empty when all is well. */
  readonly violations: readonly string[];
}
