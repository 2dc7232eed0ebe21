/** The reading side of a client's connection: requests one at a time, pauses, and the client's end. */

import { type BodyLength, NO_BODY } from "../http/body_length.ts";
import type { Fault } from "../http/fault.ts";
import { type Head, HTTP_1_1, type HttpVersion } from "../http/head.ts";
import { HIGH_WATER_BYTES } from "../http/water_marks.ts";
import { bodyLength, requestFraming } from "../http1/framing.ts";
import type { MessageParser } from "../http1/message_parser.ts";
import { requestPersists } from "../http1/persistence.ts";
import { checkRequest } from "../http1/request_rules.ts";
import { DownstreamDeadlines } from "./downstream_deadlines.ts";
import { DOWNSTREAM_STATES, type DownstreamState, type DownstreamStep } from "./downstream_states.ts";
import type { Postponed } from "./io_turn.ts";
import type { RequestUnderWay } from "./request_under_way.ts";
import { outOfOrder } from "./state_table.ts";

/** Bytes of pipelined requests kept while one is being answered; then reading pauses. */
const PIPELINE_BYTES = 64 * 1024;

/** Whether the client has ended its sending side: not, behind bytes that we have not read yet, or behind all of them. */
type ClientEnd = "none" | "ahead" | "reached";

const IDLE = DOWNSTREAM_STATES["idle idle"];

/** A layer, not an object of its own, for the sake of connections that rest; as `DownstreamDeadlines`. */
export abstract class DownstreamReading extends DownstreamDeadlines implements Postponed {
  /** Changed by `take` alone. */
  state: DownstreamState = IDLE;
  #clientEnd: ClientEnd = "none";
  /** Monotonic milliseconds at which the first byte of the current request was seen. */
  requestBeganAt = 0;

  /** A request may be answered. */
  protected abstract requestArrived(head: Head): void;
  /** What has arrived is to be refused; `head` is null when it could not be parsed. */
  protected abstract requestRefused(fault: Fault, head: Head | null): void;
  /** Nothing is answered any more, but the client may still be sending. */
  protected abstract linger(): void;
  /** Nothing is answered any more, and nothing that comes matters. */
  protected abstract closeInOrder(): void;
  abstract endAfterAnswer(): void;

  /** Takes a step of the table. */
  protected take(step: DownstreamStep): DownstreamStep["does"] {
    const { then } = step;
    if (then !== this.state) {
      if (then === null) throw outOfOrder(this.state, step);
      this.state = then;
    }
    return step.does;
  }

  get requestBody(): BodyLength {
    return this.request === null ? NO_BODY : this.request.body;
  }

  get requestDone(): boolean {
    return this.state.reading === "whole";
  }

  /** SwitchedConnection. */
  get peerHasEnded(): boolean {
    return this.#clientEnd === "reached";
  }

  get hasLeft(): boolean {
    return this.#clientEnd !== "none" && !this.settings.servesHalfClosed;
  }

  // Receiving

  protected override received(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    const act = this.take(this.state.data);
    if (act === "parse") {
      this.parser.feed(bytes);
      this.advance();
    } else if (act === "park") {
      this.parser.feed(bytes);
      this.#park(this.parser);
    } else if (act === "raw") {
      this.raw?.bytesArrived(bytes);
    } else if (act === "hush" && this.backlogBytes === 0) {
      this.awaitSilence();
    }
  }

  protected override borrowed(): MessageParser {
    return this.turn.codec.borrow("request", this.settings.limits);
  }

  protected override advance(): void {
    const parser = this.beginParsing();
    if (parser === null) return;
    while (this.#mayParse(parser)) {
      const event = parser.next();
      if (event === "more") {
        this.#starved(parser);
        break;
      }
      if (event === "data") this.#bodyArrived(parser);
      else if (event === "head") this.#headArrived(parser.head as Head, parser);
      else if (event === "end") this.#messageEnded(parser.trailers);
      else {
        this.faulted(parser.fault as Fault);
        break;
      }
    }
    this.endParsing(parser);
  }

