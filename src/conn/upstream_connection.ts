/**
 * A connection to an endpoint, HTTP/1.1: encodes requests one at a time, parses their responses, and
 * keeps the deadlines of the endpoint's side. Who may use it next is decided elsewhere (`after_reply.ts`);
 * here is only what is known about it.
 *
 * States: `idle` (in the pool: any byte or FIN ends it), `busy` (one exchange), `raw` (a tunnel's), `gone`.
 */

import type { CloseReason, Socket } from "../../runtime/contract/contract.ts";
import { ConnectionOption, connectionOptions } from "../http1/connection_options.ts";
import { type BodyLength, NO_BODY, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import { type Fault, FAULTS } from "../http/fault.ts";
import { Field } from "../http/field.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { ForwardedRequest } from "../http/forwarded_request.ts";
import { type Head, HTTP_1_1 } from "../http/head.ts";
import type { Http1Limits } from "../http/limits.ts";
import type {
  PinHolder,
  UpstreamPeer,
  UpstreamPeerOwner,
  UpstreamStream,
  UpstreamStreamEvents,
  UpstreamTimeouts,
} from "../http/upstream_stream.ts";
import { LOW_WATER_BYTES } from "../http/water_marks.ts";
import { fieldLines, keptFields } from "../http1/encode.ts";
import { bodyLength, responseFraming } from "../http1/framing.ts";
import type { MessageParser } from "../http1/message_parser.ts";
import { responsePersists } from "../http1/persistence.ts";
import { switchesAsAsked } from "../http1/upgrade.ts";
import { Connection } from "./connection.ts";
import { ConnectionBytes } from "./connection_bytes.ts";
import type { IoTurn } from "./io_turn.ts";

/** Interim responses accepted before the final one; an endpoint that sends more is broken. */
const MAX_INTERIM = 64;

type State = "idle" | "busy" | "raw" | "gone";

export class UpstreamConnection extends Connection implements UpstreamPeer, UpstreamStream {
  owner: UpstreamPeerOwner;
  readonly #limits: Http1Limits;
  /** Null while nothing of a response has been read. */
  #parser: MessageParser | null = null;
  readonly openedAt: number;
  idleSince: number;
  uses = 0;
  #state: State = "idle";
  #rested = false;
  events: UpstreamStreamEvents | null = null;
  #raw: ByteStreamEvents | null = null;
  #method = "";
  #requestBody: BodyLength = NO_BODY;
  /** The current request, if it asks for a switch of protocols. */
  #switching: ForwardedRequest | null = null;
  requestDone = false;
  #responseHead = false;
  #responseDone = false;
  #persists = false;
  #interims = 0;
  /** Bytes have come since the request was begun. */
  #anyResponse = false;
  #readPaused = false;
  #advancing = false;
  #firstByteMs = 0;
  #bodyIdleMs = 0;
  #acceptedBefore = 0;
  pinnedTo: PinHolder | null = null;
  sentAt = 0;
  connectMs = 0;
  endpointAnswers = 0;
  keepAliveHintMs = 0;
  keepAlivePromised = false;

  constructor(turn: IoTurn, socket: Socket, limits: Http1Limits, owner: UpstreamPeerOwner) {
    super(turn, socket);
    this.owner = owner;
    this.#limits = limits;
    this.openedAt = turn.now;
    this.idleSince = this.openedAt;
  }

  /** UpstreamStream. */
  get peer(): UpstreamPeer {
    return this;
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress;
  }

  get freeStreams(): number {
    return this.#state === "idle" ? 1 : 0;
  }

  openStream(): UpstreamStream {
    return this;
  }

  get reused(): boolean {
    return this.#rested;
  }

  get requestSeen(): boolean {
    return this.acceptedBytes > this.#acceptedBefore;
  }

  get responseBegun(): boolean {
    return this.#responseHead;
  }

  get anyResponse(): boolean {
    return this.#anyResponse;
  }

  get responsePersists(): boolean {
    return this.#persists;
  }

  /**
   * The request went out to its end, the response was framed and did not ask for the end, no byte came after it, nothing
   * is waiting to be sent, and the connection has not become a tunnel.
   */
  get mayServeAgain(): boolean {
    return this.#state === "busy" && this.#responseDone && this.#persists && this.requestDone &&
      this.backlogBytes === 0 && !this.#hasExtraBytes;
  }

  /** Bytes have come after the end of the response. */
  get #hasExtraBytes(): boolean {
    return this.#parser !== null && this.#parser.unreadBytes > 0;
  }

  /** SwitchedConnection: its end before a switch ends the exchange. */
  get peerHasEnded(): boolean {
    return false;
  }

  // Sending

  sendRequest(request: ForwardedRequest, events: UpstreamStreamEvents, timeouts: UpstreamTimeouts): void {
    const { head, body, fields, authority } = request;
    this.#state = "busy";
    this.uses++;
    this.events = events;
    this.#method = head.method;
    this.#requestBody = body;
    this.#switching = request.upgrade === "" ? null : request;
    this.requestDone = body === NO_BODY || body === 0;
    this.#responseHead = false;
    this.#responseDone = false;
    this.#persists = false;
    this.#interims = 0;
    this.#anyResponse = false;
    this.#firstByteMs = timeouts.firstByteTimeoutMs;
    this.#bodyIdleMs = timeouts.bodyIdleTimeoutMs;
    this.#acceptedBefore = this.acceptedBytes;
    const { from } = fields;
    const kept = keptFields(from, fields.dropMask, fields.dropNames);
    this.sendLines(
      from.memo,
      requestLine(request),
      authority === null ? kept : "Host: " + authority + "\r\n" + kept,
      fields.added.text,
      hopLines(request),
    );
    this.sentAt = this.turn.now;
    this.setDeadline(this.requestDone ? this.sentAt + this.#firstByteMs : Infinity);
  }

  expectContinue(): void {
    if (!this.#responseHead) this.setDeadline(this.turn.now + this.#firstByteMs);
  }

  sendBody(bytes: Uint8Array, from: number, to: number, room = 0): void {
    if (to <= from) return;
    if (this.#requestBody === UNKNOWN_LENGTH) this.sendChunk(bytes, from, to, room);
    else this.sendBytes(bytes, from, to, room);
    this.#sendingMoved();
  }

  sendEnd(trailers: ForwardedFields | null): void {
    if (this.#requestBody === UNKNOWN_LENGTH) {
      this.sendLastChunk(trailers === null ? "" : fieldLines(trailers));
    }
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
      this.#raw?.bytesArrived(bytes);
      return;
    }
    if (this.#state !== "busy") return;
    this.#anyResponse = true;
    this.#neededParser().feed(bytes);
    this.#advance();
  }

  #neededParser(): MessageParser {
    return this.#parser ??= this.turn.codec.borrow("response", this.#limits);
  }

  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    const parser = this.#neededParser();
    while (this.#state === "busy") {
      if (this.#responseDone) {
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
      this.turn.codec.giveBack(parser);
    }
  }

  #headArrived(head: Head): void {
    const status = head.status;
    if (status === 101) {
      this.#responseHead = true;
      this.setDeadline(Infinity);
      const request = this.#switching;
      this.events?.upstreamSwitched(
        head,
        request !== null && switchesAsAsked(request.head, request.upgrade, head),
      );
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
    const body = bodyLength(kind, head);
    this.#neededParser().startBody(kind, body);
    this.events?.upstreamHead(head, body);
  }

  #messageEnded(): void {
    if (!this.#responseHead) return; // an interim response
    this.#responseDone = true;
    this.setDeadline(Infinity);
    // Its end has come all the same, and whoever uses the connection next has to hear of more.
    if (this.#readPaused) this.#resumeReading();
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
      this.#raw?.bytesEnded();
      return;
    }
    if (this.#state !== "busy" || this.#responseDone) return;
    this.#neededParser().endOfInput(this.socket.endedShort === true);
    this.#advance();
    if (this.#state !== "busy" || this.#responseDone) return;
    // Ended where no response was under way: the same as a connection closed without an answer.
    const events = this.events;
    this.events = null;
    this.abort();
    events?.upstreamGone({ code: "finished", detail: "the endpoint ended the connection" });
  }

  protected override peerEndAhead(reset: boolean): void {
    // A response is passed on as far as it has come, however slowly its client reads.
    if (reset && this.#state === "raw") this.#raw?.bytesBroken();
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
    if (raw !== null) raw.bytesClosed(reason);
    events?.upstreamGone(reason);
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
      this.#raw?.bytesTimedOut();
    } else {
      this.abort();
    }
  }

  protected override sendProgress(backlogBytes: number): void {
    if (this.#state === "raw") this.#raw?.bytesProgress(backlogBytes);
    if (this.#state !== "busy") return;
    this.#sendingMoved();
    if (backlogBytes <= LOW_WATER_BYTES) this.events?.upstreamWritable();
  }

  // Between exchanges

  /** SwitchedConnection. */
  rawDeadline(at: number): void {
    this.setDeadline(at);
  }

  rest(now: number, deadline: number): void {
    this.#state = "idle";
    this.#rested = true;
    this.events = null;
    this.#switching = null;
    this.idleSince = now;
    this.setDeadline(deadline);
  }

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

  discard(complete: boolean): void {
    if (complete && this.requestDone && !this.#hasExtraBytes) this.retire();
    else this.drop();
  }

  drop(): void {
    this.#state = "gone";
    this.events = null;
    this.abort();
  }

  switchProtocols(): ByteStream {
    return new ConnectionBytes(this);
  }

  /** SwitchedConnection. */
  becomeRaw(raw: ByteStreamEvents): Uint8Array | null {
    this.#state = "raw";
    this.#raw = raw;
    this.events = null;
    this.setDeadline(Infinity);
    const early = this.#parser?.takeUnread() ?? null;
    if (this.#readPaused) this.#resumeReading();
    return early;
  }
}

/** The client's own bytes where they are what we would write. */
function requestLine({ head, target }: ForwardedRequest): string {
  if (head.version === HTTP_1_1 && head.target === target) return head.startLine;
  return head.method + " " + target + " HTTP/1.1\r\n";
}

/** What this connection needs to know: connection options, and the framing. */
function hopLines({ acceptsTrailers, upgrade, body }: ForwardedRequest): string {
  const framing = body >= 0
    ? "Content-Length: " + body + "\r\n"
    : body === UNKNOWN_LENGTH
    ? "Transfer-Encoding: chunked\r\n"
    : "";
  if (!acceptsTrailers && upgrade === "") return framing;
  const trailers = acceptsTrailers ? "TE: trailers\r\n" : "";
  if (upgrade === "") return trailers + "Connection: TE\r\n" + framing;
  const options = acceptsTrailers ? "Upgrade, TE" : "Upgrade";
  return trailers + "Connection: " + options + "\r\nUpgrade: " + upgrade + "\r\n" + framing;
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
