/**
 * One request through the proxy, from its head to the end of its response.
 *
 * Phases, each visible in status: `reading` a small body to its end → `waiting` for a connection →
 * `sending` and awaiting the response → `relaying` it → `done` (or `tunnel` after a 101). A failure before
 * the response has begun goes to `#attemptFailed`, which asks `decideRetry`; whatever the exchange holds
 * (a place in the waiting room, a connection, buffered bytes) is given back in `#letGo` and nowhere else.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import { type BodyLength, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import { expectsContinue } from "../http/expect.ts";
import type { Fault } from "../http/fault.ts";
import { Field } from "../http/field.ts";
import { NO_FIELDS } from "../http/field_section.ts";
import type { ForwardedRequest } from "../http/forwarded_request.ts";
import type { Head } from "../http/head.ts";
import { acceptsTrailers, forwardedTrailers } from "../http/trailers.ts";
import type { UpstreamPeer, UpstreamStream, UpstreamStreamEvents } from "../http/upstream_stream.ts";
import { HIGH_WATER_BYTES } from "../http/water_marks.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { WaitFailure } from "../upstream/wait_failure.ts";
import type { Counted } from "../upstream/counters.ts";
import type { Waiter } from "../upstream/waiting_room.ts";
import { afterReply } from "../client/after_reply.ts";
import type { PinUser } from "../upstream/pins.ts";
import { forwardedRequest, hostToSend } from "./forward_request.ts";
import { ExchangeAccount } from "./exchange_account.ts";
import { goneBecause } from "./client_end.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import { because, closeWords, faultReason, refusalReason } from "./failure_reason.ts";
import { responseReason, tunnelReason, waitReason, waitWords } from "./failure_reason.ts";
import { interimFields, responseFields } from "./forward_response.ts";
import { sendFailure } from "./local_reply.ts";
import { Losses } from "./losses.ts";
import { PinUse } from "./pin_use.ts";
import { type ReasonCode, REASONS } from "./reason.ts";
import { type AttemptFailure, decideRetry, type RetryPolicy } from "./retry.ts";
import { StoredReply } from "./stored_reply.ts";
import { Tunnel, type TunnelEnd } from "./tunnel.ts";
import { isReadFirst, Upload } from "./upload.ts";
import { WaitTime } from "./wait_time.ts";

export type Phase = "reading" | "waiting" | "sending" | "collecting" | "relaying" | "tunnel" | "done";

/** Bodies of answers that may be retried are kept up to this size, in case they are the best there is. */
const STORED_REPLY_BYTES = 64 * 1024;
/** Pause before a request that an endpoint failed while it served others is sent again, doubled each time. */
const RETRY_PAUSE_MS = 25;
const SESSION_OVER = "the connection that the client was authenticated on has ended";
/** A request of which so many attempts have ended without an answer lets others go first: one is a restart's doing. */
const SUSPECT = 2;

