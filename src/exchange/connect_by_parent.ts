/**
 * One CONNECT that another proxy is asked for (RFC 9110 §9.3.6), or whose connection leads to the destination already (SOCKS, direct).
 *
 * Phases: `waiting` for a connection to a parent → `sending` the CONNECT → `tunnel`, or `collecting` a refusal → `done`. The
 * client is told nothing before the parent has answered, and has sent nothing that could be lost: until then the request may be
 * held and asked for again, at any parent. A parent's answer other than 2xx is passed on, unless it says that the destination could
 * not be reached (502, 503, 504) and there is another one. A failure is always answered, and ends the client's connection.
 *
 * Beside `ConnectExchange`, not one with it: what is alike are the few lines that answer a client. Of what is here (waiting, attempts,
 * logins, pins, refusals that are passed on) a CONNECT to its destination has nothing, and thousands of its tunnels rest at a time.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { BodyLength } from "../http/body_length.ts";
import { connectionChallenge } from "../http/connection_auth.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import type { Fault } from "../http/fault.ts";
import { type ForwardedFields, ownFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import { NO_FIELDS } from "../http/field_section.ts";
import { fieldSection } from "../http/own_fields.ts";
import type { UpstreamStream } from "../http/upstream_stream.ts";
import type { Counted } from "../upstream/counters.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { PinUser } from "../upstream/pins.ts";
import type { WaitFailure } from "../upstream/wait_failure.ts";
import type { Attempt } from "./attempt.ts";
import type { LoginOwner } from "./authenticating_attempt.ts";
import { failAnswer } from "./client_answer.ts";
import { ExchangeAccount } from "./exchange_account.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import {
  closeWords,
  responseReason,
  tunnelDetail,
  tunnelReason,
  waitReason,
  waitWords,
} from "./failure_reason.ts";
import { viaField } from "./forward_response.ts";
import { type ConnectCount, openTunnel } from "./open_tunnel.ts";
import { OutgoingRequest } from "./outgoing_request.ts";
import { credentialsRefusal } from "./credentials_refusal.ts";
import { sendRefusal } from "./parent_refusal.ts";
import { PinUse, SESSION_OVER } from "./pin_use.ts";
import { passesLogin } from "./proxy_login.ts";
import { MOST_KEPT_BYTES } from "./provisional_response.ts";
import { type ReasonCode, REASONS } from "./reason.ts";
import { Retries, retryPauseMs } from "./retries.ts";
import type { AttemptFailure, RetryPolicy } from "./retry.ts";
import { StoredReply } from "./stored_reply.ts";
import { StreamWait, type StreamWaitOwner } from "./stream_wait.ts";
import type { Tunnel, TunnelEnd, TunnelOwner } from "./tunnel.ts";

/** A CONNECT without an answer has done nothing: it is asked for again as long as requests are held. */
const CONNECT_RETRY: RetryPolicy = {
  on: ["reset", "timeout", 502, 503, 504],
  methods: ["CONNECT"],
  tries: 0,
  unansweredTries: 0,
  unanswered: true,
};

type Phase = "waiting" | "sending" | "collecting" | "tunnel" | "done";

