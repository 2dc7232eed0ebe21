/**
 * Requests on forward listeners: who asks, for which destination, and whether that is allowed. What is asked for in origin
 * form is for the routes of the gateway, if one of them takes it: a destination is never guessed from Host.
 */

import { faultReason } from "../../exchange/failure_reason.ts";
import { type ReasonCode, REASONS } from "../../exchange/reason.ts";
import type { AuthVerdict } from "../../forward/auth/proxy_auth.ts";
import { type ForwardTarget, readForwardTarget, type TargetRefusal } from "../../forward/forward_target.ts";
import { targetOf } from "../../forward/target_memo.ts";
import { firstMatch } from "../../forward/rule_conditions.ts";
import { proxyPhrase } from "../../forward/proxy_phrases.ts";
import type { DownstreamPeer, DownstreamStream, RequestHandler } from "../../http/downstream_stream.ts";
import type { Fault } from "../../http/fault.ts";
import { Field } from "../../http/field.ts";
import { type FieldSection, NO_FIELDS } from "../../http/field_section.ts";
import type { Head } from "../../http/head.ts";
import { maxForwards } from "../../http/max_forwards.ts";
import { fieldSection } from "../../http/own_fields.ts";
import { parseTarget } from "../../http/target.ts";
import type { Counted } from "../../upstream/counters.ts";
import type { Snapshot } from "../snapshot.ts";
import type { ForwardRule } from "./forward_rule.ts";
import { type AllowedRequest, ForwardDepartures } from "./forward_departures.ts";
import type { DecidedRule, ForwardSnapshot } from "./forward_snapshot.ts";
import { asksForPac, pacAnswer } from "./pac_answer.ts";
import { PendingRequest } from "./pending_request.ts";
import { traceText } from "./trace_text.ts";

/** The gateway that the listener belongs to. */
export interface ForwardHost extends RequestHandler {
  readonly snapshot: Snapshot;
  /** A route takes the request, which is in origin form. */
  takes(head: Head): boolean;
  /** Answers with a failure; arguments as of `FailureReply`. */
  refuse(client: DownstreamStream, head: Head | null, route: Counted | null, failure: Failure): void;
  /** A request is over without an answer. */
  lost(client: DownstreamStream, head: Head, route: Counted | null, why: ReasonCode): void;
  answer(
    client: DownstreamStream,
    head: Head,
    route: Counted | null,
    status: number,
    phrase: string,
    fields: FieldSection,
    body: string,
  ): void;
}

export interface Failure {
  readonly reason: ReasonCode;
  readonly detail: string;
  readonly status: number;
  readonly phrase?: string;
  readonly fields?: FieldSection;
  /** Our name in Proxy-Status, where it is another one than that of the gateway. */
  readonly via?: string;
}

const SLASH = 0x2f;
const ALLOW = fieldSection(["Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, CONNECT"]);
/** A reload may change it. */
const PAC_FIELDS = fieldSection(
  ["Content-Type", "application/x-ns-proxy-autoconfig"],
  ["Cache-Control", "no-cache"],
);
const TRACE_TYPE = fieldSection(["Content-Type", "message/http"]);

export class ForwardHandler implements RequestHandler {
  readonly #host: ForwardHost;
  readonly #departures: ForwardDepartures;

