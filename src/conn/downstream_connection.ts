/**
 * A client's HTTP/1.1 connection: parses requests one at a time, encodes their responses in order, and
 * keeps the deadlines of the client's side.
 *
 * States: `waiting` for a request (idle), `head` being received, `exchange` in progress, `lingering`
 * (answered for the last time, reading on so that the answer is not destroyed by a reset), `raw` (a
 * tunnel's), `gone`.
 */

import type { CloseReason, Socket } from "../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY } from "../http/body_length.ts";
import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import type {
  ClientCompanion,
  DownstreamPeer,
  DownstreamStream,
  DownstreamStreamEvents,
  ForwardedFrom,
  RequestHandler,
} from "../http/downstream_stream.ts";
import { type Fault, FAULTS } from "../http/fault.ts";
import { Field, maskOf } from "../http/field.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { type Head, HTTP_1_0, HTTP_1_1, type HttpVersion } from "../http/head.ts";
import type { Http1Limits } from "../http/limits.ts";
import { HIGH_WATER_BYTES, LOW_WATER_BYTES } from "../http/water_marks.ts";
import { fieldLines, keptFields } from "../http1/encode.ts";
import { bodyLength, requestFraming } from "../http1/framing.ts";
import type { MessageParser } from "../http1/message_parser.ts";
import { requestPersists } from "../http1/persistence.ts";
import { checkRequest } from "../http1/request_rules.ts";
import { askedUpgrade } from "../http1/upgrade.ts";
import { Connection } from "./connection.ts";
import { ConnectionBytes } from "./connection_bytes.ts";
import type { IoTurn, Postponed } from "./io_turn.ts";
import { movedBytes, Pace, type Way } from "./pace.ts";

/** Deadlines and limits of the client's side; milliseconds. */
export interface DownstreamSettings {
  readonly headTimeoutMs: number;
  readonly bodyIdleTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A client that has ended its sending side is still answered; otherwise it has left. */
  readonly servesHalfClosed: boolean;
  readonly limits: Http1Limits;
}

/** Longest silence of the client after our last answer; then the connection is closed (nginx: 5 s too). */
const LINGER_MS = 5000;
/**
 * Longest time to read on after our last answer (nginx: 30 s too). Time is the only bound: a client that sends all of a large
 * body before it reads finds the answer only if all of that has been read here. What is read is thrown away, so it costs
 * no memory, and no more work than the upload that was refused.
 */
const LINGER_TOTAL_MS = 30_000;
/** Bytes of pipelined requests kept while one is being answered; then reading pauses. */
const PIPELINE_BYTES = 64 * 1024;
const LENGTH_MASK = maskOf(Field.contentLength);

/** How the end of a response's body is told: there is none, by its length, by chunks, by the connection's end. */
type ResponseFraming = "none" | "length" | "chunked" | "close";

type State = "waiting" | "head" | "exchange" | "lingering" | "raw" | "gone";
/** Whether the client has ended its sending side: not, behind bytes that we have not read yet, or behind all of them. */
type ClientEnd = "none" | "ahead" | "reached";
/** What follows an answer: the end, a further request, or one even while the server ends (see `keepForHandshake`). */
type Afterwards = "end" | "request" | "handshake";

/** Of `#drainGapMs`: further requests are wanted. */
const NOT_DRAINING = -1;

/*
 * Thousands of connections rest at a time, so what one costs is counted: up to 38 fields, those of its ancestors included,
 * fit into the engine's cell of 320 bytes; the next size is 432.
 */