  /** If not, the bytes have been suspended. */
  #mayParse(parser: MessageParser): boolean {
    const act = this.take(this.state.parse);
    if (act === "parse" || (act === "ifTaken" && this.backlogBytes <= HIGH_WATER_BYTES)) return true;
    if (act === "ifWanted" && this.request?.bodyPaused === false) return true;
    if (act === "park") {
      this.#park(parser);
      return false;
    }
    parser.suspend();
    // A client that does not take the answers gets no further ones.
    if (act === "ifTaken") this.pauseReading();
    return false;
  }

  /** Bytes of the next request: kept, bounded, until this one is answered. */
  #park(parser: MessageParser): void {
    parser.suspend();
    if (parser.unreadBytes > PIPELINE_BYTES) this.pauseReading();
  }

  #starved(parser: MessageParser): void {
    if (this.state === IDLE && parser.between) return;
    const act = this.take(this.state.starved);
    if (act === "awaitHead") {
      this.requestBeganAt = this.turn.now;
      this.awaitHead(this.requestBeganAt);
    } else if (act === "awaitBody") {
      this.awaitBody(this.request as RequestUnderWay);
    } else {
      return;
    }
    if (this.peerHasEnded) this.#endOfInput();
  }

  #headArrived(head: Head, parser: MessageParser): void {
    if (this.state === IDLE) this.requestBeganAt = this.turn.now;
    const kind = requestFraming(head);
    if (typeof kind !== "string") {
      this.#fault(kind, head);
      return;
    }
    const fault = checkRequest(head);
    if (fault !== null) {
      this.#fault(fault, head);
      return;
    }
    const request = this.begun(head.version);
    const body = bodyLength(kind, head);
    request.body = body;
    parser.startBody(kind, body);
    request.closeExpected = !requestPersists(head);
    if (!request.closeExpected) request.afterwards = "request";
    this.request = request;
    if (body === NO_BODY || body === 0) {
      // No body, or an empty one: complete with its head.
      parser.next();
      this.take(this.state.wholeRequest);
    } else {
      this.take(this.state.request);
    }
    this.watchOnlySending();
    this.requestArrived(head);
  }

  protected begun(version: HttpVersion): RequestUnderWay {
    const request = this.turn.requestsUnderWay.borrow();
    request.begin(version);
    return request;
  }

  #bodyArrived(parser: MessageParser): void {
    (this.request as RequestUnderWay).bodyExpected = true;
    this.events?.downstreamBody(parser.data, parser.dataFrom, parser.dataTo, parser.dataRoom);
  }

  #messageEnded(trailers: Head | null): void {
    this.take(this.state.bodyEnd);
    if (this.backlogBytes === 0) this.expectNothing();
    this.events?.downstreamEnd(trailers);
  }

  protected faulted(fault: Fault): void {
    this.#fault(fault, null);
  }

  #fault(fault: Fault, head: Head | null): void {
    if (this.take(this.state.fault) === "refuse") {
      this.request = this.begun(head === null ? HTTP_1_1 : head.version);
      this.watchOnlySending();
      this.requestRefused(fault, head);
      return;
    }
    this.endAfterAnswer();
    if (this.events !== null) this.events.downstreamFault(fault);
    else this.linger();
  }

  expectBody(): void {
    if (this.take(this.state.expectBody) === "nothing") return;
    const request = this.request as RequestUnderWay;
    request.bodyExpected = true;
    this.awaitBody(request);
  }

  pauseBody(): void {
    if (this.take(this.state.pauseBody) === "nothing") return;
    const request = this.request as RequestUnderWay;
    if (request.bodyPaused) return;
    request.bodyPaused = true;
    if (this.backlogBytes === 0) this.expectNothing();
    this.pauseReading();
  }

  resumeBody(): void {
    if (this.take(this.state.resumeBody) === "nothing") return;
    const request = this.request as RequestUnderWay;
    if (!request.bodyPaused) return;
    request.bodyPaused = false;
    this.resumeReading();
    this.awaitBody(request);
    // Also without unread bytes: the end of the body may be all that is left to tell.
    this.advance();
  }

  /** Postponed: the next request has arrived already. */
  goOn(): void {
    if (this.state === IDLE && this.unreadBytes > 0) this.advance();
  }

  // The client's end

  protected override peerEnded(): void {
    this.#clientEnd = "reached";
    const act = this.take(this.state.fin);
    if (act === "close") {
      this.closeInOrder();
    } else if (act === "endOfInput") {
      if (this.request?.bodyPaused !== true) this.#endOfInput();
    } else if (act === "tell") {
      // A client that has left is not answered what it has pipelined.
      if (this.unreadBytes === 0 || this.hasLeft) this.endAfterAnswer();
      this.events?.downstreamEnded();
    } else if (act === "raw") {
      this.raw?.bytesEnded();
    }
  }

  /** FIN in the middle of a request: nothing but a fault can come of it. */
  #endOfInput(): void {
    const { parser } = this;
    parser.endOfInput();
    if (parser.next() === "fault") this.faulted(parser.fault as Fault);
  }

  protected override peerEndAhead(reset: boolean): void {
    const act = this.take(this.state.endAhead);
    if (act === "raw" && reset) this.raw?.bytesBroken();
    // Idle or at its end: what it has not taken yet has a deadline of its own.
    if (act !== "tell") return;
    if (this.#clientEnd === "none") this.#clientEnd = "ahead";
    if (this.hasLeft) this.endAfterAnswer();
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
}
