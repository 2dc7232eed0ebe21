/**
 * A connection to an endpoint, HTTP/1.1: encodes requests one at a time, parses their responses, and
 * keeps the deadlines of the endpoint's side. Its next user is chosen elsewhere (`after_reply.ts`);
 * here is only what is known about it. Here is its reading side, and its end; what it writes is in
 * `upstream_writing.ts`, and its states are in `upstream_states.ts`.
 */

import type { CloseReason, Socket } from "../../runtime/contract/contract.ts";
import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import { type Fault, FAULTS } from "../http/fault.ts";
import type { Head } from "../http/head.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { PinHolder, UpstreamPeer, UpstreamPeerOwner, UpstreamStream } from "../http/upstream_stream.ts";
import { bodyLength, responseFraming } from "../http1/framing.ts";
import type { MessageParser } from "../http1/message_parser.ts";
import { responsePersists } from "../http1/persistence.ts";
import type { IoTurn } from "./io_turn.ts";
import { keepAliveHint, promisesKeepAlive } from "./keep_alive_hint.ts";
import type { UpstreamRequest } from "./upstream_request.ts";
import { UPSTREAM_STATES } from "./upstream_states.ts";
import { UpstreamWriting } from "./upstream_writing.ts";

/** Interim responses accepted before the final one; an endpoint that sends more is broken. */
const MAX_INTERIM = 64;
/** Longest time for the last bytes of a connection that is being closed. */
const CLOSE_MS = 5000;

const IDLE = UPSTREAM_STATES["idle idle"];
const DONE = UPSTREAM_STATES["done sent"];