export class DownstreamConnection extends Connection implements DownstreamStream, DownstreamPeer, Postponed {
  readonly #settings: DownstreamSettings;
  readonly #handler: RequestHandler;
  /** Null while nothing of a message has been read or is left to be read. */
  #parser: MessageParser | null = null;
  #state: State = "waiting";
  events: DownstreamStreamEvents | null = null;
  #raw: ByteStreamEvents | null = null;
  requestBody: BodyLength = NO_BODY;
  requestDone = true;
  /** Of the current request. */
  #version: HttpVersion = HTTP_1_1;
  #afterwards: Afterwards = "end";
  /** The client asked for the end of the connection after this response: it sends nothing more. */
  #closeExpected = false;
  /** Of the response; null until its head has been sent. */
  #responseKind: ResponseFraming | null = null;
  /** The current request may be switched to another protocol. */
  #mayUpgrade = false;
  #clientEnd: ClientEnd = "none";
  #advancing = false;
  #readPaused = false;
  #bodyPaused = false;
  /** The client has been asked for the request body, or has begun to send it. */
  #bodyExpected = false;
  /** Of the current exchange; null while it need not be watched. */
  #pace: Pace | null = null;
  /** Once no further request is wanted on this connection: how long it must have been idle to be closed. Milliseconds. */
  #drainGapMs = NOT_DRAINING;
  companion: ClientCompanion | null = null;
  /** Bytes received so far. */
  receivedBytes = 0;
  /** Monotonic milliseconds at which the first byte of the current request was seen. */
  requestBeganAt = 0;
  /** Monotonic milliseconds since which the connection has been idle, or has lingered. */
  idleSince: number;
  #remoteAddress: string | null = null;
  #remotePort = -1;
  forwarded: ForwardedFrom | null = null;
  trusted = false;

  constructor(turn: IoTurn, socket: Socket, settings: DownstreamSettings, handler: RequestHandler) {
    super(turn, socket);
    this.#settings = settings;
    this.#handler = handler;
    this.idleSince = turn.now;
    this.setDeadline(this.idleSince + settings.headTimeoutMs);
  }

  /** DownstreamStream. */
  get peer(): DownstreamPeer {
    return this;
  }

  get isPerRequest(): boolean {
    return this.#version === HTTP_1_0;
  }

  forEachStream(visit: (stream: DownstreamStream) => void): void {
    if (this.events !== null) visit(this);
  }

  get secure(): boolean {
    return this.socket.tls !== null;
  }

  /** Asking the platform takes a system call or two. */
  get remoteAddress(): string {
    return this.#remoteAddress ??= this.socket.remoteAddress;
  }

  get remotePort(): number {
    if (this.#remotePort < 0) this.#remotePort = this.socket.remotePort;
    return this.#remotePort;
  }

  get responseBegun(): boolean {
    return this.#responseKind !== null;
  }

  get carriesTrailers(): boolean {
    return this.#version >= HTTP_1_1;
  }

  get owedAnswers(): number {
    if (this.#state === "raw") return 0;
    return this.backlogBytes > 0 || (this.#state === "exchange" && !this.sendingEnded) ? 1 : 0;
  }

  /** Bytes have come that are not part of the current request. */
  get #hasEarlyBytes(): boolean {
    return this.requestDone && this.#unreadBytes > 0;
  }

  /** SwitchedConnection. */
  get peerHasEnded(): boolean {
    return this.#clientEnd === "reached";
  }

  get hasLeft(): boolean {
    return this.#clientEnd !== "none" && !this.#settings.servesHalfClosed;
  }

  get responseSized(): boolean {
    return this.#responseKind === "none" || this.#responseKind === "length";
  }

  askedUpgrade(head: Head, allowed: readonly string[]): string {
    if (!head.has(Field.upgrade)) return "";
    const asked = askedUpgrade(head, this.requestBody, allowed);
    this.#mayUpgrade = asked !== "";
    return asked;
  }

  // Receiving

  protected override received(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    if (this.#state === "lingering") {
      if (this.backlogBytes === 0) this.#awaitSilence();
      return;
    }
    if (this.#state === "raw") {
      this.#raw?.bytesArrived(bytes);
      return;
    }
    if (this.#state === "gone") return;
    this.#neededParser().feed(bytes);
    if (this.#state === "exchange" && this.requestDone) {
      this.#parkPipelined();
      return;
    }
    this.#advance();
  }

  /** No further request is wanted on this connection. */
  get #draining(): boolean {
    return this.#drainGapMs !== NOT_DRAINING;
  }

  #neededParser(): MessageParser {
    return this.#parser ??= this.turn.codec.borrow("request", this.#settings.limits);
  }

  get #unreadBytes(): number {
    return this.#parser === null ? 0 : this.#parser.unreadBytes;
  }

