/**
 * A client's HTTP/1.1 connection: parses requests one at a time, encodes their responses in order, and
 * keeps the deadlines of the client's side. Here is its writing side, and its end; what it
 * reads is in `downstream_reading.ts`, and its states are in `downstream_states.ts`.
 */

import type { CloseReason, Socket } from "../../runtime/contract/contract.ts";
import type { BodyLength } from "../http/body_length.ts";
import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import type {
  DownstreamCompanion,
  DownstreamPeer,
  DownstreamStream,
  ForwardedFrom,
  RequestHandler,
} from "../http/downstream_stream.ts";
import { type Fault, FAULTS } from "../http/fault.ts";
import { Field } from "../http/field.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { type Head, HTTP_1_0, HTTP_1_1 } from "../http/head.ts";
import { LOW_WATER_BYTES } from "../http/water_marks.ts";
import { fieldLines, keptFields } from "../http1/encode.ts";
import { askedUpgrade } from "../http1/upgrade.ts";
import { DownstreamReading } from "./downstream_reading.ts";
import type { DownstreamSettings } from "./downstream_settings.ts";
import type { IoTurn } from "./io_turn.ts";
import type { RequestUnderWay } from "./request_under_way.ts";

/*
 * Thousands of connections rest at a time, so what one costs is counted: up to 30 fields, those of its ancestors included,
 * fit into the engine's cell of 256 bytes; the next size is 320.
 */

export class DownstreamConnection extends DownstreamReading implements DownstreamStream, DownstreamPeer {
  readonly #handler: RequestHandler;
  companion: DownstreamCompanion | null = null;
  #remoteAddress: string | null = null;
  #remotePort = -1;
  forwarded: ForwardedFrom | null = null;
  trusted = false;

  constructor(turn: IoTurn, socket: Socket, settings: DownstreamSettings, handler: RequestHandler) {
    super(turn, socket, settings);
    this.#handler = handler;
  }

  // DownstreamPeer

  get isPerRequest(): boolean {
    return this.request?.version === HTTP_1_0;
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

  get owedAnswers(): number {
    if (this.raw !== null) return 0;
    return this.backlogBytes > 0 || (this.request !== null && !this.sendingEnded) ? 1 : 0;
  }

  keepForHandshake(): void {
    if (this.request?.afterwards === "request") this.request.afterwards = "handshake";
  }

  endAfterAnswer(): void {
    if (this.request !== null) this.request.afterwards = "end";
  }

  refuseConnection(): DownstreamStream {
    this.take(this.state.refuseConnection);
    this.request = this.begun(HTTP_1_1);
    this.setDeadline(Infinity);
    return this;
  }

  drain(now: number, gapMs: number): void {
    this.beginDraining(gapMs);
    // What is left of an answer has the time that it always has; only then the connection is idle.
    if (this.take(this.state.drain) === "nothing" || this.backlogBytes > 0) return;
    this.#closeOnceIdle(now, gapMs);
  }

  /** Idle is a client that has its answer: what the kernel still sends it has not got yet. */
  #closeOnceIdle(now: number, gapMs: number): void {
    const idleMs = Math.min(now - this.idleSince, this.sentAgoMs);
    if (idleMs >= gapMs) this.closeInOrder();
    else this.setDeadline(now + gapMs - idleMs);
  }

  // DownstreamStream: what is known of it

  get peer(): DownstreamPeer {
    return this;
  }

  get responseBegun(): boolean {
    return this.request !== null && this.request.framing !== null;
  }

  get responseSized(): boolean {
    return this.request?.responseSized === true;
  }

  get carriesTrailers(): boolean {
    return this.request !== null && this.request.version >= HTTP_1_1;
  }

  askedUpgrade(head: Head, allowed: readonly string[]): string {
    const { request } = this;
    if (request === null) return "";
    // A refused CONNECT: what came behind it was for the tunnel.
    if (head.method === "CONNECT") request.mayUpgrade = true;
    if (!head.has(Field.upgrade)) return "";
    const asked = askedUpgrade(head, request.body, allowed);
    request.mayUpgrade ||= asked !== "";
    return asked;
  }