  constructor(host: ForwardHost) {
    this.#host = host;
    this.#departures = new ForwardDepartures(({ client, head }, rule, reason, detail, words, status) =>
      this.#fail(client, head, reason, detail, status ?? REASONS[reason].status, words, NO_FIELDS, rule)
    );
  }

  /** CONNECT tunnels, open and being opened. */
  get tunnels(): number {
    return this.#departures.tunnels;
  }

  refused(client: DownstreamStream, fault: Fault, head: Head | null): void {
    if (head?.target.charCodeAt(0) === SLASH) {
      this.#host.refused(client, fault, head);
      return;
    }
    const target = head === null ? null : refusedTarget(head);
    if (target === null) this.#fail(client, head, faultReason(fault), fault.detail, fault.status);
    else this.#fail(client, head, "http_request_error", target.detail, target.status, target.words);
  }

  connectionClosed(peer: DownstreamPeer): void {
    this.#host.connectionClosed(peer);
  }

  request(client: DownstreamStream, head: Head): void {
    const host = this.#host;
    const { forward } = host.snapshot;
    if (head.target.charCodeAt(0) === SLASH) {
      if (host.takes(head)) {
        host.request(client, head);
      } else if (forward !== null && asksForPac(head)) {
        this.#answerPac(client, head, forward);
      } else {
        const detail = "this is a forward proxy: ask for http://host/path";
        this.#fail(client, head, "http_request_error", detail);
      }
      return;
    }
    if (forward === null) {
      // A reload has taken the proxy away, and the connection is from before.
      this.#outOfService(client, head);
      return;
    }
    if (head.target === "*") {
      host.answer(client, head, null, 200, "OK", ALLOW, "");
      return;
    }
    const target = targetOf(head, forward.originTls !== null);
    if (target.kind === "refusal") {
      this.#fail(client, head, "http_request_error", target.detail, target.status, target.words);
      return;
    }
    const { auth, clients } = forward;
    if (clients !== null && clients.has(client.peer.remoteAddress)) {
      this.#allowed(client, head, target, forward, "");
      return;
    }
    if (auth === null) {
      if (clients === null) this.#allowed(client, head, target, forward, "");
      else this.#fail(client, head, "http_request_denied", "this client may not use the proxy");
      return;
    }
    const { turn } = forward.exchange;
    const answer = auth.check(head, client.peer.remoteAddress, turn.now, target.target);
    if (answer.kind !== "pending") {
      this.#known(client, head, target, forward, answer);
      return;
    }
    const pending = new PendingRequest(client, (why) => this.#host.lost(client, head, forward.rule, why));
    void answer.verdict.then((known) => {
      turn.begin();
      pending.goOn(() => {
        if (host.snapshot.forward === forward) this.#known(client, head, target, forward, known);
        // A reload has come meanwhile: who may ask, and for what, is for what is in use now.
        else this.request(client, head);
      });
      turn.end();
    });
  }

  /** For all who may use the proxy, or might if they said who they are: browsers ask for it before they do. */
  #answerPac(client: DownstreamStream, head: Head, { pac, clients, auth, rule }: ForwardSnapshot): void {
    const { remoteAddress, secure } = client.peer;
    if (auth === null && clients !== null && !clients.has(remoteAddress)) {
      this.#fail(client, head, "http_request_denied", "this client may not use the proxy");
      return;
    }
    const file = pacAnswer(pac, head, secure);
    if (file !== null) this.#host.answer(client, head, rule, 200, "OK", PAC_FIELDS, file);
    else {
      const words = "Host is no address of this proxy: see forward.pac_host";
      this.#fail(client, head, "http_request_error", words, 421, words);
    }
  }

  #outOfService(client: DownstreamStream, head: Head): void {
    this.#fail(client, head, "http_request_denied", "this proxy is not in service any more");
  }

  /** The user is known, or has to authenticate. */
  #known(
    client: DownstreamStream,
    head: Head,
    target: ForwardTarget,
    forward: ForwardSnapshot,
    who: AuthVerdict,
  ): void {
    if (who.kind === "user") {
      this.#allowed(client, head, target, forward, who.user);
      return;
    }
    if (who.kind === "busy") {
      this.#fail(client, head, "resource_exhausted", who.words, 503, who.words);
      return;
    }
    if (who.given) forward.rule.wrongCredentials++;
    const refuse = () =>
      this.#fail(client, head, "proxy_authentication_required", who.words, 407, who.words, who.fields);
    if (who.delayMs === 0) {
      refuse();
      return;
    }
    const pending = new PendingRequest(client, (why) => this.#host.lost(client, head, forward.rule, why));
    forward.exchange.later(who.delayMs, () => pending.goOn(refuse));
  }

  #allowed(
    client: DownstreamStream,
    head: Head,
    target: ForwardTarget,
    forward: ForwardSnapshot,
    user: string,
  ): void {
    const { via } = forward.exchange.forward;
    if (head.has(Field.via) && namesUs(head, via)) {
      this.#fail(client, head, "proxy_loop_detected", "");
      return;
    }
    if (
      (head.method === "OPTIONS" || head.method === "TRACE") && head.has(Field.maxForwards) &&
      maxForwards(head) === 0
    ) {
      this.#answerOurselves(client, head, forward);
      return;
    }
    const { host, port } = target;
    const isTunnel = head.method === "CONNECT";
    const verdict = forward.policy.judgeName({ host, port, isTunnel, user: user === "" ? null : user });
    if (!verdict.allowed) {
      this.#fail(
        client,
        head,
        verdict.error,
        `${host}:${port}: ${verdict.words}`,
        verdict.status,
        verdict.words,
      );
      return;
    }
    const asked: AllowedRequest = { client, head, target, forward, user, decided: verdict.decided };
    const found = this.#rule(asked, null);
    if (found !== "look_up") {
      this.#departures.begin(asked, found);
      return;
    }
    const pending = new PendingRequest(client, (why) => this.#host.lost(client, head, forward.rule, why));
    const { turn } = forward.exchange;
    void forward.lookUp(host).then((addresses) => {
      turn.begin();
      pending.goOn(() => {
        const rule = this.#rule(asked, addresses);
        if (this.#host.snapshot.forward !== forward) this.request(client, head);
        // With the addresses nothing is left to look up.
        else if (rule !== "look_up") this.#departures.begin(asked, rule);
      });
      turn.end();
    });
  }

  /** @param addresses of the name; null = it has not been looked up */
  #rule(
    { client, target, forward, user }: AllowedRequest,
    addresses: readonly string[] | null,
  ): DecidedRule | "look_up" {
    const { host, port } = target;
    const { rules } = forward;
    const found = rules.length === 0
      ? null
      : firstMatch(rules, { host, port, user, client: client.peer.remoteAddress }, addresses);
    return found ?? forward.byDefault(host, port);
  }

  /** OPTIONS and TRACE end here when they may go no further (RFC 9110 §7.6.2). */
  #answerOurselves(client: DownstreamStream, head: Head, { rule }: ForwardSnapshot): void {
    if (head.method === "TRACE") {
      this.#host.answer(client, head, rule, 200, "OK", TRACE_TYPE, traceText(head));
    } else {
      this.#host.answer(client, head, rule, 200, "OK", ALLOW, "");
    }
  }

  #fail(
    client: DownstreamStream,
    head: Head | null,
    reason: ReasonCode,
    detail: string,
    status: number = REASONS[reason].status,
    words: string = detail === "" ? REASONS[reason].sentence : detail,
    fields: FieldSection = NO_FIELDS,
    rule: ForwardRule | null = null,
  ): void {
    const { forward } = this.#host.snapshot;
    const phrase = proxyPhrase(status, words);
    this.#host.refuse(client, head, rule ?? forward?.rule ?? null, {
      reason,
      detail,
      status,
      phrase,
      fields,
      ...(forward === null ? {} : { via: forward.exchange.forward.via }),
    });
  }
}

/** What is wrong with a target that is none for HTTP either, in words of a proxy; null when it is something else. */
function refusedTarget({ method, target }: Head): TargetRefusal | null {
  if (!("kind" in parseTarget(method, target))) return null;
  const asked = readForwardTarget(method, target, false);
  return asked.kind === "refusal" ? asked : null;
}

/** The request has passed a proxy of our name. */
function namesUs(head: Head, via: string): boolean {
  return (head.joined(Field.via) ?? "").split(",").some((hop) => hop.trim().split(/[ \t]+/)[1] === via);
}