export class Exchange extends ExchangeAccount
  implements DownstreamStreamEvents, UpstreamStreamEvents, Waiter, PinUser {
  phase: Phase = "reading";
  readonly #target: string;
  readonly #clientHost: string;
  /** Protocols to switch to, "" when no switch is asked for. */
  readonly #upgrade: string;
  #retryCounted = false;
  /** Null while no attempt was sent and ended without an answer. */
  #losses: Losses | null = null;
  #request: ForwardedRequest | null = null;
  /** The last complete answer that was worth another attempt. */
  #stored: StoredReply | null = null;
  /** One that is being received. */
  #collecting: StoredReply | null = null;

  // Waiter
  arrivedAt = 0;
  wantsFresh = false;
  isRetry = false;
  goesLast = false;
  probationMs = 0;
  readonly repeatable: boolean;

  /**
   * @param target path and query for the request line, byte-exact
   * @param clientHost host and port the client asked for, "" when it named none
   */
  constructor(
    context: ExchangeContext,
    settings: ExchangeSettings,
    retry: RetryPolicy,
    client: DownstreamStream,
    head: Head,
    target: string,
    clientHost: string,
    route: Counted,
  ) {
    super(context, settings, retry, client, head, route);
    this.#target = target;
    this.#clientHost = clientHost;
    this.#upgrade = client.askedUpgrade(head, context.upgrades);
    this.repeatable = retry.unanswered || retry.methods.includes(head.method) ||
      head.has(Field.idempotencyKey);
    client.events = this;
  }

  /** Waiter. */
  get ownConnection(): UpstreamPeer | null {
    return this.pin === null ? null : this.pin.waitsFor;
  }

  /** Waiter: it has had a connection before. */
  get admitted(): boolean {
    return this.attempts > 0;
  }

  get leastRate(): number {
    return this.settings.bodyRate;
  }

  /** Begins. May end inside the call. */
  begin(): void {
    if (this.client.requestDone) {
      this.#ask();
      return;
    }
    const { requestBufferBytes } = this.settings;
    const expected = this.client.requestBody;
    this.upload = new Upload(requestBufferBytes, expected <= requestBufferBytes ? expected : -1);
    // A client that waits for 100 sends nothing before a connection is in hand, and is not late.
    if (!expectsContinue(this.head)) {
      this.client.expectBody();
      if (isReadFirst(expected, this.settings)) return;
    }
    this.#ask();
  }

  // Waiting for a connection

  #ask(): void {
    const { upstream } = this.settings;
    this.phase = "waiting";
    // From here the request is held; a slow upload before takes nothing off its time, and jumps no queue.
    if (this.arrivedAt === 0) this.arrivedAt = this.context.turn.now;
    if (this.client.peer.companion !== null || this.head.has(Field.authorization)) {
      const pin = PinUse.of(this.client, upstream, this.context.turn, this.head);
      if (pin === "lost") {
        this.pinLost();
        return;
      }
      this.pin = pin;
      // What cannot be sent again must not meet a pooled connection that is being closed.
      if (pin !== null && pin.waitsFor === null) this.wantsFresh = true;
    }
    const stream = upstream.acquire(this);
    if (stream !== null) {
      this.#send(stream);
    } else if (this.inRoom) {
      const now = this.context.turn.now;
      (this.wait ??= new WaitTime()).begin(now, upstream.outageMs(now));
      if (this.upload !== null) this.#countKept(this.upload);
      // Last: it may be told that it waits for nothing.
      this.pin?.waits(this);
    }
  }

  /** PinUser: nothing was sent. The client may try again, and authenticate anew, on another connection. */
  pinLost(): void {
    this.#leaveUnanswered("connection_terminated", SESSION_OVER);
  }

  /** A waiting request's body counts against the memory of the room. */
  #countKept(upload: Upload): void {
    if (upload.count(this.settings.upstream)) return;
    // A body that is not here yet can wait in the kernel; one that is has nowhere to go.
    if (this.client.requestDone) this.#fail("body_buffer_full", "");
    else this.client.pauseBody();
  }

  #waitOver(): void {
    if (this.wait === null) return;
    const now = this.context.turn.now;
    this.wait.end(now, this.settings.upstream.outageMs(now));
  }

  streamReady(stream: UpstreamStream, endpoint: Endpoint): void {
    this.endpoint = endpoint;
    this.#send(stream);
  }

  waitFailed(failure: WaitFailure, detail: string): void {
    this.#waitOver();
    if (this.#stored !== null) this.#relayStored();
    else this.#fail(waitReason(failure), detail, waitWords(failure, detail));
  }

  // Sending

  #send(stream: UpstreamStream): void {
    const { settings, client } = this;
    const upload = this.upload;
    this.#waitOver();
    const { peer } = stream;
    const endpoint = peer.owner as Endpoint;
    this.stream = stream;
    this.endpoint = endpoint;
    this.#retryCounted = this.isRetry;
    this.phase = "sending";
    this.attempts++;
    this.endpointName = endpoint.name;
    endpoint.sentAt = this.context.turn.now;
    this.reusedConnection = peer.uses > 0;
    this.connectMs = this.reusedConnection ? 0 : peer.connectMs;
    this.pin?.sends(peer);
    stream.sendRequest(this.#requestFor(endpoint), this, settings);
    if (upload === null) return;
    const { kept } = upload;
    const waitsFor100 = expectsContinue(this.head) && kept.length === 0;
    if (kept.length > 0) stream.sendBody(kept.bytes, 0, kept.length);
    if (!client.requestDone) kept.sent();
    upload.countSent(settings.upstream);
    if (client.requestDone) {
      stream.sendEnd(upload.trailers);
      return;
    }
    client.resumeBody();
    if (!expectsContinue(this.head)) client.expectBody();
    else if (waitsFor100) stream.expectContinue();
  }

  #requestFor(endpoint: Endpoint): ForwardedRequest {
    if (this.#request !== null) return this.#request;
    const { head, client, context, settings: { hostHeader } } = this;
    const clientHost = this.#clientHost;
    const target = this.#target;
    const host = hostToSend(hostHeader, head, target, clientHost, endpoint.hostField);
    const request = forwardedRequest(
      head,
      client.requestBody,
      target,
      client.peer,
      context.forward,
      host,
      clientHost,
      this.#upgrade,
    );
    // The endpoint's own name differs from attempt to attempt.
    if (hostHeader.kind !== "endpoint" && clientHost !== "") this.#request = request;
    return request;
  }

  // The client's side

  downstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    // The cast: `begin` has made one for every request that is not complete with its head.
    const upload = this.upload as Upload;
    upload.receivedBytes += to - from;
    const { maxBodyBytes } = this.context;
    if (maxBodyBytes > 0 && upload.receivedBytes > maxBodyBytes) {
      this.#fail("request_too_large", "");
      return;
    }
    const stream = this.stream;
    if (stream === null) {
      if (this.phase === "done") return;
      upload.kept.append(bytes, from, to);
      if (this.phase === "waiting") this.#countKept(upload);
      else if (upload.receivedBytes !== this.client.requestBody && this.#readEnough(upload)) {
        this.#readSoFar(upload);
      }
      // The cast: the compiler takes the phase to be what it was.
      if ((this.phase as Phase) === "waiting" && upload.kept.full) this.client.pauseBody();
      return;
    }
    upload.kept.retain(bytes, from, to);
    upload.countSent(this.settings.upstream);
    stream.sendBody(bytes, from, to, room);
    if (stream.backlogBytes > HIGH_WATER_BYTES) this.client.pauseBody();
  }

  /** There is no room to read more of the body ahead, or it is not a small one. */
  #readEnough(upload: Upload): boolean {
    return !upload.countRead(this.settings.upstream) ||
      (upload.kept.full && this.client.requestBody === UNKNOWN_LENGTH);
  }

  downstreamEnd(trailers: Head | null): void {
    const upload = this.upload as Upload;
    if (trailers !== null) upload.trailers = forwardedTrailers(trailers);
    if (this.phase === "reading") this.#readSoFar(upload);
    else this.stream?.sendEnd(upload.trailers);
  }

  /** What had to be here before the request goes on is here. */
  #readSoFar(upload: Upload): void {
    upload.readMs = this.context.turn.now - this.headAt;
    this.#ask();
  }

  downstreamFault(fault: Fault): void {
    const code: ReasonCode = fault.code === "incomplete_message" ? "client_gone" : faultReason(fault);
    this.#letGo(false);
    if (this.client.responseBegun) this.#cut(code, fault.detail);
    else this.#fail(code, fault.detail, fault.detail, fault.status);
  }

  downstreamWritable(): void {
    this.stream?.resumeBody();
  }

  upstreamWritable(): void {
    this.client.resumeBody();
  }

  downstreamEnded(): void {
    const why = goneBecause(this.client, this.phase === "waiting" && this.settings.upstream.pressed);
    if (why === null) return;
    this.client.events = null;
    this.client.abort();
    this.#gone("client_gone", why);
  }

  downstreamGone(reason: CloseReason): void {
    // Nobody but the gateway aborts a connection that has an exchange: time is up for it.
    if (reason.code === "aborted") this.#gone("shutting_down", "");
    else this.#gone("client_gone", reason.detail);
  }

  #gone(code: ReasonCode, detail: string): void {
    this.#waitOver();
    this.#done(code, detail);
  }

  downstreamTimedOut(what: "read" | "write", slow: boolean): void {
    const detail = slow ? "slower than body_rate" : "";
    if (what === "write") {
      this.client.events = null;
      this.client.abort();
      this.#done("client_write_timeout", detail);
      return;
    }
    this.#fail("client_timeout", detail);
  }

  // The endpoint's side

  upstreamInterim(head: Head): void {
    this.#sawResponse();
    // A 100 that the client did not ask for would tell it nothing.
    if (head.status === 100) {
      if (!expectsContinue(this.head)) return;
      this.client.expectBody();
    }
    this.client.sendInterim(head.status, head.reason, interimFields(head));
    if (this.client.backlogBytes > HIGH_WATER_BYTES) this.stream?.pauseBody();
  }

  #sawResponse(): void {
    if (this.#retryCounted) {
      // An answer may last for hours, and must not keep others from being retried. Should the connection fail after an
      // interim response, the next attempt counts anew.
      this.#retryCounted = false;
      this.settings.upstream.retryAnswered();
    }
    if (this.responseSeen) return;
    this.responseSeen = true;
    this.firstByteMs = this.context.turn.now - (this.stream as UpstreamStream).sentAt;
  }

  /** A final response has begun, or a protocol switch. */
  #answered(stream: UpstreamStream): void {
    this.#sawResponse();
    this.settings.upstream.answered(
      this.endpoint as Endpoint,
      this.reusedConnection || stream.keepAlivePromised,
    );
  }

  upstreamHead(head: Head, body: BodyLength): void {
    this.#answered(this.stream as UpstreamStream);
    const { status } = head;
    if (status >= 502 && status <= 504 && this.#mayRetryStatus(status as 502 | 503 | 504, body)) {
      this.#collecting = new StoredReply(head, body);
      this.phase = "collecting";
      return;
    }
    this.#stored = null;
    this.#relayHead(head, body);
  }

  #mayRetryStatus(status: 502 | 503 | 504, body: BodyLength): boolean {
    if (this.pinned || !this.retry.on.includes(status)) return false;
    if (body > STORED_REPLY_BYTES) return false;
    return this.#decide(status).kind === "again";
  }

  #relayHead(head: Head, body: BodyLength): void {
    const { client, stream, context } = this;
    this.phase = "relaying";
    this.status = head.status;
    // It is not sent again, and the answer may last for hours.
    this.upload?.forget(this.settings.upstream);
    const trailers = body === UNKNOWN_LENGTH && client.carriesTrailers && acceptsTrailers(this.head);
    let fields = responseFields(head, body, context.date, trailers);
    let close = false;
    if ((this.pin !== null || head.status === 401 || head.status === 407) && stream !== null) {
      this.pin ??= PinUse.ofAnswer(client, this.settings.upstream, context.turn);
      ({ fields, close } = this.pin.answers(stream, head, fields, body, close));
    }
    client.sendHead(head.status, head.reason, fields, body, close);
  }

  upstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    if (this.phase === "collecting") {
      const collecting = this.#collecting as StoredReply;
      collecting.append(bytes, from, to);
      if (collecting.length > STORED_REPLY_BYTES) {
        // Too much to keep: this is the answer.
        this.#collecting = null;
        this.#stored = null;
        this.#relayHead(collecting.head, collecting.bodyLength);
        this.#relayBody(collecting.bytes, 0, collecting.length, 0);
      }
      return;
    }
    this.#relayBody(bytes, from, to, room);
  }

  #relayBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    this.responseBodyBytes += to - from;
    this.client.sendBody(bytes, from, to, room);
    if (this.client.backlogBytes > HIGH_WATER_BYTES) this.stream?.pauseBody();
  }

  upstreamEnd(trailers: Head | null): void {
    if (this.phase === "collecting") {
      this.#statusFailed();
      return;
    }
    const forwarded = trailers !== null && acceptsTrailers(this.head) ? forwardedTrailers(trailers) : null;
    // First the connection, so that a pipelined request finds it in the pool.
    this.#letGo(true);
    this.phase = "done";
    this.client.sendEnd(forwarded);
    this.#tellEnd();
  }

  upstreamFault(fault: Fault): void {
    const code = responseReason(fault);
    if (this.client.responseBegun) this.#cut(code, fault.detail);
    else this.#fail(code, fault.detail);
  }

  upstreamGone(reason: CloseReason): void {
    const begun = this.stream?.responseBegun === true;
    const { detail } = reason;
    if (this.client.responseBegun) this.#cut("http_response_incomplete", detail);
    else if (begun) this.#fail("http_response_incomplete", detail, closeWords(reason));
    else {
      // That an endpoint was drained is our own doing.
      if (reason.code !== "aborted") this.#noteLoss();
      this.#attemptFailed("reset", "connection_terminated", detail, closeWords(reason));
    }
  }

  /** The endpoint's time is up: the request goes elsewhere if that is allowed, else ends so that the client sees it. */
  endpointWithdrawn(): void {
    this.upstreamGone({ code: "aborted", detail: "the endpoint was drained" });
  }

  upstreamTimedOut(what: "head" | "read" | "write"): void {
    if (this.client.responseBegun) {
      this.#letGo(false);
      this.#cut(what === "write" ? "connection_write_timeout" : "connection_read_timeout", "");
    } else if (what === "head") {
      this.#noteLoss();
      this.#attemptFailed("timeout", "http_response_timeout", "", "");
    } else {
      this.#letGo(false);
      this.#fail(what === "write" ? "connection_write_timeout" : "connection_read_timeout", "");
    }
  }

  // Switching protocols

  upstreamSwitched(head: Head, asAsked: boolean): void {
    const stream = this.stream as UpstreamStream;
    this.#answered(stream);
    if (!asAsked) {
      this.#letGo(false);
      this.#fail("http_upgrade_failed", "the 101 does not fit the request");
      return;
    }
    this.status = 101;
    this.phase = "tunnel";
    this.pin?.forget(stream.peer);
    this.upload?.forget(this.settings.upstream);
    const { client, context, endpoint } = this;
    const protocol = head.joined(Field.upgrade) ?? "";
    const tunnel = new Tunnel(
      client.switchProtocols(head.reason, interimFields(head), protocol),
      stream.switchProtocols(),
      endpoint as Endpoint,
      this.settings.tunnelIdleTimeoutMs,
      this.#upgrade.toLowerCase() === "websocket",
      context.turn,
      (how) => this.#tunnelEnded(tunnel, how),
    );
    this.tunnel = tunnel;
    tunnel.start();
    context.tunnelOpened(tunnel);
  }

  #tunnelEnded(tunnel: Tunnel, how: TunnelEnd): void {
    this.responseBodyBytes = tunnel.upstreamBytes;
    this.context.tunnelClosed(tunnel);
    this.#done(tunnelReason(how), how === "finished" ? "" : how);
  }

  // Failing and trying again

  #decide(failure: AttemptFailure) {
    const stream = this.stream as UpstreamStream;
    const upload = this.upload;
    const now = this.context.turn.now;
    return decideRetry({
      failure,
      sent: stream.requestSeen,
      reused: stream.reused,
      anyResponse: stream.anyResponse,
      responseBegun: typeof failure !== "number" && stream.responseBegun,
      method: this.head.method,
      idempotencyKey: this.head.has(Field.idempotencyKey),
      replayable: upload === null || upload.kept.replayable,
      attempts: this.attempts,
      lost: this.#losses?.count ?? 0,
      timeLeftMs: this.settings.upstream.holdLeftMs(this.arrivedAt, this.wait?.queuedMs ?? 0, now),
      pinned: this.pin !== null && this.pin.boundTo(stream),
      elsewhere: this.attempts < this.settings.upstream.endpoints.length &&
        this.settings.upstream.hasOther(this.endpoint as Endpoint),
    }, this.retry);
  }

  /** See losses.ts. */
  #noteLoss(): void {
    const stream = this.stream;
    if (stream?.requestSeen !== true) return;
    (this.#losses ??= new Losses()).note(stream, this.context.turn.now);
  }

  /** The attempt ended without a byte of a final response. */
  #attemptFailed(failure: "reset" | "timeout", code: ReasonCode, detail: string, shown: string): void {
    const stream = this.stream as UpstreamStream;
    const endpoint = this.endpoint as Endpoint;
    const { upstream } = this.settings;
    const decision = this.#decide(failure);
    if (failure === "reset") {
      if (stream.reused) upstream.suspect(endpoint);
      else upstream.failed(stream.peer, endpoint, { code: "connection_terminated", detail });
    }
    const sent = stream.requestSeen;
    // Nobody is known where not a byte was sent: another connection will do.
    if (decision.kind === "again") this.pin?.forget(stream.peer);
    else if (
      decision.because === "pinned" && failure === "reset" && stream.reused && !stream.anyResponse
    ) {
      this.#leaveUnanswered(code, detail);
      return;
    }
    this.#letGo(false);
    if (decision.kind === "again") {
      // One that may be the cause must not do the same to pooled connections.
      this.wantsFresh = decision.fresh || (failure === "reset" && this.#losses !== null);
      this.isRetry = sent;
      this.goesLast = this.#losses !== null && this.#losses.count >= SUSPECT;
      this.probationMs = this.#losses?.probationMs ?? 0;
      // An endpoint that answers others, but not this request, is not asked as fast as it can fail.
      if (sent && this.attempts > 1 && endpoint.state !== "down") this.#askLater();
      else this.#ask();
      return;
    }
    if (this.#stored !== null) this.#relayStored();
    else {
      const told = refusalReason(decision.because, code);
      const lost = this.#losses?.count ?? 0;
      const why = told !== code ? code : lost > 1 ? `sent ${lost} times without an answer` : "";
      this.#fail(told, because(why, detail), because(why, shown));
    }
  }

  /** A retryable status was answered, and its body is complete. */
  #statusFailed(): void {
    const stored = this.#collecting as StoredReply;
    this.#collecting = null;
    this.#stored = stored;
    const decision = this.#decide(stored.head.status as 502 | 503 | 504);
    this.#letGo(true);
    if (decision.kind !== "again") {
      this.#relayStored();
      return;
    }
    this.isRetry = true;
    this.wantsFresh = false;
    this.#askLater();
  }

  /** Asks for another attempt after a pause that doubles with each. */
  #askLater(): void {
    this.phase = "waiting";
    this.context.later(RETRY_PAUSE_MS * 2 ** Math.min(this.attempts - 1, 6), () => {
      if (this.phase === "waiting" && !this.inRoom) this.#ask();
    });
  }

  /** The endpoint's own answer is the best there is. */
  #relayStored(): void {
    const stored = this.#stored as StoredReply;
    this.#stored = null;
    this.#letGo(false);
    this.#relayHead(stored.head, stored.bodyLength);
    this.#relayBody(stored.bytes, 0, stored.length, 0);
    this.phase = "done";
    this.client.sendEnd(null);
    this.#tellEnd();
  }

  /**
   * Answers with the reason, or leaves a client that cannot be answered any more.
   *
   * @param detail for the log
   * @param shown the part of it that the client may see
   */
  #fail(
    code: ReasonCode,
    detail: string,
    shown: string = detail,
    status: number = REASONS[code].status,
  ): void {
    if (this.phase === "done") return;
    const { client } = this;
    if (client.responseBegun) {
      this.#cut(code, detail);
      return;
    }
    // The answer to an earlier attempt is better than ours.
    if (this.#stored !== null && REASONS[code].side === "upstream") {
      this.#relayStored();
      return;
    }
    this.#letGo(false);
    this.phase = "done";
    this.reason = code;
    this.detail = detail;
    client.events = null;
    if (status === 0) {
      this.#tellEnd();
      client.abort();
      return;
    }
    this.status = status;
    sendFailure(client, {
      reason: code,
      status,
      via: this.context.forward.via,
      detail: shown,
      date: this.context.date(),
      bodiless: this.head.method === "HEAD",
      fields: NO_FIELDS,
      close: false,
    });
    this.#tellEnd();
  }

  /**
   * Closes the client's connection without an answer, as the endpoint has closed the one that belongs to it: clients know
   * such ends of connections that were idle, and decide themselves what may be sent again.
   */
  #leaveUnanswered(code: ReasonCode, detail: string): void {
    const { client } = this;
    client.events = null;
    this.#waitOver();
    this.#done(code, detail);
    client.endUnanswered();
  }

  /** The response cannot be completed: the client has to see that. */
  #cut(code: ReasonCode, detail: string): void {
    if (this.phase === "done") return;
    this.client.events = null;
    this.client.abortResponse();
    this.#done(code, detail);
  }

  #done(code: ReasonCode | "", detail: string): void {
    if (this.phase === "done") return;
    this.#letGo(false);
    this.phase = "done";
    this.reason = code;
    this.detail = detail;
    this.#tellEnd();
  }

  #tellEnd(): void {
    this.endedAt = this.context.turn.now;
    this.context.exchangeDone(this);
  }

  // Giving back

  /**
   * Gives back what is held.
   *
   * @param complete the response was received to its end, so the connection may serve again
   */
  #letGo(complete: boolean): void {
    const { upstream } = this.settings;
    this.upload?.uncount(upstream);
    if (this.inRoom) upstream.leave(this);
    this.pin?.leaves();
    const stream = this.stream;
    if (stream === null) return;
    const endpoint = this.endpoint as Endpoint;
    this.stream = null;
    const { peer } = stream;
    const fate = afterReply(stream, complete);
    if (fate === "pin") this.pin?.rests(peer);
    else if (fate !== "pool") {
      if (fate === "close_both") this.pin?.ends(peer);
      stream.discard(complete);
    }
    upstream.release(peer, endpoint, fate, this.#retryCounted);
    this.#retryCounted = false;
  }
}