  staysOpenAfter(body: BodyLength): boolean {
    const { request } = this;
    if (request === null || (request.mayUpgrade && this.unreadBytes > 0)) return false;
    return this.#staysOpen(request) && request.canFrame(body);
  }

  #staysOpen({ afterwards }: RequestUnderWay): boolean {
    return afterwards !== "end" && this.requestDone;
  }

  protected override requestArrived(head: Head): void {
    this.#handler.request(this, head);
  }

  protected override requestRefused(fault: Fault, head: Head | null): void {
    this.#handler.refused(this, fault, head);
  }

  // Time

  protected override timedOut(): void {
    const act = this.take(this.state.deadline);
    // A tunnel has deadlines of its own, and that of a head is the client's to keep.
    if (act === "raw") this.raw?.bytesTimedOut();
    else if (act === "refuse") this.faulted(FAULTS.requestTimeout);
    else if (this.backlogBytes > 0 && this.takesEnough()) return;
    else if (act === "late" && this.events !== null) {
      const way = this.backlogBytes > 0 ? "write" : "read";
      this.events.downstreamTimedOut(way, this.wasSlow(way));
    } else if (act !== "leave" || this.backlogBytes > 0) {
      this.abort();
    } else if (this.draining && this.state.reading === "idle") {
      this.#closeOnceIdle(this.turn.now, this.drainGapMs);
    } else {
      // Without an answer, but not by a reset: the kernel may still be sending what we have answered.
      this.closeInOrder();
    }
  }

  protected override sendProgress(backlogBytes: number): void {
    const act = this.take(this.state.drained);
    if (act === "raw") this.raw?.bytesProgress(backlogBytes);
    else if (backlogBytes > 0) this.watchSending();
    else if (act === "hush") this.awaitSilence();
    else if (act === "rest") this.awaitRequest();
    else if (act === "expectNothing") this.expectNothing();
    else if (act === "awaitBody") this.#awaitMoreBody(this.request as RequestUnderWay);
    if (backlogBytes > LOW_WATER_BYTES) return;
    if (act === "rest") {
      this.resumeReading();
      this.goOn();
    } else {
      this.events?.downstreamWritable();
    }
  }

  #awaitMoreBody(request: RequestUnderWay): void {
    if (request.bodyPaused) this.expectNothing();
    else this.awaitBody(request);
  }

  // Sending

  sendInterim(status: number, reason: string, fields: ForwardedFields): void {
    if (this.take(this.state.sendInterim) === "nothing" || this.isPerRequest) return;
    this.sendText("HTTP/1.1 " + status + " " + reason + "\r\n" + fieldLines(fields) + "\r\n");
    if (this.backlogBytes > 0) this.watchSending();
  }

  sendHead(status: number, reason: string, fields: ForwardedFields, body: BodyLength, close: boolean): void {
    if (this.take(this.state.sendHead) === "nothing") return;
    const request = this.request as RequestUnderWay;
    let persist = this.#staysOpen(request) && !close &&
      (!this.draining || request.afterwards === "handshake");
    // What was sent early, for a switch that is not made, must not be read as the next request.
    if (request.mayUpgrade && this.unreadBytes > 0) persist = false;
    const framing = request.frameResponse(fields, body, persist);
    const { from } = fields;
    const kept = keptFields(from, fields.dropMask, fields.dropNames);
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
    if (this.take(this.state.switchProtocols) === "nothing") return this.rawBytes();
    (this.request as RequestUnderWay).framing = "none";
    this.endAfterAnswer();
    const lines = fieldLines(fields) + "Connection: Upgrade\r\nUpgrade: " + protocol + "\r\n";
    this.sendText("HTTP/1.1 101 " + reason + "\r\n" + lines + "\r\n");
    return this.rawBytes();
  }

  /** SwitchedConnection. */
  override becomeRaw(raw: ByteStreamEvents): Uint8Array | null {
    this.take(this.state.becomeRaw);
    this.#noRequestComes();
    this.events = null;
    return this.handOver(raw);
  }

  acceptTunnel(fields: ForwardedFields): ByteStream {
    this.events = null;
    if (this.take(this.state.switchProtocols) === "nothing") return this.rawBytes();
    (this.request as RequestUnderWay).framing = "none";
    this.endAfterAnswer();
    // No framing, and this phrase: old clients compare it, others stumble over a length.
    this.sendText("HTTP/1.1 200 Connection established\r\n" + fieldLines(fields) + "\r\n");
    return this.rawBytes();
  }

  sendBody(bytes: Uint8Array, from: number, to: number, room = 0): void {
    if (to <= from || this.take(this.state.sendBody) === "nothing") return;
    // The cast: within an answer there is one.
    if ((this.request as RequestUnderWay).framing === "chunked") this.sendChunk(bytes, from, to, room);
    else this.sendBytes(bytes, from, to, room);
    if (this.backlogBytes > 0) this.watchSending();
  }

  sendEnd(trailers: ForwardedFields | null): void {
    if (this.take(this.state.sendEnd) === "nothing") return;
    const request = this.request as RequestUnderWay;
    if (request.framing === "chunked") this.sendLastChunk(trailers === null ? "" : fieldLines(trailers));
    this.events = null;
    if (request.afterwards === "end" || (this.peerHasEnded && this.unreadBytes === 0)) {
      this.#lastAnswerSent(request);
      return;
    }
    this.take(this.state.rest);
    this.#requestOver();
    this.resumeReading();
    this.awaitRequest();
    if (this.backlogBytes > 0) this.watchSending();
    // A request that has arrived meanwhile: its handling must not begin inside the handling of this one.
    if (this.unreadBytes > 0 && !this.advancing) this.turn.postpone(this);
  }

  // Ending

  #lastAnswerSent({ closeExpected }: RequestUnderWay): void {
    const clean = this.requestDone && this.unreadBytes === 0;
    // After its FIN nothing comes that could make the kernel send a reset.
    if (this.peerHasEnded || (clean && closeExpected)) this.closeInOrder();
    else this.linger();
  }

  abortResponse(): void {
    if (this.take(this.state.abortResponse) === "nothing") return;
    this.events = null;
    // Nothing but a reset tells the client that a body delimited by the end is not complete.
    const { framing } = this.request as RequestUnderWay;
    if (framing === "length" || framing === "chunked") this.linger();
    else this.abort();
  }

  /** The socket's end, which follows, is told as always. */
  override abort(): void {
    this.take(this.state.abort);
    super.abort();
  }

  endUnanswered(): void {
    if (this.take(this.state.endUnanswered) !== "nothing") this.linger();
  }

  /** Reads on for a while, so that the client finds our last answer (RFC 9112 §9.6). */
  protected override linger(): void {
    this.take(this.state.linger);
    this.#noRequestComes();
    this.events = null;
    this.takeUnread();
    this.resumeReading();
    this.finish();
    this.idleSince = this.turn.now;
    if (this.backlogBytes > 0) this.watchSending();
    else this.awaitSilence();
  }

  /** Sends what is left and closes; what the platform holds may take no longer than our own queue. */
  protected override closeInOrder(): void {
    this.take(this.state.close);
    this.#noRequestComes();
    this.close();
    this.watchSending();
  }

  protected override gone(reason: CloseReason): void {
    this.take(this.state.gone);
    const events = this.events;
    this.events = null;
    this.rawGone(reason);
    events?.downstreamGone(reason);
    this.#noRequestComes();
    this.#handler.connectionClosed(this);
  }

  #requestOver(): void {
    const { request } = this;
    this.request = null;
    if (request !== null) this.turn.requestsUnderWay.giveBack(request);
  }

  #noRequestComes(): void {
    this.#requestOver();
    this.#companionDone();
  }

  #companionDone(): void {
    const { companion } = this;
    this.companion = null;
    companion?.clientDone();
  }
}