export class ConnectByParent extends ExchangeAccount
  implements DownstreamStreamEvents, LoginOwner, StreamWaitOwner, PinUser, TunnelOwner {
  #phase: Phase = "waiting";
  protected override wait: StreamWait;
  /** Null before it is begun. */
  #count: ConnectCount | null = null;
  /** As it goes to parents; null once the tunnel is there. */
  #request: OutgoingRequest | null;
  /** Null while nothing has failed. */
  #retries: Retries | null = null;
  /** A refusal that is being received, or the last one. */
  #refusal: StoredReply | null = null;
  readonly leastRate = 0;

  /**
   * @param authority host and port that are asked for
   * @param balanceKey see `Policy.pick`
   */
  constructor(
    context: ExchangeContext,
    settings: ExchangeSettings,
    client: DownstreamStream,
    head: Head,
    authority: string,
    route: Counted,
    balanceKey: number | null = null,
  ) {
    super(context, settings, CONNECT_RETRY, client, head, route);
    this.#request = new OutgoingRequest(client, head, head.target, authority, []);
    this.wait = new StreamWait(this, settings.upstream, true, context.turn.now, false);
    this.wait.balanceKey = balanceKey;
    // What is about to be closed is not worth the round trip.
    this.wait.wantsFresh = true;
    client.events = this;
  }

  /** Begins. May end inside the call. */
  begin(count: ConnectCount): void {
    this.#count = count;
    this.#ask();
  }

  // Waiting for a connection

  waiter(): StreamWait {
    return this.wait;
  }

  #ask(): void {
    this.#phase = "waiting";
    if (this.login === null || this.mayAsk(this.login, () => this.#acquire())) this.#acquire();
  }

  #acquire(): void {
    if (this.#phase !== "waiting") return;
    const { wait, settings: { upstream } } = this;
    const { passesLogin: byProxy = false } = this.settings;
    if (byProxy) {
      const pin = PinUse.of(this.client, upstream, this.context.turn, this.head, byProxy);
      if (pin === "lost") return this.pinLost();
      this.pin = wait.pin = pin;
    }
    const stream = upstream.acquire(wait);
    if (stream !== null) this.streamReady(stream, stream.peer.owner as Endpoint);
    else wait.begun(this.context.turn.now);
    if (wait.inRoom) this.pin?.waits(this);
  }

  /** PinUser: the parent's connection on which the client authenticates has ended; nothing was sent. */
  pinLost(): void {
    if (this.#phase !== "done") this.#leaveUnanswered("connection_terminated", SESSION_OVER);
  }

  streamReady(stream: UpstreamStream, endpoint: Endpoint): void {
    if (endpoint.settings.key.credentials !== "" && this.declines(stream, endpoint)) return this.#ask();
    const { wait } = this;
    wait.over(this.context.turn.now);
    wait.admitted = true;
    const attempt = this.attemptOn(stream, endpoint, this, wait.isRetry);
    this.#phase = "sending";
    const fault = this.faultOn(stream, endpoint);
    if (fault !== "") return this.fail("proxy_configuration_error", fault, fault, 502);
    this.pin?.sends(stream.peer);
    const { forward } = this.context;
    if (endpoint.proxyFields === null) {
      this.#begin(attempt.reached(), ownFields(fieldSection(["Via", `1.1 ${forward.via}`])));
    } else {
      // The cast: there is no tunnel yet.
      const request = this.#request as OutgoingRequest;
      attempt.send(request.to(endpoint, this.settings.hostHeader, forward, this.user));
    }
  }

  waitFailed(failure: WaitFailure, detail: string): void {
    if (this.#phase === "done") return;
    this.wait.over(this.context.turn.now);
    if (this.#refusal !== null) this.#passOn(this.#refusal);
    else this.fail(waitReason(failure), detail, waitWords(failure, detail));
  }

  // The parent

  /** The client has asked for no 100, and hears of the tunnel when it is there. */
  attemptInterim(): void {}

  attemptSwitched(head: Head, asAsked: boolean): void {
    if (!asAsked) {
      this.#letGo();
      this.fail("http_protocol_error", `the parent proxy answered CONNECT with ${head.status}`);
      return;
    }
    // The cast: it is the one that tells.
    const { stream } = this.attempt as Attempt;
    this.pin?.forget(stream.peer);
    this.#begin(stream.switchProtocols(), ownFields(viaField(head, this.context.forward)));
  }

  /** The tunnel is there. */
  #begin(bytes: ByteStream, fields: ForwardedFields): void {
    const { client, context } = this;
    this.status = 200;
    this.#phase = "tunnel";
    // Thousands of tunnels rest at a time; what another parent has refused before may be 64 KiB.
    this.#request = null;
    this.#retries = null;
    this.#refusal = null;
    openTunnel(context, {
      client: client.acceptTunnel(fields),
      upstream: bytes,
      // The cast: its bytes they are.
      endpoint: (this.attempt as Attempt).endpoint,
      idleMs: this.settings.tunnelIdleTimeoutMs,
      isWebsocket: false,
    }, this);
  }

  tunnelEnded(tunnel: Tunnel, how: TunnelEnd): void {
    this.responseBodyBytes = tunnel.upstreamBytes;
    this.#done(tunnelReason(how), tunnelDetail(how));
  }

  attemptAnswered(head: Head, body: BodyLength): void {
    this.#phase = "collecting";
    this.#refusal = new StoredReply(head, body);
  }

  attemptBody(bytes: Uint8Array, from: number, to: number): void {
    // The cast: an answer has begun.
    const refusal = this.#refusal as StoredReply;
    refusal.append(bytes, from, Math.min(to, from + MOST_KEPT_BYTES - refusal.length));
    if (refusal.length >= MOST_KEPT_BYTES) this.#refused(refusal);
  }

  attemptCompleted(): void {
    this.#refused(this.#refusal as StoredReply, true);
  }

  attemptUnauthenticated(): void {
    this.#letGo();
    this.wait.isRetry = false;
    this.#ask();
  }

  #refused(refusal: StoredReply, complete = false): void {
    const { status } = refusal.head;
    if (status === 407 && passesLogin(this.attempt?.endpoint)) {
      this.#challenged(refusal, complete);
      return;
    }
    if (status >= 502 && status <= 504 && this.#mayGoOn(status as 502 | 503 | 504)) {
      this.#letGo();
      this.#failures().prepareAfterAnswer();
      this.#ask();
      return;
    }
    const { proxyFields } = (this.attempt as Attempt).endpoint;
    this.#letGo();
    if (status === 407) {
      const { code, words } = credentialsRefusal(proxyFields, this.login);
      this.fail(code, words, words, 502);
    } else this.#passOn(refusal);
  }

  attemptFaulted(fault: Fault): void {
    const { detail } = fault;
    if (this.#refusal !== null && this.#phase === "collecting") {
      this.#refused(this.#refusal);
    } else if (fault.code === "incomplete_message") {
      // Half a head is as good as none: nothing has come of the CONNECT.
      this.attemptLost({ code: "finished", detail });
    } else if (this.#mayGoOn("timeout") && this.wait.choosy) {
      this.#failed("timeout", responseReason(fault), detail, detail);
    } else {
      // Who does not speak HTTP does not learn it while the request is held.
      this.#letGo();
      if (this.#refusal !== null) this.#passOn(this.#refusal);
      else this.fail(responseReason(fault), detail);
    }
  }

  attemptLost(reason: CloseReason): void {
    if (this.#refusal !== null && this.#phase === "collecting") {
      this.#refused(this.#refusal);
      return;
    }
    const { attempt } = this;
    if (reason.code !== "aborted" && attempt !== null) {
      this.#failures().noteLoss(attempt, "reset", this.context.turn.now);
    }
    this.#failed("reset", "connection_terminated", reason.detail, closeWords(reason));
  }

  attemptTimedOut(what: "head" | "read" | "write"): void {
    if (this.#refusal !== null && this.#phase === "collecting") this.#refused(this.#refusal);
    else {
      this.#failed(
        "timeout",
        what === "write" ? "connection_write_timeout" : "http_response_timeout",
        "",
        "",
      );
    }
  }

  attemptWritable(): void {}
  endpointWithdrawn(): void {
    if (this.attempt !== null && this.#phase !== "tunnel") {
      this.attemptLost({ code: "aborted", detail: "the endpoint was drained" });
    }
  }

  refuseHeld(): boolean {
    if (this.#phase !== "waiting") return false;
    this.fail("shutting_down", "");
    return true;
  }

  #failures(): Retries {
    return this.#retries ??= new Retries(this.head, CONNECT_RETRY, this.settings, this.wait);
  }

  #mayGoOn(failure: AttemptFailure): boolean {
    const { attempt, tries, context: { turn } } = this;
    return this.#failures().decide(failure, attempt as Attempt, null, null, tries, turn.now).kind === "again";
  }

  /** The attempt ended without an answer. */
  #failed(failure: "reset" | "timeout", code: ReasonCode, detail: string, shown: string): void {
    const attempt = this.attempt as Attempt;
    const { stream, endpoint } = attempt;
    const { tries: attempts, context, pin } = this;
    const decision = this.#failures().decide(failure, attempt, null, pin, attempts, context.turn.now);
    if (failure === "reset") attempt.blame(detail);
    const sent = stream.requestSeen;
    if (decision.kind === "again") this.pin?.forget(stream.peer);
    this.#letGo();
    if (decision.kind === "no") {
      if (this.#refusal !== null) this.#passOn(this.#refusal);
      else this.fail(code, detail, shown);
      return;
    }
    this.#failures().prepare(decision.fresh, failure, sent);
    if (!sent || attempts === 1 || endpoint.state === "down") {
      this.#ask();
      return;
    }
    // One that answers others, but not this, is not asked as fast as it can fail.
    this.#phase = "waiting";
    context.later(retryPauseMs(attempts), () => {
      if (this.#phase === "waiting" && !this.wait.inRoom) this.#ask();
    });
  }

  // The client

  downstreamBody(): void {}
  downstreamEnd(): void {}
  downstreamWritable(): void {}

  downstreamFault({ detail }: Fault): void {
    this.#abort("client_gone", detail);
  }

  /**
   * It sends nothing more, which is passed on once the tunnel is there. A place in the waiting room is not kept for a client
   * that may be gone.
   */
  downstreamEnded(): void {
    if (this.#phase !== "waiting" || !this.settings.upstream.pressed) return;
    this.#leaveUnanswered("client_gone", "it closed its sending side while it waited");
  }

  downstreamGone({ code, detail }: CloseReason): void {
    if (code === "aborted") this.#done("shutting_down", "");
    else this.#done("client_gone", detail);
  }

  downstreamTimedOut(): void {
    this.#abort("client_timeout", "");
  }

  // Answering

  /** A parent's refusal is the answer. */
  #passOn(refusal: StoredReply): void {
    this.#letGo();
    sendRefusal(this.client, this.context, refusal, false, true);
    this.#answered(refusal);
  }

  /**
   * The parent asks the client who it is. Where that holds for a connection (NTLM, Negotiate), the client may go on with it on
   * this one, and does so on the same one of the parent's; else it comes back on another.
   */
  #challenged(refusal: StoredReply, complete: boolean): void {
    const { client, context, settings } = this;
    const { head } = refusal;
    // The cast: it has just answered.
    const { stream } = this.attempt as Attempt;
    const pin = this.pin ??= PinUse.ofAnswer(client, settings.upstream, context.turn);
    const ends = !complete || connectionChallenge(head) === "none" ||
      !client.staysOpenAfter(refusal.length);
    const { close } = pin.answers(stream, head, ownFields(NO_FIELDS), refusal.length, ends);
    sendRefusal(client, context, refusal, true, close);
    this.#letGo(!close);
    this.#answered(refusal);
  }

  #answered({ head, length }: StoredReply): void {
    this.status = head.status;
    this.responseBodyBytes = length;
    this.#phase = "done";
    this.client.events = null;
    this.client.sendEnd(null);
    this.#tellEnd();
  }

  /**
   * Answers with the reason. Also before `begin`.
   *
   * @param detail for the log
   * @param shown the part of it that the client may see
   */
  fail(code: ReasonCode, detail: string, shown = detail, status: number = REASONS[code].status): void {
    if (this.#phase === "done") return;
    const { client } = this;
    this.#letGo();
    this.#phase = "done";
    this.reason = code;
    this.detail = detail;
    this.status = status;
    client.events = null;
    failAnswer(client, this.head, this.context, code, status, shown, true);
    this.#tellEnd();
  }

  #leaveUnanswered(code: ReasonCode, detail: string): void {
    this.client.events = null;
    this.#done(code, detail);
    this.client.endUnanswered();
  }

  #abort(code: ReasonCode, detail: string): void {
    if (this.#phase === "done") return;
    const { client } = this;
    client.events = null;
    this.#done(code, detail);
    client.abort();
  }

  #done(code: ReasonCode | "", detail: string): void {
    if (this.#phase === "done") return;
    this.#letGo();
    this.#phase = "done";
    this.reason = code;
    this.detail = detail;
    this.#tellEnd();
  }

  #tellEnd(): void {
    this.endedAt = this.context.turn.now;
    this.login?.end();
    this.context.exchangeDone(this);
    this.#count?.connectOver();
  }

  /**
   * Gives back the place in the waiting room and the attempt. Its connection ends: after a CONNECT that it has refused, a proxy
   * may take nothing more on it, whatever it says.
   *
   * @param goesOn but in the middle of a handshake that its client goes on with
   */
  #letGo(goesOn = false): void {
    this.wait.over(this.context.turn.now);
    this.wait.leave();
    const { attempt } = this;
    this.attempt = null;
    attempt?.end(goesOn, this.pin);
  }
}
