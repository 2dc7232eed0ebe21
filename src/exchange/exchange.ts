/**
 * One request through the proxy, from its head to the end of its response.
 *
 * Phases, each visible in status: `reading` a small body to its end → `waiting` for a stream →
 * `sending` and awaiting the response → `relaying` it → `done` (or `tunnel` after a switch). It has a place in the waiting
 * room (stream_wait.ts), one attempt at a time (attempt.ts), and an answer in reserve while a better one is sought
 * (provisional_response.ts). An attempt that fails before the response has begun goes to `#attemptFailed`, which asks
 * `decideRetry`; whatever the exchange holds is given back in `#letGo` and nowhere else.
 *
 * More than 400 lines, because every transition between the phases stands here, so that they can be read together; what
 * each phase owns is elsewhere.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { BodyLength } from "../http/body_length.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import { expectsContinue } from "../http/expect.ts";
import type { Fault } from "../http/fault.ts";
import { Field, maskOf } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { forwardedTrailers } from "../http/trailers.ts";
import type { UpstreamStream } from "../http/upstream_stream.ts";
import { HIGH_WATER_BYTES } from "../http/water_marks.ts";
import type { Counted } from "../upstream/counters.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { PinUser } from "../upstream/pins.ts";
import type { WaitFailure } from "../upstream/wait_failure.ts";
import type { StreamRequest } from "../upstream/waiting_room.ts";
import type { Attempt } from "./attempt.ts";
import type { LoginOwner } from "./authenticating_attempt.ts";
import { beginAnswer, endAnswer, failAnswer, passAnswer } from "./client_answer.ts";
import { goneBecause } from "./client_end.ts";
import { ExchangeAccount } from "./exchange_account.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import { because, closeWords, faultReason, refusalReason } from "./failure_reason.ts";
import { responseReason, tunnelDetail, tunnelReason, waitReason, waitWords } from "./failure_reason.ts";
import { interimFields } from "./forward_response.ts";
import { openTunnel } from "./open_tunnel.ts";
import { OutgoingRequest } from "./outgoing_request.ts";
import { credentialsRefusal } from "./credentials_refusal.ts";
import { PinUse, SESSION_OVER } from "./pin_use.ts";
import { passesLogin } from "./proxy_login.ts";
import { MOST_KEPT_BYTES, ProvisionalResponse } from "./provisional_response.ts";
import { type ReasonCode, REASONS } from "./reason.ts";
import { Retries, retryPauseMs } from "./retries.ts";
import type { AttemptFailure, RetryDecision, RetryPolicy } from "./retry.ts";
import type { StoredReply } from "./stored_reply.ts";
import { StreamWait, type StreamWaitOwner } from "./stream_wait.ts";
import type { Tunnel, TunnelEnd, TunnelOwner } from "./tunnel.ts";
import { isReadFirst, Upload } from "./upload.ts";

export type Phase = "reading" | "waiting" | "sending" | "collecting" | "relaying" | "tunnel" | "done";

const CREDENTIALS = maskOf(Field.authorization, Field.proxyAuthorization);
export class Exchange extends ExchangeAccount
  implements DownstreamStreamEvents, LoginOwner, StreamWaitOwner, StreamRequest, PinUser, TunnelOwner {
  phase: Phase = "reading";
  readonly #request: OutgoingRequest;
  /** Null while no attempt has failed. */
  #retries: Retries | null = null;
  /** When it asked for a stream first: from then on the request is held. */
  #askedAt = 0;
  /** StreamRequest. To be set before it begins. */
  balanceKey: number | null = null;
  /** Chooser, likewise: with a key. */
  prefers: string | null = null;
  /** Null while no answer was worth another attempt. */
  #provisional: ProvisionalResponse | null = null;

  /**
   * @param target path and query, byte-exact
   * @param clientHost host and port the client asked for, "" when it named none
   * @param sent head that goes to endpoints, where a script has changed it
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
    sent = head,
  ) {
    super(context, settings, retry, client, head, route, sent);
    this.#request = new OutgoingRequest(client, sent, target, clientHost, context.upgrades);
    client.events = this;
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
    const { client, settings } = this;
    const waitsFor100 = expectsContinue(this.head);
    this.upload = new Upload(client, settings.upstream, settings.requestBufferBytes, waitsFor100);
    // A client that waits for 100 sends nothing before a stream is in hand, and is not late.
    if (!waitsFor100) {
      client.expectBody();
      if (isReadFirst(client.requestBody, settings)) {
        this.comes();
        return;
      }
    }
    this.#ask();
  }

  // Waiting for a stream

  #ask(): void {
    this.phase = "waiting";
    // From here the request is held; a slow upload before takes nothing off its time, and jumps no queue.
    if (this.#askedAt === 0) this.#askedAt = this.context.turn.now;
    if (this.login === null || this.mayAsk(this.login, () => this.#acquire())) this.#acquire();
  }

  #acquire(): void {
    if (this.phase !== "waiting") return;
    this.came();
    const { client, settings: { upstream } } = this;
    if (client.peer.companion !== null || (this.sent.known & CREDENTIALS) !== 0) this.#findPin();
    // The cast: the compiler takes the phase to be what it was.
    if ((this.phase as Phase) === "done") return;
    if (this.prefers !== null) this.waiter();
    const stream = this.wait === null ? upstream.acquireFirst(this) : upstream.acquire(this.wait);
    if (stream !== null) this.streamReady(stream, stream.peer.owner as Endpoint);
    else this.#waits();
  }

  /** Settles whether it has to go on a connection that its client has authenticated on. */
  #findPin(): void {
    const { upstream, passesLogin: byProxy } = this.settings;
    const pin = PinUse.of(this.client, upstream, this.context.turn, this.sent, byProxy);
    if (pin === "lost") {
      this.pinLost();
      return;
    }
    this.pin = pin;
    if (pin === null && this.wait === null) return;
    const wait = this.waiter();
    wait.pin = pin;
    // What cannot be sent again must not meet a pooled connection that is being closed.
    if (pin !== null && pin.waitsFor === null) wait.wantsFresh = true;
  }

  /** StreamRequest: its place in the room. */
  waiter(): StreamWait {
    const { wait, settings: { upstream } } = this;
    if (wait !== null) return wait;
    const made = new StreamWait(this, upstream, this.repeatable, this.#askedAt, this.attempts > 0);
    made.balanceKey = this.balanceKey;
    made.prefers = this.prefers;
    return this.wait = made;
  }

  /** There is no stream yet, unless its waiting is over already. */
  #waits(): void {
    const { wait } = this;
    if (wait === null || !wait.inRoom) return;
    wait.begun(this.context.turn.now);
    if (this.upload?.wait() === false) this.#fail("body_buffer_full", "");
    // Last: it may be told that it waits for nothing.
    else this.pin?.waits(this);
  }

  /** PinUser: nothing was sent. The client may try again, and authenticate anew, on another connection. */
  pinLost(): void {
    if (this.phase === "done") return;
    this.#leaveUnanswered("connection_terminated", SESSION_OVER);
  }

  waitFailed(failure: WaitFailure, detail: string): void {
    if (this.phase === "done") return;
    this.wait?.over(this.context.turn.now);
    if (!this.#relayStored()) this.#fail(waitReason(failure), detail, waitWords(failure, detail));
  }

  // Sending

  streamReady(stream: UpstreamStream, endpoint: Endpoint): void {
    if (endpoint.settings.key.credentials !== "" && this.declines(stream, endpoint)) return this.#ask();
    const { wait, upload } = this;
    if (wait !== null) {
      wait.over(this.context.turn.now);
      wait.admitted = true;
    }
    const attempt = this.attemptOn(stream, endpoint, this, wait !== null && wait.isRetry);
    this.phase = "sending";
    const fault = this.faultOn(stream, endpoint);
    if (fault !== "") return this.#fail("proxy_configuration_error", fault, fault, 502);
    this.pin?.sends(stream.peer);
    attempt.send(this.#request.to(endpoint, this.settings.hostHeader, this.context.forward, this.user));
    upload?.sendKept(stream);
  }

  // The client's side

  downstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    if (this.phase === "done") return;
    // The cast: `begin` has made one for every request that is not complete with its head.
    const upload = this.upload as Upload;
    upload.receivedBytes += to - from;
    const { maxBodyBytes } = this.context;
    if (maxBodyBytes > 0 && upload.receivedBytes > maxBodyBytes) {
      this.#fail("request_too_large", "");
      return;
    }
    if (this.attempt !== null) {
      upload.send(this.attempt.stream, bytes, from, to, room);
    } else if (this.phase === "reading") {
      if (upload.readAhead(bytes, from, to)) this.#readSoFar(upload);
      // The cast: the compiler takes the phase to be what it was.
      if ((this.phase as Phase) === "waiting") upload.pauseWhenFull();
    } else {
      upload.kept.append(bytes, from, to);
      if (!upload.wait()) this.#fail("body_buffer_full", "");
      else upload.pauseWhenFull();
    }
  }

  downstreamEnd(trailers: Head | null): void {
    const upload = this.upload as Upload;
    if (trailers !== null) upload.trailers = forwardedTrailers(trailers);
    if (this.phase === "reading") this.#readSoFar(upload);
    else this.attempt?.stream.sendEnd(upload.trailers);
  }

  /** What had to be here before the request goes on is here. */
  #readSoFar(upload: Upload): void {
    upload.readMs = this.context.turn.now - this.headAt;
    this.#ask();
  }

  downstreamFault(fault: Fault): void {
    if (this.phase === "done") return;
    const code: ReasonCode = fault.code === "incomplete_message" ? "client_gone" : faultReason(fault);
    this.#letGo(false);
    this.#failOrCut(code, fault.detail, fault.detail, fault.status);
  }

  downstreamWritable(): void {
    this.attempt?.stream.resumeBody();
  }

  downstreamEnded(): void {
    if (this.phase === "done") return;
    const why = goneBecause(this.client, this.phase === "waiting" && this.settings.upstream.pressed);
    // A reset would destroy what it was answered before and has not read yet.
    if (why !== null && this.client.responseBegun) this.#cut("client_gone", why);
    else if (why !== null) this.#leaveUnanswered("client_gone", why);
  }

  downstreamGone(reason: CloseReason): void {
    // Only the gateway aborts a connection that has an exchange: time is up for it.
    if (reason.code === "aborted") this.#done("shutting_down", "");
    else this.#done("client_gone", reason.detail);
  }

  downstreamTimedOut(what: "read" | "write", slow: boolean): void {
    if (this.phase === "done") return;
    const detail = slow ? "slower than body_rate" : "";
    if (what === "write") this.#abort("client_write_timeout", detail);
    else this.#fail("client_timeout", detail);
  }

  // The endpoint's side

  attemptInterim(head: Head): void {
    // A 100 that the client did not ask for would tell it nothing.
    if (head.status === 100) {
      if (!expectsContinue(this.head)) return;
      this.client.expectBody();
    }
    this.client.sendInterim(head.status, head.reason, interimFields(head, this.context.forward));
    if (this.client.backlogBytes > HIGH_WATER_BYTES) this.attempt?.stream.pauseBody();
  }

  attemptWritable(): void {
    this.client.resumeBody();
  }

  attemptAnswered(head: Head, body: BodyLength): void {
    if (head.status >= 407 && this.#isNotRelayed(head, body)) return;
    if (this.#provisional !== null) this.#provisional = null;
    this.#relayHead(head, body);
  }

  attemptUnauthenticated(): void {
    this.#letGo(false);
    if (this.wait !== null) this.wait.isRetry = false;
    this.#ask();
  }

  /** @returns whether it was dealt with, or is collected, so that another endpoint may answer better */
  #isNotRelayed(head: Head, body: BodyLength): boolean {
    const { status } = head;
    if (status === 407 && this.context.forward.outbound && !passesLogin(this.attempt?.endpoint)) {
      // Only we may ask for credentials of this hop: the client would send those to us, or to a host they are not meant for.
      const { code, words } = credentialsRefusal(this.attempt?.endpoint.proxyFields ?? null, this.login);
      this.#letGo(false);
      this.#fail(code, words, words, 502);
      return true;
    }
    if (status < 502 || status > 504 || !this.#mayRetryStatus(status as 502 | 503 | 504, body)) return false;
    (this.#provisional ??= new ProvisionalResponse()).begin(head, body);
    this.phase = "collecting";
    return true;
  }

  #mayRetryStatus(status: 502 | 503 | 504, body: BodyLength): boolean {
    if (this.pinned || !this.retry.on.includes(status) || body > MOST_KEPT_BYTES) return false;
    return this.#decide(status).kind === "again";
  }

  attemptBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    if (this.phase !== "collecting") this.#relayBody(bytes, from, to, room);
    else this.#collect(bytes, from, to);
  }

  #collect(bytes: Uint8Array, from: number, to: number): void {
    const tooLarge = this.#provisional?.append(bytes, from, to) ?? null;
    if (tooLarge === null) return;
    // This is the answer.
    this.#relayHead(tooLarge.head, tooLarge.bodyLength);
    this.#relayBody(tooLarge.bytes, 0, tooLarge.length, 0);
  }

  attemptCompleted(trailers: Head | null): void {
    if (this.phase === "collecting") {
      this.#statusFailed();
      return;
    }
    // First the connection, so that the client's next request finds it in the pool.
    this.#letGo(true);
    this.phase = "done";
    endAnswer(this.client, this.head, trailers);
    this.#tellEnd();
  }

  attemptFaulted(fault: Fault): void {
    const { code, detail } = fault;
    const isHalfHead = code === "incomplete_message" && this.attempt?.stream.responseBegun === false;
    if (isHalfHead && this.settings.failsOver === true) {
      // A parent was killed while it wrote: it is asked again, or the next one is.
      this.#noteLoss("reset");
      this.#attemptFailed("reset", responseReason(fault), detail, detail);
    } else this.#failOrCut(responseReason(fault), detail);
  }

  attemptLost(reason: CloseReason): void {
    const { detail } = reason;
    if (this.client.responseBegun || this.attempt?.stream.responseBegun === true) {
      this.#failOrCut("http_response_incomplete", detail, closeWords(reason));
    } else {
      // That an endpoint was drained is our own doing.
      if (reason.code !== "aborted") this.#noteLoss("reset");
      this.#attemptFailed("reset", "connection_terminated", detail, closeWords(reason));
    }
  }

  override endpointWithdrawn(): void {
    // The gateway ends tunnels itself.
    if (this.attempt !== null && this.phase !== "tunnel") {
      this.attemptLost({ code: "aborted", detail: "the endpoint was drained" });
    }
  }

  override refuseHeld(): boolean {
    if (this.phase !== "waiting") return false;
    this.#fail("shutting_down", "");
    return true;
  }

  attemptTimedOut(what: "head" | "read" | "write"): void {
    if (what === "head" && !this.client.responseBegun) {
      this.#noteLoss("timeout");
      this.#attemptFailed("timeout", "http_response_timeout", "", "");
      return;
    }
    this.#letGo(false);
    this.#failOrCut(what === "write" ? "connection_write_timeout" : "connection_read_timeout", "");
  }

  attemptSwitched(head: Head, asAsked: boolean): void {
    if (!asAsked) {
      this.#letGo(false);
      this.#fail("http_upgrade_failed", "the 101 does not fit the request");
      return;
    }
    // The cast: it is the one that tells.
    const { stream, endpoint } = this.attempt as Attempt;
    const { client, context } = this;
    this.status = 101;
    this.phase = "tunnel";
    this.pin?.forget(stream.peer);
    this.upload?.forget();
    client.events = null;
    openTunnel(context, {
      client: client.switchProtocols(
        head.reason,
        interimFields(head, context.forward),
        head.joined(Field.upgrade) ?? "",
      ),
      upstream: stream.switchProtocols(),
      endpoint,
      idleMs: this.settings.tunnelIdleTimeoutMs,
      isWebsocket: this.#request.upgrade.toLowerCase() === "websocket",
    }, this);
  }

  tunnelEnded(tunnel: Tunnel, how: TunnelEnd): void {
    this.responseBodyBytes = tunnel.upstreamBytes;
    this.#done(tunnelReason(how), tunnelDetail(how));
  }

  // Failing and trying again

  #failures(): Retries {
    return this.#retries ??= new Retries(this.#request.head, this.retry, this.settings, this.waiter());
  }

  #decide(failure: AttemptFailure): RetryDecision {
    const { attempt, upload, pin, tries, context: { turn } } = this;
    return this.#failures().decide(failure, attempt as Attempt, upload, pin, tries, turn.now);
  }

  #noteLoss(how: "reset" | "timeout"): void {
    if (this.attempt !== null) this.#failures().noteLoss(this.attempt, how, this.context.turn.now);
  }

  /** The attempt ended without a byte of a final response. */
  #attemptFailed(failure: "reset" | "timeout", code: ReasonCode, detail: string, shown: string): void {
    const retries = this.#failures();
    const attempt = this.attempt as Attempt;
    const { stream, endpoint } = attempt;
    const decision = this.#decide(failure);
    if (failure === "reset") attempt.blame(detail);
    const sent = stream.requestSeen;
    // A connection on which no byte was sent does not know the client: another one will do.
    if (decision.kind === "again") this.pin?.forget(stream.peer);
    else if (decision.because === "pinned" && failure === "reset" && stream.reused && !stream.anyResponse) {
      this.#leaveUnanswered(code, detail);
      return;
    }
    this.#letGo(false);
    if (decision.kind === "again") {
      retries.prepare(decision.fresh, failure, sent);
      // An endpoint that answers others, but not this request, is not asked as fast as it can fail.
      if (sent && this.attempts > 1 && endpoint.state !== "down") this.#askLater();
      else this.#ask();
      return;
    }
    if (this.#relayStored()) return;
    const told = refusalReason(decision.because, code);
    const { lost } = retries;
    const why = told !== code ? code : lost > 1 ? `sent ${lost} times without an answer` : "";
    this.#fail(told, because(why, detail), because(why, shown));
  }

  /** A retryable status was answered, and its body is complete. */
  #statusFailed(): void {
    // The cast: an answer is collected there.
    const stored = (this.#provisional as ProvisionalResponse).end();
    const decision = this.#decide(stored.head.status as 502 | 503 | 504);
    this.#letGo(true);
    if (decision.kind !== "again") {
      this.#relayStored();
      return;
    }
    this.#failures().prepareAfterAnswer();
    this.#askLater();
  }

  /** Asks for another attempt after a pause that doubles with each. */
  #askLater(): void {
    this.phase = "waiting";
    this.comes();
    this.context.later(retryPauseMs(this.attempts), () => {
      if (this.phase === "waiting" && this.wait?.inRoom !== true) this.#ask();
    });
  }

  // Answering

  #relayHead(head: Head, body: BodyLength): void {
    const { client, attempt } = this;
    this.phase = "relaying";
    // It is not sent again, and the answer may last for hours.
    this.upload?.forget();
    if ((head.status === 401 || head.status === 407) && this.credential === "") {
      this.pin ??= PinUse.ofAnswer(client, this.settings.upstream, this.context.turn);
    }
    this.status = head.status;
    if (head.status < 400 && this.pin === null && attempt?.endpoint.proxy === null) {
      passAnswer(client, this.head, this.context, head, body);
      return;
    }
    const stream = attempt === null ? null : attempt.stream;
    const passes = passesLogin(attempt?.endpoint);
    beginAnswer(
      client,
      this.head,
      this.context,
      head,
      body,
      this.pin,
      stream,
      passes,
      this.credential !== "",
    );
  }

  #relayBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    const { client } = this;
    this.responseBodyBytes += to - from;
    client.sendBody(bytes, from, to, room);
    if (client.backlogBytes > HIGH_WATER_BYTES) this.attempt?.stream.pauseBody();
  }

  /** The endpoint's own answer is the best there is. @returns false when there is none */
  #relayStored(): boolean {
    const stored: StoredReply | null = this.#provisional?.take() ?? null;
    if (stored === null) return false;
    this.#letGo(false);
    this.#relayHead(stored.head, stored.bodyLength);
    this.#relayBody(stored.bytes, 0, stored.length, 0);
    this.phase = "done";
    this.client.sendEnd(null);
    this.#tellEnd();
    return true;
  }

  /** Answers with the reason, or shows that the response cannot be completed. Arguments as for `#fail`. */
  #failOrCut(code: ReasonCode, detail: string, shown = detail, status = REASONS[code].status): void {
    if (this.client.responseBegun) this.#cut(code, detail);
    else this.#fail(code, detail, shown, status);
  }

  /**
   * Answers with the reason, or leaves a client that cannot be answered any more.
   *
   * @param detail for the log
   * @param shown the part of it that the client may see
   */
  #fail(code: ReasonCode, detail: string, shown = detail, status = REASONS[code].status): void {
    if (this.phase === "done") return;
    const { client } = this;
    if (client.responseBegun) {
      this.#cut(code, detail);
      return;
    }
    // The answer to an earlier attempt is better than ours.
    if (REASONS[code].side === "upstream" && this.#relayStored()) return;
    if (status === 0) {
      this.#abort(code, detail);
      return;
    }
    this.#letGo(false);
    this.phase = "done";
    this.reason = code;
    this.detail = detail;
    this.status = status;
    client.events = null;
    this.context.failing?.(code, status, shown, this.attempts > 0);
    failAnswer(client, this.head, this.context, code, status, shown);
    this.#tellEnd();
  }

  /** The response that is being relayed is not the client's answer: somebody else gives one. */
  answeredElsewhere(): void {
    this.#done("", "");
  }

  /**
   * Closes the client's connection without an answer, as the endpoint has closed the one that belongs to it: clients know
   * such ends of connections that were idle, and decide themselves what may be sent again.
   */
  #leaveUnanswered(code: ReasonCode, detail: string): void {
    const { client } = this;
    client.events = null;
    this.#done(code, detail);
    client.endUnanswered();
  }

  /** The client does not get an answer, or no more of it. */
  #abort(code: ReasonCode, detail: string): void {
    const { client } = this;
    client.events = null;
    this.#done(code, detail);
    client.abort();
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
    this.came();
    this.login?.end();
    this.context.exchangeDone(this);
  }

  /**
   * Gives back what is held: counted memory, the place in the waiting room, the attempt.
   *
   * @param complete the response was received to its end, so the connection may serve again
   */
  #letGo(complete: boolean): void {
    const { wait, attempt } = this;
    this.upload?.uncount();
    if (wait !== null) {
      wait.over(this.context.turn.now);
      wait.leave();
    }
    this.attempt = null;
    attempt?.end(complete, this.pin);
  }
}