export class UpstreamConnection extends UpstreamWriting implements UpstreamPeer, UpstreamStream {
  owner: UpstreamPeerOwner;
  readonly #limits: Http1Limits;
  readonly openedAt: number;
  idleSince: number;
  #rested = false;
  pinnedTo: PinHolder | null = null;
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
    return this.state === IDLE ? 1 : 0;
  }

  openStream(): UpstreamStream {
    return this;
  }

  get reused(): boolean {
    return this.#rested;
  }

  get requestSeen(): boolean {
    return this.acceptedBytes > this.request.acceptedBefore;
  }

  get responseBegun(): boolean {
    return this.request.responseBegun;
  }

  get anyResponse(): boolean {
    return this.request.anyResponse;
  }

  get responsePersists(): boolean {
    return this.request.persists;
  }

  /**
   * The request went out to its end, the response was framed and did not ask for the end, no byte came after it, nothing
   * is waiting to be sent, and the connection has not become a tunnel.
   */
  get mayServeAgain(): boolean {
    return this.state === DONE && this.responsePersists && this.backlogBytes === 0 && this.unreadBytes === 0;
  }

  /** SwitchedConnection: its end before a switch ends the exchange. */
  get peerHasEnded(): boolean {
    return false;
  }

  // Receiving

  protected override received(bytes: Uint8Array): void {
    const act = this.take(this.state.data);
    if (act === "parse") {
      this.request.anyResponse = true;
      this.parser.feed(bytes);
      this.advance();
    } else if (act === "raw") {
      this.raw?.bytesArrived(bytes);
    } else if (act === "keep") {
      this.parser.feed(bytes);
      this.parser.suspend();
    } else if (act === "lose") {
      this.#loseIdle();
    }
  }

  protected override borrowed(): MessageParser {
    return this.turn.codec.borrow("response", this.#limits);
  }

  protected override advance(): void {
    const parser = this.beginParsing();
    if (parser === null) return;
    while (this.#mayParse(parser)) {
      const event = parser.next();
      if (event === "more") {
        this.#starved();
        break;
      }
      if (event === "data") this.#bodyArrived(parser);
      else if (event === "head") this.#headArrived(parser.head as Head, parser);
      else if (event === "end") this.#messageEnded(parser.trailers);
      else {
        this.#faulted(parser.fault as Fault);
        break;
      }
    }
    this.endParsing(parser);
  }

  /** If not, the bytes have been suspended. */
  #mayParse(parser: MessageParser): boolean {
    // Also while paused: what has been received takes memory here or there, and the end of the response may be in it.
    if (this.take(this.state.parse) === "parse") return true;
    parser.suspend();
    return false;
  }

  #starved(): void {
    if (this.take(this.state.starved) === "nothing" || this.readPaused) return;
    this.setDeadline(this.turn.now + this.request.bodyIdleMs);
  }

  #headArrived(head: Head, parser: MessageParser): void {
    const request = this.request;
    const { status } = head;
    if (status === 101) {
      this.take(this.state.switched);
      request.responseBegun = true;
      this.setDeadline(Infinity);
      this.events?.upstreamSwitched(head, request.isSwitched(head));
    } else if (status < 200) {
      this.#interimArrived(head, parser, request);
    } else {
      this.#finalArrived(head, parser, request);
    }
  }

  #interimArrived(head: Head, parser: MessageParser, request: UpstreamRequest): void {
    if (++request.interims > MAX_INTERIM) {
      this.#faulted(FAULTS.tooManyInterims);
      return;
    }
    this.take(this.state.interim);
    parser.startBody("none", 0);
    if (head.status === 100 && !this.sent) this.setDeadline(Infinity);
    this.events?.upstreamInterim(head);
  }

  #finalArrived(head: Head, parser: MessageParser, request: UpstreamRequest): void {
    if (request.method === "CONNECT" && head.status < 300) {
      // RFC 9110 §9.3.6: from here on it is a tunnel, whatever the framing fields say.
      this.take(this.state.switched);
      request.responseBegun = true;
      this.setDeadline(Infinity);
      this.events?.upstreamSwitched(head, true);
      return;
    }
    const kind = responseFraming(head, request.method);
    if (typeof kind !== "string") {
      this.#faulted(kind);
      return;
    }
    this.take(this.state.head);
    request.responseBegun = true;
    request.persists = responsePersists(head, kind);
    if (request.persists) {
      this.keepAliveHintMs = keepAliveHint(head);
      this.keepAlivePromised = promisesKeepAlive(head);
    }
    const body = bodyLength(kind, head);
    parser.startBody(kind, body);
    this.events?.upstreamHead(head, body);
  }

  #bodyArrived(parser: MessageParser): void {
    this.events?.upstreamBody(parser.data, parser.dataFrom, parser.dataTo, parser.dataRoom);
  }

  #messageEnded(trailers: Head | null): void {
    if (this.take(this.state.end) === "nothing") return; // an interim response
    this.setDeadline(Infinity);
    // Its end has come all the same, and the next user of the connection has to hear of further bytes.
    this.resumeReading();
    this.events?.upstreamEnd(trailers);
  }

  #faulted(fault: Fault): void {
    this.take(this.state.fault);
    const events = this.events;
    this.events = null;
    this.abort();
    events?.upstreamFault(fault);
  }

  pauseBody(): void {
    if (this.take(this.state.pauseBody) === "nothing" || this.readPaused) return;
    this.setDeadline(Infinity);
    this.pauseReading();
  }

  resumeBody(): void {
    if (this.take(this.state.resumeBody) === "nothing" || !this.readPaused) return;
    this.resumeReading();
    const { responseBegun, bodyIdleMs, firstByteMs } = this.request;
    this.setDeadline(this.turn.now + (responseBegun ? bodyIdleMs : firstByteMs));
  }

  // The endpoint's end, and time

  protected override peerEnded(): void {
    const act = this.take(this.state.fin);
    if (act === "lose") this.#loseIdle();
    else if (act === "raw") this.raw?.bytesEnded();
    else if (act === "tell") this.#endedEarly();
    if (act !== "endOfInput") return;
    this.parser.endOfInput(this.socket.endedShort === true);
    this.advance();
    // A body has come to its end, or to a fault.
    if (this.state.reading !== "head") return;
    this.take(this.state.cut);
    this.#endedEarly();
  }

  /** Ended where no response was under way: the same as a connection closed without an answer. */
  #endedEarly(): void {
    const events = this.events;
    this.events = null;
    this.abort();
    events?.upstreamGone({ code: "finished", detail: "the endpoint ended the connection" });
  }

  protected override peerEndAhead(reset: boolean): void {
    // A response is passed on as far as it has come, however slowly its client reads.
    if (this.take(this.state.endAhead) === "raw" && reset) this.raw?.bytesBroken();
  }

  protected override gone(reason: CloseReason): void {
    const act = this.take(this.state.gone);
    const events = this.events;
    this.events = null;
    if (act === "lose") this.owner.idleLost(this, this.turn.now - this.idleSince);
    else if (act === "raw") this.rawGone(reason);
    else if (act === "tell") events?.upstreamGone(reason);
  }

  #loseIdle(): void {
    const idleMs = this.turn.now - this.idleSince;
    this.abort();
    this.owner.idleLost(this, idleMs);
  }

  protected override timedOut(): void {
    const act = this.take(this.state.deadline);
    if (act === "retire") {
      // The endpoint may have answered without taking all of its request.
      this.retire();
      this.owner.idleLost(this, -1);
    } else if (act === "late") {
      const { bodyIdleMs, responseBegun } = this.request;
      if (this.takesSlowly(bodyIdleMs)) return;
      const what = this.backlogBytes > 0 ? "write" : responseBegun ? "read" : "head";
      this.events?.upstreamTimedOut(what);
    } else if (act === "raw") {
      this.raw?.bytesTimedOut();
    } else {
      this.abort();
    }
  }

  // Between exchanges

  rest(now: number, deadline: number): void {
    this.take(this.state.rest);
    this.#rested = true;
    this.events = null;
    this.request.over();
    this.idleSince = now;
    this.setDeadline(deadline);
  }

  restUntil(deadline: number): void {
    this.setDeadline(deadline);
  }

  /** Ends an idle connection, or one whose exchange is over, in order. */
  retire(): void {
    if (this.take(this.state.retire) === "nothing") return;
    this.events = null;
    this.close();
    this.setDeadline(this.turn.now + CLOSE_MS);
  }

  discard(complete: boolean): void {
    if (complete && this.sent && this.unreadBytes === 0) this.retire();
    else this.drop();
  }

  drop(): void {
    this.take(this.state.drop);
    this.events = null;
    this.abort();
  }

  switchProtocols(): ByteStream {
    return this.rawBytes();
  }

  /** SwitchedConnection. */
  override becomeRaw(raw: ByteStreamEvents): Uint8Array | null {
    this.take(this.state.becomeRaw);
    this.events = null;
    return this.handOver(raw);
  }
}
