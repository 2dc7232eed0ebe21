/**
 * A connection to an endpoint, HTTP/1.1: encodes requests one at a time, parses their responses, and
 * keeps the deadlines of the endpoint's side. Who may use it next is decided elsewhere (`after_reply.ts`);
 * here is only what is known about it.
 *
 * States: `idle` (in the pool: any byte or FIN ends it), `busy` (one exchange), `raw` (a tunnel's), `gone`.
 */

import type { CloseReason, Socket } from "../../runtime/contract/contract.ts";
import { ConnectionOption, connectionOptions } from "../http1/connection_options.ts";
import { type Fault, FAULTS } from "../http/fault.ts";
import { type BodyKind, responseFraming } from "../http1/framing.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { MessageParser } from "../http1/message_parser.ts";
import { borrowParser, returnParser } from "../http1/parser_pool.ts";
import { responsePersists } from "../http1/persistence.ts";
import { Connection, LOW_WATER_BYTES } from "./connection.ts";
import type { Turn } from "./turn.ts";
import type { RawEvents, UpstreamStreamEvents } from "./stream.ts";

/** Interim responses accepted before the final one; an endpoint that sends more is broken. */
const MAX_INTERIM = 64;

type State = "idle" | "busy" | "raw" | "gone";

/** Whoever pools connections. */
export interface UpstreamConnectionOwner {
  /** An idle connection ended, or received bytes nobody asked for: it has dropped itself. */
  idleLost(connection: UpstreamConnection, idleMs: number): void;
  /** A connection that was not idle is gone; after the exchange was told. */
  busyClosed(connection: UpstreamConnection): void;
}

/** Whoever a connection is pinned to. */
export interface PinHolder {
  /** It ended by itself while no request was under way on it. */
  pinLost(connection: UpstreamConnection): void;
}

export class UpstreamConnection extends Connection {
  readonly owner: UpstreamConnectionOwner;
  readonly #limits: Http1Limits;
  /** Null while nothing of a response has been read. */
  #parser: MessageParser | null = null;
  readonly openedAt: number;
  /** Since when it is idle. */
  idleSince: number;
  /** Requests sent on it so far, the current one included. */
  uses = 0;
  #state: State = "idle";
  #rested = false;
  events: UpstreamStreamEvents | null = null;
  #raw: RawEvents | null = null;
  #method = "";
  #requestKind: BodyKind = "none";
  /** The current request was handed over to its end. */
  requestDone = false;
  #responseHead = false;
  responseDone = false;
  #persists = false;
  #interims = 0;
  /** Bytes have come since the request was begun. */
  #anyResponse = false;
  #readPaused = false;
  #advancing = false;
  #firstByteMs = 0;
  #bodyIdleMs = 0;
  #acceptedBefore = 0;
  #offeredBefore = 0;
  /** What the one client connection has that it belongs to. Once set it stays: it never serves another client. */
  pinnedTo: PinHolder | null = null;
  /** Monotonic milliseconds at which the current request, as far as it has come, was handed over. */
  sentAt = 0;
  /** Milliseconds that opening it took. Set by the pool's owner. */
  connectMs = 0;
  /** Answers its endpoint had given, on any connection, when this one was opened. Set by the pool's owner. */
  endpointAnswers = 0;
  /** `Keep-Alive: timeout=` of the last response, milliseconds; 0 = not told. */
  keepAliveHintMs = 0;
  /** The last response said `Connection: keep-alive`. */
  keepAlivePromised = false;

  constructor(turn: Turn, socket: Socket, limits: Http1Limits, owner: UpstreamConnectionOwner) {
    super(turn, socket);
    this.owner = owner;
    this.#limits = limits;
    this.openedAt = turn.now;
    this.idleSince = this.openedAt;
  }

  get state(): State {
    return this.#state;
  }

  /** It has been idle before the current request: its end may have been under way already. */
  get reused(): boolean {
    return this.#rested;
  }

  /** The kernel has taken bytes of the current request: the endpoint may have seen it. */
  get requestSeen(): boolean {
    return this.acceptedBytes > this.#acceptedBefore;
  }

  /** Bytes of the current request that were handed over for sending. */
  get requestBytes(): number {
    return this.offeredBytes - this.#offeredBefore;
  }

  /** The endpoint has begun to answer. */
  get responseBegun(): boolean {
    return this.#responseHead;
  }

  /** Bytes of a response have come, be it of an interim one or of half a head. */
  get anyResponse(): boolean {
    return this.#anyResponse;
  }

  /** Bytes have come after the end of the response. */
  get hasExtraBytes(): boolean {
    return this.#parser !== null && this.#parser.unreadBytes > 0;
  }

  /** Framing and options of the response allow another request. */
  get responsePersists(): boolean {
    return this.#persists;
  }

  // Sending