  /** Bytes of the next request: kept, bounded, until this one is answered. */
  #parkPipelined(): void {
    this.#parser?.suspend();
    if (this.#unreadBytes > PIPELINE_BYTES) this.#pauseReading();
  }

  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    const parser = this.#neededParser();
    for (;;) {
      if (this.#state === "exchange") {
        if (this.requestDone) {
          this.#parkPipelined();
          break;
        }
        if (this.#bodyPaused) {
          parser.suspend();
          break;
        }
      } else if (this.#state === "waiting" && this.backlogBytes > HIGH_WATER_BYTES) {
        // Whoever does not take the answers is given no more of them.
        parser.suspend();
        this.#pauseReading();
        break;
      } else if (this.#state !== "waiting" && this.#state !== "head") {
        parser.suspend();
        break;
      }
      const event = parser.next();
      if (event === "more") {
        this.#starved();
        break;
      }
      if (event === "head") this.#headArrived(parser.head as Head);
      else if (event === "data") {
        this.#bodyExpected = true;
        this.events?.downstreamBody(parser.data, parser.dataFrom, parser.dataTo, parser.dataRoom);
      } else if (event === "end") this.#requestEnded();
      else {
        this.#faulted(parser.fault as Fault);
        break;
      }
    }
    this.#advancing = false;
    if (parser.reusable && this.#parser === parser) {
      this.#parser = null;
      this.turn.codec.giveBack(parser);
    }
  }

  /** All that has arrived is used up. */
  #starved(): void {
    if (this.#state === "waiting") {
      if (this.#parser?.between !== false) return;
      this.#state = "head";
      this.requestBeganAt = this.turn.now;
      this.setDeadline(this.requestBeganAt + this.#settings.headTimeoutMs);
      if (this.peerHasEnded) this.#endOfInput();
    } else if (this.#state === "exchange" && !this.requestDone) {
      this.#restartBodyDeadline();
      if (this.peerHasEnded) this.#endOfInput();
    }
  }

  #headArrived(head: Head): void {
    if (this.#state === "waiting") this.requestBeganAt = this.turn.now;
    this.#state = "exchange";
    this.#responseKind = null;
    this.#version = head.version;
    this.#mayUpgrade = false;
    this.requestDone = false;
    this.#bodyPaused = false;
    this.#bodyExpected = false;
    const kind = requestFraming(head);
    if (typeof kind !== "string") {
      this.#refuse(kind, head);
      return;
    }
    const fault = checkRequest(head);
    if (fault !== null) {
      this.#refuse(fault, head);
      return;
    }
    const body = bodyLength(kind, head);
    this.requestBody = body;
    const parser = this.#neededParser();
    parser.startBody(kind, body);
    this.#closeExpected = !requestPersists(head);
    this.#afterwards = this.#closeExpected ? "end" : "request";
    if (body === NO_BODY || body === 0) {
      // No body, or an empty one: complete with its head.
      parser.next();
      this.requestDone = true;
    }
    this.#watchOnlySending();
    this.#handler.request(this, head);
  }

  #requestEnded(): void {
    this.requestDone = true;
    if (this.backlogBytes === 0) this.#expectNothing();
    this.events?.downstreamEnd(this.#parser?.trailers ?? null);
  }

  #faulted(fault: Fault): void {
    if (this.#state === "exchange") {
      this.#afterwards = "end";
      if (this.events !== null) this.events.downstreamFault(fault);
      else this.#linger();
    } else {
      this.#state = "exchange";
      this.#responseKind = null;
      this.#version = HTTP_1_1;
      this.#refuse(fault, null);
    }
  }

  #refuse(fault: Fault, head: Head | null): void {
    this.#afterwards = "end";
    this.requestDone = false;
    this.requestBody = NO_BODY;
    this.#watchOnlySending();
    this.#handler.refused(this, fault, head);
  }

  /** The body's idle deadline rests while we are the ones who do not read, or the client waits for a 100. */
  #restartBodyDeadline(): void {
    if (this.#bodyPaused || !this.#bodyExpected || this.backlogBytes > 0) return;
    this.setDeadline(this.#deadlineOf("read"));
  }

  /** When the next bytes have to have moved at the latest. */
  #deadlineOf(way: Way): number {
    const { now } = this.turn;
    const { bodyIdleTimeoutMs } = this.#settings;
    const rate = this.events === null ? 0 : this.events.leastRate;
    if (rate === 0) return now + bodyIdleTimeoutMs;
    const least = Math.ceil(rate * bodyIdleTimeoutMs / 1000);
    this.#pace ??= new Pace();
    return this.#pace.endOfSpan(way, now, movedBytes(way, this), least, bodyIdleTimeoutMs);
  }

  /** Nothing is expected of the client. */
  #expectNothing(): void {
    this.#pace?.stop();
    this.setDeadline(Infinity);
  }

  expectBody(): void {
    if (this.requestDone) return;
    this.#bodyExpected = true;
    this.#restartBodyDeadline();
  }

  pauseBody(): void {
    if (this.#bodyPaused || this.requestDone || this.#state !== "exchange") return;
    this.#bodyPaused = true;
    if (this.backlogBytes === 0) this.#expectNothing();
    this.#pauseReading();
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return;
    this.#bodyPaused = false;
    if (this.#state !== "exchange") return;
    this.#resumeReading();
    this.#restartBodyDeadline();
    // Also without unread bytes: the end of the body may be all that is left to tell.
    this.#advance();
  }

  #pauseReading(): void {
    if (this.#readPaused) return;
    this.#readPaused = true;
    this.socket.pause();
  }

  #resumeReading(): void {
    if (!this.#readPaused) return;
    this.#readPaused = false;
    this.socket.resume();
  }

  protected override peerEndAhead(reset: boolean): void {
    if (this.#state === "raw") {
      if (reset) this.#raw?.bytesBroken();
      return;
    }
    // Idle or at its end: what it has not taken yet has a deadline of its own.
    if (this.#state !== "exchange") return;
    if (this.#clientEnd === "none") this.#clientEnd = "ahead";
    if (this.hasLeft) this.#afterwards = "end";
    if (reset) this.#lost();
    else this.events?.downstreamEnded();
  }

  /** The client can neither send nor receive, although its socket, which is paused, does not say so. */
  #lost(): void {
    const events = this.events;
    this.events = null;
    this.abort();
    events?.downstreamGone({ code: "reset", detail: "the client has reset the connection" });
  }

  protected override peerEnded(): void {
    this.#clientEnd = "reached";
    if (this.#state === "waiting" || this.#state === "lingering") {
      this.#endInOrder();
    } else if (this.#state === "head" || (this.#state === "exchange" && !this.requestDone)) {
      if (!this.#bodyPaused) this.#endOfInput();
    } else if (this.#state === "exchange") {
      // A client that has left is not answered what it has pipelined.
      if (this.#unreadBytes === 0 || this.hasLeft) this.#afterwards = "end";
      this.events?.downstreamEnded();
    } else if (this.#state === "raw") {
      this.#raw?.bytesEnded();
    }
  }

  /** FIN in the middle of a request. */
  #endOfInput(): void {
    const parser = this.#neededParser();
    parser.endOfInput();
    const event = parser.next();
    if (event === "fault") this.#faulted(parser.fault as Fault);
    else if (event === "end") this.#requestEnded();
    else this.#endInOrder();
  }

  protected override gone(reason: CloseReason): void {
    this.#state = "gone";
    const events = this.events;
    this.events = null;
    const raw = this.#raw;
    this.#raw = null;
    if (raw !== null) raw.bytesClosed(reason);
    events?.downstreamGone(reason);
    this.#companionDone();
    this.#handler.connectionClosed(this);
  }

  protected override timedOut(): void {
    // A tunnel has deadlines of its own, and that of a head is the client's to keep.
    const sending = this.#state !== "raw" && this.#state !== "head" && this.backlogBytes > 0;
    if (sending && this.#takesEnough()) return;
    if (this.#state === "waiting") {
      // Not a byte of a request: end in order, without an answer.
      if (this.backlogBytes > 0) this.abort();
      else this.#endInOrder();
    } else if (this.#state === "head") {
      this.#faulted(FAULTS.requestTimeout);
    } else if (this.#state === "exchange") {
      if (this.events === null) this.abort();
      else {
        const way = sending ? "write" : "read";
        this.events.downstreamTimedOut(way, this.#pace?.movedBefore(movedBytes(way, this)) === true);
      }
    } else if (this.#state === "raw") {
      this.#raw?.bytesTimedOut();
    } else if (this.#state === "lingering" && this.backlogBytes === 0) {
      // Not a reset: the kernel may still be sending our answer to a slow client.
      this.#endInOrder();
    } else {
      this.abort();
    }
  }

  /** Of a deadline that has passed: the client takes our bytes all the same, and the deadline is another now. */
  #takesEnough(): boolean {
    if (this.#pace === null) return this.takesSlowly(this.#settings.bodyIdleTimeoutMs);
    const at = this.#deadlineOf("write");
    if (at <= this.turn.now) return false;
    this.setDeadline(at);
    return true;
  }

  // Sending

  sendInterim(status: number, reason: string, fields: ForwardedFields): void {
    if (this.#version === HTTP_1_0 || this.#state !== "exchange" || this.responseBegun) return;
    this.sendText("HTTP/1.1 " + status + " " + reason + "\r\n" + fieldLines(fields) + "\r\n");
    if (this.backlogBytes > 0) this.#watchSending();
  }

  sendHead(status: number, reason: string, fields: ForwardedFields, body: BodyLength, close: boolean): void {
    const { from, dropMask } = fields;
    let kind: ResponseFraming = "none";
    let framing = "";
    let persist = this.#staysOpen && !close && (!this.#draining || this.#afterwards === "handshake");
    if (body >= 0) {
      kind = "length";
      if ((from.known & ~dropMask & LENGTH_MASK) === 0) {
        framing = body === 0 ? "Content-Length: 0\r\n" : "Content-Length: " + body + "\r\n";
      }
    } else if (body === NO_BODY) {
      kind = "none";
    } else if (this.#version >= HTTP_1_1) {
      kind = "chunked";
      framing = "Transfer-Encoding: chunked\r\n";
    } else {
      kind = "close";
      persist = false;
    }
    // What was sent early, for a switch that is not made, must not be read as the next request.
    if (this.#mayUpgrade && this.#hasEarlyBytes) persist = false;
    this.#responseKind = kind;
    this.#afterwards = persist ? "request" : "end";
    const kept = keptFields(from, dropMask, fields.dropNames);
    if (!persist) framing += "Connection: close\r\n";
    else if (this.#version === HTTP_1_0) framing += "Connection: keep-alive\r\n";
    this.sendLines(
      from.memo,
      this.turn.codec.statusLines.line(status, reason),
      kept,
      fields.added.text,
      framing,
    );
  }

  switchProtocols(reason: string, fields: ForwardedFields, protocol: string): ByteStream {
    this.events = null;
    this.#responseKind = "none";
    this.#afterwards = "end";
    const lines = fieldLines(fields) + "Connection: Upgrade\r\nUpgrade: " + protocol + "\r\n";
    this.sendText("HTTP/1.1 101 " + reason + "\r\n" + lines + "\r\n");
    return new ConnectionBytes(this);
  }

  sendBody(bytes: Uint8Array, from: number, to: number, room = 0): void {
    if (to <= from) return;
    if (this.#responseKind === "chunked") this.sendChunk(bytes, from, to, room);
    else this.sendBytes(bytes, from, to, room);
    if (this.backlogBytes > 0) this.#watchSending();
  }

  sendEnd(trailers: ForwardedFields | null): void {
    if (this.#responseKind === "chunked") this.sendLastChunk(trailers === null ? "" : fieldLines(trailers));
    this.events = null;
    this.#pace = null;
    if (this.#afterwards === "end") {
      this.#lastAnswerSent();
      return;
    }
    this.#state = "waiting";
    this.#resumeReading();
    if (this.peerHasEnded && this.#unreadBytes === 0) {
      this.#lastAnswerSent();
      return;
    }
    this.#rest();
    if (this.backlogBytes > 0) this.#watchSending();
    // A request that has arrived meanwhile: its handling must not begin inside the handling of this one.
    if (this.#unreadBytes > 0 && !this.#advancing) this.turn.postpone(this);
  }

  /** The wait for the next request begins. */
  #rest(): void {
    this.idleSince = this.turn.now;
    this.setDeadline(
      this.idleSince + (this.#draining ? this.#drainGapMs : this.#settings.keepAliveTimeoutMs),
    );
  }

  /** Postponed: the next request has arrived already. */
  goOn(): void {
    if (this.#state === "waiting" && this.#unreadBytes > 0) this.#advance();
  }

  get #staysOpen(): boolean {
    return this.#afterwards !== "end" && this.requestDone;
  }

  staysOpenAfter(body: BodyLength): boolean {
    return this.#staysOpen && (body >= 0 || body === NO_BODY || this.#version >= HTTP_1_1);
  }

  keepForHandshake(): void {
    if (this.#afterwards === "request") this.#afterwards = "handshake";
  }

  endAfterAnswer(): void {
    this.#afterwards = "end";
  }

  endUnanswered(): void {
    this.#afterwards = "end";
    this.#linger();
  }

  #companionDone(): void {
    const { companion } = this;
    this.companion = null;
    companion?.clientDone();
  }

  #lastAnswerSent(): void {
    const clean = this.requestDone && this.#unreadBytes === 0;
    // After its FIN nothing comes that could make the kernel send a reset.
    if (this.peerHasEnded || (clean && this.#closeExpected)) {
      this.#endInOrder();
    } else {
      this.#linger();
    }
  }

  #linger(): void {
    this.#state = "lingering";
    this.events = null;
    this.#companionDone();
    this.#pace = null;
    this.#parser?.takeUnread();
    this.#resumeReading();
    this.finish();
    this.idleSince = this.turn.now;
    if (this.backlogBytes > 0) this.#watchSending();
    else this.#awaitSilence();
  }

  #awaitSilence(): void {
    const { now } = this.turn;
    this.setDeadline(Math.min(now + LINGER_MS, Math.max(this.idleSince + LINGER_TOTAL_MS, now)));
  }

  abortResponse(): void {
    this.events = null;
    this.#afterwards = "end";
    const kind = this.#responseKind;
    if (kind === null || kind === "close" || kind === "none") {
      // Nothing but a reset tells the client that a body delimited by the end is not complete.
      this.abort();
      return;
    }
    this.#linger();
  }

  protected override sendProgress(backlogBytes: number): void {
    if (this.#state === "raw") this.#raw?.bytesProgress(backlogBytes);
    else if (backlogBytes > 0) this.#watchSending();
    else if (this.#state === "lingering") this.#awaitSilence();
    else if (this.#state === "waiting") this.#rest();
    else if (this.#state !== "exchange") return;
    else if (this.requestDone || this.#bodyPaused) this.#expectNothing();
    else this.#restartBodyDeadline();
    if (backlogBytes > LOW_WATER_BYTES) return;
    if (this.#state === "waiting") {
      this.#resumeReading();
      this.goOn();
    } else {
      this.events?.downstreamWritable();
    }
  }

  /** The client does not read: it has the idle time to take the next bytes. */
  #watchSending(): void {
    this.setDeadline(this.#deadlineOf("write"));
  }

  /** Nothing is expected of the client, but to take what it has not taken of an earlier answer. */
  #watchOnlySending(): void {
    if (this.backlogBytes > 0) this.#watchSending();
    else this.setDeadline(Infinity);
  }

  /** Sends what is left and closes; what the platform holds may take no longer than our own queue. */
  #endInOrder(): void {
    this.#state = "gone";
    this.#companionDone();
    this.close();
    this.#watchSending();
  }

  refuseConnection(): DownstreamStream {
    this.#state = "exchange";
    this.requestDone = false;
    this.#afterwards = "end";
    this.setDeadline(Infinity);
    return this;
  }

  /** SwitchedConnection. */
  rawDeadline(at: number): void {
    this.setDeadline(at);
  }

  // Ending

  drain(now: number, gapMs: number): void {
    this.#drainGapMs = gapMs;
    // What is left of an answer has the time that it always has; only then the connection is idle.
    if (this.#state !== "waiting" || this.backlogBytes > 0) return;
    if (now - this.idleSince >= gapMs) {
      this.#endInOrder();
    } else {
      this.setDeadline(this.idleSince + gapMs);
    }
  }

  /** SwitchedConnection. */
  becomeRaw(raw: ByteStreamEvents): Uint8Array | null {
    this.#state = "raw";
    this.#companionDone();
    this.#raw = raw;
    this.events = null;
    this.setDeadline(Infinity);
    const early = this.#parser?.takeUnread() ?? null;
    this.#resumeReading();
    return early;
  }
}
