/**
 * A request in the hands of a script: the client's stream on one side, on the other whoever goes on with the request.
 *
 * Phases: `asking` the script what is to become of it → `onward` to an exchange, or to an answer of the gateway, which takes
 * this for the client's stream; or `answering` itself → `over`. On the way back an answer is kept (`HeldAnswer`) while the
 * script is asked about it. Scripts nest: the client's stream may be that of another one.
 *
 * More than 400 lines, because every transition between the phases stands here, so that they can be read together.
 */

import { type CloseReason, ScriptOverrun } from "../../runtime/contract/contract.ts";
import type { FieldInit } from "../answer/answer_types.ts";
import { BodyLost, BodyReader } from "../answer/body_reader.ts";
import { linesOf } from "../answer/field_values.ts";
import type { OwnAnswer } from "../answer/own_answer.ts";
import { type AnsweredRequest, OwnAnswering } from "../answer/own_answering.ts";
import { ScriptError } from "../answer/script_error.ts";
import { leaveClient } from "../exchange/client_end.ts";
import type { EndedExchange } from "../exchange/ended_exchange.ts";
import { ExchangeAccount } from "../exchange/exchange_account.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { ExchangeContext } from "../exchange/exchange_context.ts";
import { faultReason } from "../exchange/failure_reason.ts";
import type { ReasonCode } from "../exchange/reason.ts";
import type { BodyLength } from "../http/body_length.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import type { Fault } from "../http/fault.ts";
import { expectsContinue } from "../http/expect.ts";
import { type ForwardedFields, NO_FORWARDED_FIELDS, ownFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import { fieldSection } from "../http/own_fields.ts";
import { RequestBody } from "../exchange/request_body.ts";
import type { Counted } from "../upstream/counters.ts";
import type { StreamSource } from "../upstream/stream_source.ts";
import { type BodyReceiver, BodyReplay } from "./body_replay.ts";
import type { MadeDecision, NextDecision, RejectDecision, ToDecision } from "./decision.ts";
import { DelegatingStream } from "./delegating_stream.ts";
import type { ForwardPlan } from "./forward_plan.ts";
import { logRecord } from "./log_record.ts";
import { OnwardPlan } from "./onward_plan.ts";
import {
  AmbiguousPath,
  type RequestBodySource,
  type RequestMemory,
  type RequestOwner,
  RequestView,
} from "./request_view.ts";
import type { Script } from "./script.ts";
import type { ScriptPhase } from "./script_faults.ts";
import { type ResponseOwner, ScriptedResponse } from "./scripted_response.ts";
import type { Incoming, ScriptStage } from "./script_stage.ts";
import type { LocalAnswer, NamedUpstream, Onward, Refusal } from "./script_host.ts";
import type { HttpRequest } from "./script_types.ts";
import { decisionOf, discard, isPromise } from "./verdict.ts";

const NOTHING_FAILED = { reason: "", detail: "" } as const;
const UPGRADE_NEEDED = fieldSection(["Connection", "Upgrade"], ["Upgrade", "websocket"]);

type Phase = "asking" | "onward" | "answering" | "over";

export class ScriptedStream extends DelegatingStream
  implements
    DownstreamStreamEvents,
    AnsweredRequest,
    RequestBodySource,
    RequestOwner,
    ResponseOwner,
    BodyReceiver,
    Onward {
  readonly #stage: ScriptStage;
  readonly #script: Script;
  readonly head: Head;
  readonly #route: Counted | null;
  readonly #before: Onward | null;
  readonly #leadsTo: StreamSource | null;
  #comes = false;
  readonly #offeredBefore: number;
  readonly #view: RequestView;
  sent: Head;
  target: string;
  readonly authority: string;
  #phase: Phase = "asking";
  #plan: ForwardPlan | null = null;
  /** Made when it is asked for. */
  #how: OnwardPlan | null = null;
  /** It stands between client and exchange: events of both pass here. */
  #between = false;
  #reader: BodyReader | null = null;
  /** Bytes that have come for it. */
  #readBytes = 0;
  /** Bytes of its body that count against the memory for bodies. */
  #counted = 0;
  #replay: BodyReplay | null = null;
  /** Sent instead of the client's, wherever it goes. */
  #body: Uint8Array | null = null;
  #gone: AbortController | null = null;
  /** Which promise of the script is waited for: others come too late. */
  #asked = 0;
  #askedPhase: ScriptPhase = "onRequest";
  readonly #response: ScriptedResponse | null;
  /** Of the body, what has gone on: for sending it elsewhere, until it is over. */
  #copy: RequestBody | null = null;
  #copyTrailers: Head | null = null;
  /** An answer of the script's own, under way. */
  #own: OwnAnswering | null = null;
  /** Its body has been read for a copy, as far as that could be. */
  #copied = false;
  // What is told at the end; one of the two.
  #exchange: EndedExchange | null = null;
  #local: LocalAnswer | null = null;

  constructor(stage: ScriptStage, incoming: Incoming, memory: RequestMemory | null) {
    const { client, context, head, sent, target, authority } = incoming;
    super(client, context);
    this.#stage = stage;
    this.#script = stage.script;
    this.head = head;
    this.sent = sent;
    this.target = target;
    this.authority = authority;
    this.#route = incoming.route;
    this.#before = incoming.before;
    this.#leadsTo = incoming.leadsTo;
    this.#offeredBefore = client.offeredBytes;
    this.#view = new RequestView(this, client, sent, target, authority, memory);
    this.#response = stage.script.watches ? new ScriptedResponse(this) : null;
  }

  get memory(): RequestMemory {
    return this.#view.memory;
  }

  /** The exchange that has it now, if one has. */
  get account(): ExchangeAccount | null {
    const { events } = this;
    if (events instanceof ScriptedStream) return events.account;
    return events instanceof ExchangeAccount ? events : null;
  }

  /** Its script, or that of its route, may still name an upstream. */
  get isAsked(): boolean {
    const { events } = this;
    if (events instanceof ScriptedStream && events.isAsked) return true;
    return this.#phase === "asking" || (this.#phase === "onward" && this.#response?.isHeld === true);
  }

  // Asking

  /** Asks the script, if it has something to say. May answer or forward inside the call. */
  begin(hook: ((request: HttpRequest) => unknown) | null, phase: "onRequest" | "handler"): void {
    if (hook === null) {
      this.#goOn(null);
      return;
    }
    let verdict: unknown;
    try {
      verdict = this.#script.call(phase, this.#view, hook, this.#view as HttpRequest, undefined);
    } catch (error) {
      this.#failed(error, phase);
      return;
    }
    // The request was refused within the call: its body, which that asked for, was too long, say.
    if (this.#phase !== "asking") discard(verdict);
    else if (!isPromise(verdict)) this.#decide(verdict, phase);
    else {
      // It has to be there when the script has decided.
      this.#comes = this.#leadsTo !== null;
      if (this.#leadsTo !== null) this.#leadsTo.coming++;
      this.#await(verdict, phase, (value) => this.#decide(value, phase));
    }
  }

  #came(): void {
    if (!this.#comes || this.#leadsTo === null) return;
    this.#comes = false;
    this.#leadsTo.coming--;
  }

  /** The client is not read from meanwhile, and may leave. */
  #take(): void {
    if (this.#between) return;
    this.#between = true;
    this.client.events = this;
    this.client.pauseBody();
  }

  #await(
    promise: PromiseLike<unknown>,
    phase: ScriptPhase,
    act: (value: unknown) => void,
    timeoutMs = this.#script.settings.timeoutMs,
  ): void {
    this.#take();
    const asked = ++this.#asked;
    this.#askedPhase = phase;
    const { turn } = this;
    turn.deadlines.set(this, turn.now + timeoutMs);
    const settled = (then: () => void): boolean => {
      if (asked !== this.#asked || this.#phase === "over") return false;
      this.#asked++;
      turn.begin();
      turn.deadlines.remove(this);
      then();
      turn.end();
      return true;
    };
    promise.then(
      (value) => settled(() => act(value)) || discard(value),
      (error: unknown) => settled(() => this.#failed(error, phase)),
    );
  }

  /** Timed: the script has not settled its promise in time. */
  override expired(): void {
    if (this.#phase === "over") return;
    this.#asked++;
    const { settings: { timeoutMs }, name } = this.#script;
    this.turn.begin();
    this.#stage.faults.timedOut(name, this.#askedPhase, timeoutMs, this.#view);
    this.#gone?.abort();
    const response = this.#response;
    if (response?.isHeld !== true) this.#refuse({ reason: "script_timeout", status: 504, detail: "" });
    else if (this.#askedPhase === "onError") response.release();
    else this.#failInstead("script_timeout", 504);
    this.turn.end();
  }

  #decide(value: unknown, phase: ScriptPhase): void {
    try {
      this.#carryOut(decisionOf(value), phase);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      this.#failed(error, phase);
    }
  }

  /** @throws ScriptError before anything has been done */
  #carryOut(decision: MadeDecision | null, phase: ScriptPhase): void {
    if (decision === null || decision.kind === "next") {
      if (phase === "handler") throw new ScriptError("a handler gives an answer, or names an upstream");
      this.#goOn(decision);
      return;
    }
    switch (decision.kind) {
      case "to":
      case "tunnel":
        if (decision.kind === "tunnel" && this.#view.upgrade === null) {
          const detail = "this is for requests that switch protocols";
          this.#refuse({ reason: "http_request_denied", status: 426, detail, fields: UPGRADE_NEEDED });
        } else {
          this.#goOn(decision);
        }
        return;
      case "respond":
        this.#answer(decision.answer);
        return;
      case "reject":
        this.#refuse({
          reason: "http_request_denied",
          status: decision.status,
          detail: decision.words,
          fields: decision.fields,
        });
        return;
      case "pass":
        throw new ScriptError("pass is an answer of onResponse: there is no response yet");
      default:
        decision satisfies never;
    }
  }

  /** What the script did cannot be carried out. */
  #failed(error: unknown, phase: ScriptPhase): void {
    if (this.#phase === "over") return;
    const response = this.#response;
    const held = response?.isHeld === true;
    if (error instanceof AmbiguousPath && !held) {
      this.#refuse({ reason: "http_request_error", status: 400, detail: error.message });
      return;
    }
    // That the client broke off is not the script's doing.
    if (!(error instanceof BodyLost)) this.#stage.faults.failed(this.#script.name, phase, error, this.#view);
    const reason = error instanceof ScriptOverrun ? "script_stalled" : "script_error";
    if (!held) this.#refuse({ reason, status: 500, detail: "" });
    else if (phase === "onError" || this.#script.settings.passesOnError) response?.release();
    else this.#failInstead(reason, 502);
  }

  // On with it

  /** @param decision null = as the routes say. @throws ScriptError before anything has been done */
  #goOn(decision: ToDecision | NextDecision | null): void {
    const { host } = this.#stage;
    const plan = decision === null ? null : decision.plan;
    const upstream = decision === null || decision.kind === "next" ? null : decision.upstream;
    const named = upstream === null ? null : this.#stage.upstream(upstream);
    if (upstream !== null && named === null) throw new ScriptError(`there is no upstream ${upstream}`);
    if (this.#reader?.givenAway === true) {
      throw new ScriptError("the body has been read piece by piece, so the request cannot go on");
    }
    if (plan !== null && plan.body !== null) this.#body = plan.body;
    const body = this.#body;
    const mirror = plan === null || plan.mirror === null ? null : this.#stage.upstream(plan.mirror);
    if (plan !== null && plan.mirror !== null && mirror === null) {
      throw new ScriptError(`there is no upstream ${plan.mirror}`);
    }
    if (mirror !== null && body === null && !this.client.requestDone && !this.#copied) {
      // A copy needs the whole body; of one that is too long there is none.
      this.#copied = true;
      const read = this.#reading().bytes().then(() => {}, () => {});
      this.#await(read, "onRequest", () => this.#decide(decision, "onRequest"), Infinity);
      return;
    }
    // After the wait for a copy, which comes here again.
    if (plan !== null) {
      this.sent = plan.headOf(this.sent);
      this.target = plan.uri ?? this.target;
      this.#plan = plan;
      this.#how = null;
    }
    if (this.#script.watches || body !== null) this.#take();
    this.#phase = "onward";
    if (mirror !== null) this.#mirror(mirror, body);
    const reader = this.#reader;
    this.#reader = null;
    reader?.lose("the request has gone on");
    const replay = this.#between ? new BodyReplay(this.client, reader, body) : null;
    this.#replay = replay;
    if (this.#script.onError !== null && body === null) this.#copy = new RequestBody(host.bodyLimit, -1);
    if (named === null) this.#stage.next(this, this.#route);
    else host.send(this, named, this.#route);
    // Last: what has arrived is for who has the request now. It may have failed already, gone elsewhere, or be over.
    if (this.#between && this.#replay === replay) replay?.deliver(this);
    this.#came();
  }

  /** Onward. */
  get stream(): DownstreamStream {
    return this.#between ? this : this.client;
  }

  get context(): ExchangeContext {
    return this.#between ? this : this.base;
  }

  /** What is decided of it, by this script and those before it. */
  get how(): OnwardPlan {
    return this.#how ??= new OnwardPlan(this.#plan, this.#before === null ? null : this.#before.how);
  }

  get number(): number {
    return this.#view.knownId;
  }

  #mirror(upstream: NamedUpstream, replaced: Uint8Array | null): void {
    const reader = this.#reader;
    if (replaced !== null || (reader === null && this.client.requestDone)) {
      this.#stage.host.mirror(this, upstream, replaced);
    } else if (reader !== null && reader.ended) {
      const { bytes, from, to } = reader.kept;
      this.#stage.host.mirror(this, upstream, bytes.slice(from, to));
    }
  }

  // The request's body in the script's hands

  /** RequestOwner. */
  bodyOf(): RequestBodySource {
    return this;
  }

  /** RequestOwner. */
  numberOf(): number {
    return this.#stage.host.takeNumber();
  }

  #reading(): BodyReader {
    if (this.#reader !== null) return this.#reader;
    if (this.#phase !== "asking" && this.#phase !== "answering") {
      throw new ScriptError("the body can be read before the request goes on, not later");
    }
    this.#take();
    return this.#reader = this.#newReader();
  }

  #newReader(): BodyReader {
    return new BodyReader(this.client, this.#stage.host.bodyLimit, () => this.#wantBody());
  }

  /** A client that waits for 100 sends nothing before it has one (RFC 9110 §10.1.1). */
  #wantBody(): void {
    const { client, turn } = this;
    client.expectBody();
    if (!expectsContinue(this.head) || client.requestDone) return;
    turn.begin();
    client.sendInterim(100, "Continue", NO_FORWARDED_FIELDS);
    turn.end();
  }

  get signal(): AbortSignal {
    if (this.#gone === null) {
      this.#gone = new AbortController();
      if (this.#phase === "over") this.#gone.abort();
      // One that has gone on does not come back to be told of its client.
      else if (this.#phase !== "onward") this.#take();
    }
    return this.#gone.signal;
  }

  get trailers(): Head | null {
    return this.#reader === null ? null : this.#reader.trailers;
  }

  async bytes(limit: number | undefined): Promise<Uint8Array> {
    return await this.#reading().bytes(limit);
  }

  pieces(): AsyncIterable<Uint8Array> {
    return this.#reading().pieces();
  }

  earlyHints(init: FieldInit): void {
    const fields = fieldSection(...linesOf(init));
    if (this.#phase === "over" || this.responseBegun) return;
    this.turn.begin();
    this.client.sendInterim(103, "Early Hints", ownFields(fields));
    this.turn.end();
  }

  // What the client does

  get leastRate(): number {
    return this.events === null ? 0 : this.events.leastRate;
  }

  downstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    if (this.#own?.awaitsBody === true || this.#replay?.ignoresClient === true) return;
    if (this.#reader !== null) this.#read(this.#reader, bytes, from, to);
    else this.passBody(bytes, from, to, room);
  }

  /** What scripts read counts against the largest body as what endpoints get does. */
  #read(reader: BodyReader, bytes: Uint8Array, from: number, to: number): void {
    const { maxBodyBytes } = this;
    this.#readBytes += to - from;
    const tooLong = maxBodyBytes > 0 && this.#readBytes > maxBodyBytes;
    if (!tooLong && this.#count(reader.kept.length + to - from)) {
      reader.came(bytes, from, to);
      return;
    }
    const detail = tooLong ? "" : "bodies that scripts have fill queue.bytes";
    const [reason, status] = tooLong ? ["request_too_large", 413] as const : ["queue_full", 503] as const;
    reader.lose(tooLong ? `the body has more than ${maxBodyBytes} bytes` : detail);
    if (this.responseBegun) this.#leave(reason, detail);
    else this.#refuse({ reason, status, detail });
  }

  /** @param bytes that are kept now @returns whether there is room for them: one body alone always has it */
  #count(bytes: number): boolean {
    const { host } = this.#stage;
    host.bodyBytes += bytes - this.#counted;
    this.#counted = bytes;
    return host.bodyBytes <= host.bodyMemory || host.bodyBytes === this.bodyBytes;
  }

  get bodyBytes(): number {
    return this.#counted + (this.#before === null ? 0 : this.#before.bodyBytes);
  }

  /** Of what has gone on nothing is kept but a copy, if there is room for it. */
  #countCopy(): void {
    const copy = this.#copy;
    if (this.#count(copy === null ? 0 : copy.length) || copy === null) return;
    copy.forget();
    this.#count(0);
  }

  /** BodyReceiver: on its way to the exchange. */
  passBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    this.#copy?.retain(bytes, from, to);
    if (this.#copy !== null || this.#counted > 0) this.#countCopy();
    this.events?.downstreamBody(bytes, from, to, room);
  }

  downstreamEnd(trailers: Head | null): void {
    if (this.#own?.awaitsBody === true) {
      this.#own.bodyEnded();
    } else if (this.#reader !== null) {
      this.#reader.end(trailers);
    } else if (this.#replay?.ignoresClient !== true) {
      this.passEnd(trailers);
    }
  }

  /** BodyReceiver. */
  passEnd(trailers: Head | null): void {
    this.#copyTrailers = trailers;
    this.events?.downstreamEnd(trailers);
  }

  downstreamFault(fault: Fault): void {
    if (this.events !== null) {
      this.events.downstreamFault(fault);
      return;
    }
    const { code, detail, status } = fault;
    this.#reader?.lose(detail);
    if (code === "incomplete_message") this.#leave("client_gone", detail);
    else if (this.#phase === "asking") this.#refuse({ reason: faultReason(fault), status, detail });
    else this.#leave(faultReason(fault), detail);
  }

  downstreamWritable(): void {
    if (this.#own !== null) this.#own.writable();
    else if (this.#response?.isHeld !== true) this.events?.downstreamWritable();
  }

  downstreamEnded(): void {
    if (this.events !== null) this.events.downstreamEnded();
    else if (this.client.hasLeft) {
      this.#leave("client_gone", "it closed its sending side (client_half_close: abort)");
    }
  }

  downstreamGone(reason: CloseReason): void {
    const { events } = this;
    this.events = null;
    if (events !== null) events.downstreamGone(reason);
    else if (this.#response?.switchLost(reason) === true) return;
    else if (reason.code === "aborted") this.#endLost("shutting_down", "");
    else this.#endLost("client_gone", reason.detail);
  }

  downstreamTimedOut(what: "read" | "write", slow: boolean): void {
    if (this.events !== null) this.events.downstreamTimedOut(what, slow);
    // The answer is there already: it does not need the rest of the body.
    else if (what === "read" && this.#own?.awaitsBody === true) this.#own.bodyEnded();
    // It is about to be there: the script has a time of its own.
    else if (what === "read" && this.#phase === "onward" && this.#response?.isHeld === true) return;
    else if (what === "read" && this.#phase === "asking") {
      this.#reader?.lose("the body did not arrive in time");
      this.#refuse({ reason: "client_timeout", status: 408, detail: "" });
    } else {
      this.#leave(what === "read" ? "client_timeout" : "client_write_timeout", "");
    }
  }

  /** The client is given up. */
  #leave(reason: ReasonCode, detail: string): void {
    if (this.#phase === "over") return;
    this.client.events = null;
    if (this.#response?.switchLost({ code: "aborted", detail }) !== true) this.#endLost(reason, detail);
    leaveClient(this.client, reason === "client_gone");
  }

  /** Nobody waits for an answer any more. */
  #endLost(reason: ReasonCode, detail: string): void {
    if (this.#phase === "over") return;
    this.#note(reason, detail);
    this.#finish();
  }

  // Answers of the script's own

  #answer(answer: OwnAnswer): void {
    this.#phase = "answering";
    if (this.#exchange === null) {
      const { reason, detail } = this.#local ?? NOTHING_FAILED;
      this.#local = this.#localAnswer(answer.status, reason, detail);
    }
    this.#own = new OwnAnswering(this, answer, false);
    this.#own.begin();
  }

  /** AnsweredRequest. */
  takeEvents(): void {
    this.#take();
  }

  /** AnsweredRequest. */
  answerSent(): void {
    this.#finish();
  }

  /** AnsweredRequest. */
  answerCut(error: unknown): void {
    if (!(error instanceof BodyLost)) {
      this.#stage.faults.failed(this.#script.name, "body", error, this.#view);
    }
    this.#note("script_error", "the body ended with an error");
    this.#finish();
  }

  /** What is told of its end. */
  #note(reason: ReasonCode, detail: string): void {
    const exchange = this.#exchange;
    if (exchange === null) {
      this.#local = this.#localAnswer(this.#local?.status ?? 0, reason, detail);
    } else if (exchange instanceof ExchangeAccount && exchange.reason === "") {
      exchange.reason = reason;
      exchange.detail = detail;
    }
  }

  #refuse(refusal: Refusal): void {
    const { client } = this;
    this.#phase = "answering";
    client.events = null;
    const { status, reason, detail } = refusal;
    this.#stage.host.refuse(client, this.head, refusal);
    if (this.#exchange === null) this.#local = this.#localAnswer(status, reason, detail);
    else this.#note(reason, detail);
    this.#finish();
  }

  #localAnswer(status: number, reason: ReasonCode | "", detail: string): LocalAnswer {
    return {
      client: this.client,
      head: this.head,
      route: this.#route,
      status,
      reason,
      detail,
      offeredBefore: this.#offeredBefore,
      id: this.number,
      logFields: this.how.logFields,
    };
  }

  // What the exchange does with the client's stream

  override get requestBody(): BodyLength {
    return this.#replay === null ? this.client.requestBody : this.#replay.requestBody;
  }

  override get requestDone(): boolean {
    return this.#replay === null ? this.client.requestDone : this.#replay.requestDone;
  }

  override get responseBegun(): boolean {
    return this.#response?.isHeld === true || this.client.responseBegun;
  }

  override get backlogBytes(): number {
    return this.client.backlogBytes + (this.#response === null ? 0 : this.#response.heldBytes);
  }

  pauseBody(): void {
    this.#replay?.pause();
  }

  resumeBody(): void {
    this.#replay?.resume(this);
  }

  sendHead(status: number, reason: string, fields: ForwardedFields, body: BodyLength, close: boolean): void {
    if (this.#response === null) {
      this.client.sendHead(status, reason, fields, body, close);
      return;
    }
    // Only a failure may still go elsewhere.
    if (!this.#response.isFailure && this.#copy !== null) {
      this.#copy = null;
      this.#countCopy();
    }
    this.#response.sendHead(status, reason, fields, body, close);
  }

  sendBody(bytes: Uint8Array, from: number, to: number, room = 0): void {
    if (this.#response === null) this.client.sendBody(bytes, from, to, room);
    else this.#response.sendBody(bytes, from, to, room);
  }

  sendEnd(trailers: ForwardedFields | null): void {
    this.events = null;
    if (this.#response === null) this.client.sendEnd(trailers);
    else this.#response.sendEnd(trailers);
  }

  switchProtocols(reason: string, fields: ForwardedFields, protocol: string): ByteStream {
    this.events = null;
    if (this.#response === null) return this.client.switchProtocols(reason, fields, protocol);
    return this.#response.switchProtocols(reason, fields, protocol);
  }

  giveUp(): void {
    this.client.events = null;
    this.client.abort();
  }

  abortResponse(): void {
    this.events = null;
    this.#response?.replace();
    this.client.events = null;
    leaveClient(this.client, this.client.hasLeft || this.client.responseBegun);
  }

  endUnanswered(): void {
    this.events = null;
    this.client.events = null;
    this.client.endUnanswered();
  }

  abort(): void {
    this.events = null;
    this.client.events = null;
    this.client.abort();
  }

  // ExchangeContext, and what answers of the gateway tell

  failing(reason: ReasonCode, status: number, shown: string, sent: boolean): void {
    this.#response?.failing(reason, status, shown, sent);
  }

  exchangeDone(exchange: EndedExchange): void {
    this.#exchange = exchange;
    if (this.#response?.askAboutFailure() === true) return;
    // An answer that does not come to its end, of a client that has gone.
    this.#response?.forsake();
    this.#finishUnlessAsked();
  }

  /** The gateway has answered it: told here in the place of its observer. */
  answeredLocally(answer: LocalAnswer): void {
    this.#local = {
      ...answer,
      client: this.client,
      id: this.number,
      logFields: answer.logFields ?? this.how.logFields,
    };
    if (this.#response?.askAboutFailure() === true) return;
    this.#response?.forsake();
    this.#finishUnlessAsked();
  }

  #finishUnlessAsked(): void {
    if (this.#phase === "onward" && this.#response?.isHeld !== true) this.#finish();
  }

  // ResponseOwner

  get script(): Script {
    return this.#script;
  }

  get isHead(): boolean {
    return this.head.method === "HEAD";
  }

  get request(): HttpRequest {
    return this.#view;
  }

  get endpointName(): string {
    return this.account?.endpointName ?? "";
  }

  consult<First>(
    hook: (first: First, request: HttpRequest) => unknown,
    first: First,
    phase: "onResponse" | "onError",
  ): void {
    let value: unknown;
    try {
      value = this.#script.call(phase, this.#view, hook, first, this.#view as HttpRequest);
    } catch (error) {
      this.#failed(error, phase);
      return;
    }
    if (isPromise(value)) this.#await(value, phase, (settled) => this.#response?.decide(settled, phase));
    else this.#response?.decide(value, phase);
  }

  hookFailed(error: ScriptError, phase: "onResponse" | "onError"): void {
    this.#failed(error, phase);
  }

  answerInstead(answer: OwnAnswer): void {
    this.#letExchangeGo(answer.status);
    this.#answer(answer);
  }

  refuseInstead({ status, words, fields }: RejectDecision): void {
    this.#letExchangeGo(status);
    this.#refuse({ reason: "http_request_denied", status, detail: words, fields });
  }

  /** An answer that the script has failed on is not shown. */
  #failInstead(reason: ReasonCode, status: number): void {
    this.#response?.replace();
    this.#letExchangeGo(status);
    this.#refuse({ reason, status, detail: "" });
  }

  /** @param status that the client gets instead of what the exchange gave */
  #letExchangeGo(status: number): void {
    const { account, events } = this;
    this.#phase = "answering";
    this.events = null;
    if (account instanceof Exchange) account.answeredElsewhere();
    else if (events instanceof ScriptedStream) events.#replaced();
    const exchange = this.#exchange;
    if (exchange instanceof ExchangeAccount) exchange.status = status;
  }

  /** An earlier script gives another answer instead of this one's. */
  #replaced(): void {
    const { events } = this;
    this.events = null;
    if (events instanceof ScriptedStream) events.#replaced();
    this.#finish();
  }

  sendElsewhere(decision: ToDecision): void {
    const copy = this.#copy;
    const { client } = this;
    if (this.#response?.wasSent === true) throw new ScriptError("to: an endpoint may have seen the request");
    if (copy?.replayable === false) throw new ScriptError("to: of the request's body not all is kept");
    // Whatever else may be wrong, too, as long as the failure can still be answered as it is.
    for (const name of [decision.upstream, decision.plan?.mirror ?? null]) {
      if (name !== null && this.#stage.upstream(name) === null) {
        throw new ScriptError(`there is no upstream ${name}`);
      }
    }
    decision.plan?.headOf(this.sent);
    this.#response?.again();
    this.#exchange = null;
    this.#local = null;
    this.#phase = "asking";
    client.events = this;
    const reader = this.#newReader();
    if (copy !== null) reader.kept.append(copy.bytes, 0, copy.length);
    reader.trailers = this.#copyTrailers ?? this.#replay?.giveBack(reader.kept) ?? null;
    this.#count(reader.kept.length);
    this.#reader = reader;
    this.#goOn(decision);
  }

  writable(): void {
    this.events?.downstreamWritable();
  }

  answered(): void {
    this.#finishUnlessAsked();
  }

  // The end

  /** Everything is over: it is told to whoever keeps the books, and to the script. */
  #finish(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#copy = null;
    if (this.#counted > 0) this.#count(0);
    this.#came();
    this.#asked++;
    this.turn.deadlines.remove(this);
    this.#own?.stop();
    this.#reader?.lose("the client has gone");
    const exchange = this.#exchange;
    const local = this.#local;
    if (exchange !== null) this.base.exchangeDone(exchange);
    else if (local !== null) this.#stage.host.answered(local);
    if ((exchange ?? local)?.reason !== "") this.#gone?.abort();
    this.#tellScript();
  }

  #tellScript(): void {
    const { onLog, name } = this.#script;
    if (onLog === null) return;
    try {
      this.#script.call(
        "onLog",
        this.#view,
        onLog,
        logRecord(this.#exchange, this.#local, this.turn.now),
        this.#view as HttpRequest,
      );
    } catch (error) {
      this.#stage.faults.failed(name, "onLog", error, this.#view);
    }
  }

  /** Sluice stops: it waits for nothing any more. @returns whether it waited */
  refuseHeld(): boolean {
    const { events } = this;
    if (events instanceof ScriptedStream && events.refuseHeld()) return true;
    if (this.#phase === "onward" && this.#response?.isHeld === true) {
      // A failure is told as it is; of an answer that the script was to look at nothing is shown.
      if (this.#askedPhase === "onError") this.#response.release();
      else this.#failInstead("shutting_down", 503);
      return true;
    }
    if (this.#phase !== "asking") return this.account?.refuseHeld() === true;
    this.#refuse({ reason: "shutting_down", status: 503, detail: "" });
    return true;
  }
}