  /**
   * Begins an exchange; the connection must be idle.
   *
   * @param head what the client sent: method and length of the body are as there
   * @param startLine request line with its CRLF
   * @param fields field lines without framing, in two parts
   */
  sendRequest(
    head: Head,
    startLine: string,
    fields: string,
    moreFields: string,
    kind: BodyKind,
    events: UpstreamStreamEvents,
    firstByteMs: number,
    bodyIdleMs: number,
  ): void {
    const { bodyBytes } = head;
    this.#state = "busy";
    this.uses++;
    this.events = events;
    this.#method = head.method;
    this.#requestKind = kind;
    this.requestDone = bodyBytes === 0;
    this.#responseHead = false;
    this.responseDone = false;
    this.#persists = false;
    this.#interims = 0;
    this.#anyResponse = false;
    this.#firstByteMs = firstByteMs;
    this.#bodyIdleMs = bodyIdleMs;
    this.#acceptedBefore = this.acceptedBytes;
    this.#offeredBefore = this.offeredBytes;
    const framing = kind === "length"
      ? "Content-Length: " + bodyBytes + "\r\n"
      : kind === "chunked"
      ? "Transfer-Encoding: chunked\r\n"
      : "";
    this.sendLines(head.section.written, startLine, fields, moreFields, framing);
    this.sentAt = this.turn.now;
    this.setDeadline(this.requestDone ? this.sentAt + firstByteMs : Infinity);
  }

  /** The client waits for a 100 before it sends the body: the endpoint is expected to answer now. */
  expectContinue(): void {
    if (!this.#responseHead) this.setDeadline(this.turn.now + this.#firstByteMs);
  }

  sendBody(bytes: Uint8Array, from: number, to: number, room = 0): void {
    if (to <= from) return;
    if (this.#requestKind === "chunked") this.sendChunk(bytes, from, to, room);
    else this.sendBytes(bytes, from, to, room);
    this.#sendingMoved();
  }

  sendEnd(trailers: string): void {
    if (this.#requestKind === "chunked") this.sendLastChunk(trailers);
    this.requestDone = true;
    this.#sendingMoved();
  }

  /**
   * Part of the request has gone. The wait for the first byte counts from its last one; while the client
   * is the one who has to send, there is no wait for the endpoint.
   */
  #sendingMoved(): void {
    const { now } = this.turn;
    if (this.backlogBytes > 0) this.setDeadline(now + this.#bodyIdleMs);
    else if (this.#responseHead) this.setDeadline(this.#readPaused ? Infinity : now + this.#bodyIdleMs);
    else this.setDeadline(this.requestDone ? now + this.#firstByteMs : Infinity);
    this.sentAt = now;
  }

  // Receiving

  protected override received(bytes: Uint8Array): void {
    if (this.#state === "idle") {
      this.#loseIdle();
      return;
    }
    if (this.#state === "raw") {
      this.#raw?.rawData(bytes);
      return;
    }
    if (this.#state !== "busy") return;
    this.#anyResponse = true;
    this.#neededParser().feed(bytes);
    this.#advance();
  }

  #neededParser(): MessageParser {
    return this.#parser ??= borrowParser("response", this.#limits);
  }

  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    const parser = this.#neededParser();
    while (this.#state === "busy") {
      if (this.responseDone) {
        parser.suspend();
        break;
      }
      // Also while paused: what has been received takes memory here or there, and the end of the response may be in it.
      const event = parser.next();
      if (event === "more") {
        if (this.#responseHead && !this.#readPaused) this.setDeadline(this.turn.now + this.#bodyIdleMs);
        break;
      }
      if (event === "head") this.#headArrived(parser.head as Head);
      else if (event === "data") {
        this.events?.upstreamBody(parser.data, parser.dataFrom, parser.dataTo, parser.dataRoom);
      } else if (event === "end") this.#messageEnded();
      else {
        this.#faulted(parser.fault as Fault);
        break;
      }
    }
    this.#advancing = false;
    if (parser.reusable && this.#parser === parser) {
      this.#parser = null;
      returnParser(parser);
    }
  }

  #headArrived(head: Head): void {
    const status = head.status;
    if (status === 101) {
      this.#responseHead = true;
      this.setDeadline(Infinity);
      this.events?.upstreamSwitched(head);
      return;
    }
    if (status < 200) {
      if (++this.#interims > MAX_INTERIM) {
        this.#faulted(FAULTS.tooManyInterims);
        return;
      }
      this.#neededParser().startBody("none", 0);
      if (status === 100 && !this.requestDone) this.setDeadline(Infinity);
      this.events?.upstreamInterim(head);
      return;
    }
    const kind = responseFraming(head, this.#method);
    if (typeof kind !== "string") {
      this.#faulted(kind);
      return;
    }
    this.#responseHead = true;
    this.#persists = responsePersists(head, kind);
    if (this.#persists) {
      this.keepAliveHintMs = keepAliveHint(head);
      this.keepAlivePromised = head.has(Field.connection) &&
        (connectionOptions(head) & ConnectionOption.keepAlive) !== 0;
    }
    this.#neededParser().startBody(kind, head.bodyBytes);
    this.events?.upstreamHead(head, kind);
  }

  #messageEnded(): void {
    if (!this.#responseHead) return; // an interim response
    this.responseDone = true;
    this.setDeadline(Infinity);
    // Its end has come all the same, and whoever uses the connection next has to hear of more.
    if (this.#readPaused) this.#resumeReading();
    // Bytes after the end are seen by whoever asks `hasExtraBytes` in the event.
    this.events?.upstreamEnd(this.#parser?.trailers ?? null);
  }

  #faulted(fault: Fault): void {
    const events = this.events;
    this.events = null;
    this.abort();
    events?.upstreamFault(fault);
  }

  pauseBody(): void {
    if (this.#readPaused || this.#state !== "busy") return;
    this.#readPaused = true;
    this.setDeadline(Infinity);
    this.socket.pause();
  }

  resumeBody(): void {
    if (!this.#readPaused) return;
    if (this.#state !== "busy") return;
    this.#resumeReading();
    this.setDeadline(this.turn.now + (this.#responseHead ? this.#bodyIdleMs : this.#firstByteMs));
  }

  #resumeReading(): void {
    this.#readPaused = false;
    this.socket.resume();
  }

  protected override peerEnded(): void {
    if (this.#state === "idle") {
      this.#loseIdle();
      return;
    }
    if (this.#state === "raw") {
      this.#raw?.rawEnded();
      return;
    }
    if (this.#state !== "busy" || this.responseDone) return;
    this.#neededParser().endOfInput(this.socket.endedShort === true);
    this.#advance();
    if (this.#state !== "busy" || this.responseDone) return;
    // Ended where no response was under way: the same as a connection closed without an answer.
    const events = this.events;
    this.events = null;
    this.abort();
    events?.upstreamGone({ code: "finished", detail: "the endpoint ended the connection" });
  }

  protected override peerEndAhead(reset: boolean): void {
    // A response is passed on as far as it has come, however slowly its client reads.
    if (reset && this.#state === "raw") this.#raw?.rawBroken();
  }

  protected override gone(reason: CloseReason): void {
    const before = this.#state;
    this.#state = "gone";
    const events = this.events;
    this.events = null;
    if (before === "idle") {
      this.owner.idleLost(this, this.turn.now - this.idleSince);
      return;
    }
    if (before === "gone") return;
    const raw = this.#raw;
    this.#raw = null;
    if (raw !== null) raw.rawClosed(reason);
    events?.upstreamGone(reason);
    this.owner.busyClosed(this);
  }

  #loseIdle(): void {
    const idleMs = this.turn.now - this.idleSince;
    this.#state = "gone";
    this.abort();
    this.owner.idleLost(this, idleMs);
  }

  protected override timedOut(): void {
    if (this.#state === "busy" && this.takesSlowly(this.#bodyIdleMs)) return;
    if (this.#state === "idle") {
      // The endpoint may have answered without taking all of its request.
      this.retire();
      this.owner.idleLost(this, -1);
    } else if (this.#state === "busy") {
      const what = this.backlogBytes > 0 ? "write" : this.#responseHead ? "read" : "head";
      this.events?.upstreamTimedOut(what);
    } else if (this.#state === "raw") {
      this.#raw?.rawTimedOut();
    } else {
      this.abort();
    }
  }

  protected override sendProgress(backlogBytes: number): void {
    if (this.#state === "raw") this.#raw?.rawProgress(backlogBytes);
    if (this.#state !== "busy") return;
    this.#sendingMoved();
    if (backlogBytes <= LOW_WATER_BYTES) this.events?.upstreamWritable();
  }

  // Between exchanges

  /** Deadline of a tunnel's side; monotonic milliseconds. */
  rawDeadline(at: number): void {
    this.setDeadline(at);
  }

  /** Puts the connection to rest until `deadline`; the exchange before must be complete. */
  rest(now: number, deadline: number): void {
    this.#state = "idle";
    this.#rested = true;
    this.events = null;
    this.idleSince = now;
    this.setDeadline(deadline);
  }

  /** It rests until then instead. */
  restUntil(deadline: number): void {
    this.setDeadline(deadline);
  }

  /** Ends an idle connection, or one whose exchange is over, in order. */
  retire(): void {
    this.#state = "gone";
    this.events = null;
    this.close();
    this.setDeadline(this.turn.now + CLOSE_MS);
  }

  /** Drops the connection; no further event reaches the exchange or the owner. */
  drop(): void {
    this.#state = "gone";
    this.events = null;
    this.abort();
  }

  /**
   * From here on the connection is raw bytes and belongs to `raw`.
   *
   * @returns bytes that came after the 101, or null
   */
  switchTo(raw: RawEvents): Uint8Array | null {
    this.#state = "raw";
    this.#raw = raw;
    this.events = null;
    this.setDeadline(Infinity);
    const early = this.#parser?.takeUnread() ?? null;
    if (this.#readPaused) this.#resumeReading();
    return early;
  }
}

/** Longest time for the last bytes of a connection that is being closed. */
const CLOSE_MS = 5000;

/** The `timeout` parameter of Keep-Alive in milliseconds, 0 when absent or not a number. */
function keepAliveHint(head: Head): number {
  const value = head.joined(Field.keepAlive);
  if (value === null) return 0;
  const match = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,6})/i.exec(value);
  return match === null ? 0 : Number(match[1]) * 1000;
}
