/** Requests that scripts are asked about: which script comes when, and what it gets of the gateway. */

import type { Clock } from "../../runtime/contract/contract.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { ExchangeContext } from "../exchange/exchange_context.ts";
import type { ExchangeSettings } from "../exchange/exchange_settings.ts";
import { NEVER_AGAIN, type RetryPolicy } from "../exchange/retry.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { Head } from "../http/head.ts";
import { sendInner } from "../script/inner_request.ts";
import type { Script } from "../script/script.ts";
import { NO_FAULTS, type ScriptFaults } from "../script/script_faults.ts";
import type { LocalAnswer, NamedUpstream, Onward, Refusal, ScriptHost } from "../script/script_host.ts";
import type { Incoming, ScriptStage } from "../script/script_stage.ts";
import { ScriptedStream } from "../script/scripted_stream.ts";
import type { Counted } from "../upstream/counters.ts";
import type { StreamSource } from "../upstream/stream_source.ts";
import type { RespondTarget, Route } from "./route.ts";
import type { Snapshot } from "./snapshot.ts";

/** The gateway around them. */
export interface ScriptedGateway {
  readonly snapshot: Snapshot;
  readonly clock: Clock;
  /** @returns null when there is none, which has been answered then */
  routeOf(client: DownstreamStream, head: Head, target: string, host: string): Route | null;
  /** @returns whether its body is announced to be, which has been answered then */
  isTooLarge(client: DownstreamStream, head: Head, route: Counted | null): boolean;
  /** Gives the answer of a route. */
  respond(client: DownstreamStream, head: Head, route: Route, answer: RespondTarget): void;
  sendRefusal(client: DownstreamStream, head: Head | null, refusal: Refusal): void;
  answered(answer: LocalAnswer): void;
  takeNumber(): number;
}

export class ScriptedRequests implements ScriptHost {
  readonly #gateway: ScriptedGateway;
  #stage: Stage | null = null;
  /** ScriptHost. */
  bodyBytes = 0;

  constructor(gateway: ScriptedGateway) {
    this.#gateway = gateway;
  }

  // Asking

  /** A request comes to the script before the routes. */
  beforeRoutes(
    script: Script,
    client: DownstreamStream,
    head: Head,
    target: string,
    authority: string,
  ): void {
    this.#ask(script, incoming(this.context, client, head, target, authority, null));
  }

  /** A request comes to the script of a route. */
  atRoute(
    script: Script,
    client: DownstreamStream,
    head: Head,
    target: string,
    authority: string,
    route: Route,
  ): void {
    this.#ask(script, incoming(this.context, client, head, target, authority, route));
  }

  /** A request comes to a handler. */
  handle(
    script: Script,
    client: DownstreamStream,
    head: Head,
    target: string,
    authority: string,
    route: Route,
  ): void {
    this.#handle(script, incoming(this.context, client, head, target, authority, route));
  }

  #ask(script: Script, request: Incoming, before: Onward | null = null): void {
    const stage = this.#stageOf(script);
    new ScriptedStream(stage, request, memoryOf(before)).begin(script.onRequest, "onRequest");
  }

  /** Of requests one after the other most come to the same script. */
  #stageOf(script: Script): Stage {
    const { upstreams } = this.#gateway.snapshot;
    const last = this.#stage;
    if (last !== null && last.script === script && last.upstreams === upstreams) return last;
    return this.#stage = new Stage(this, script, upstreams);
  }

  #handle(script: Script, request: Incoming, before: Onward | null = null): void {
    if (this.#gateway.isTooLarge(request.client, request.head, request.route)) return;
    const stage = this.#stageOf(script);
    new ScriptedStream(stage, request, memoryOf(before)).begin(script.handler, "handler");
  }

  // ScriptHost

  get clock(): Clock {
    return this.#gateway.clock;
  }

  get context(): ExchangeContext {
    return this.#gateway.snapshot.exchange;
  }

  get bodyLimit(): number {
    return this.#gateway.snapshot.scriptBodyBytes;
  }

  get bodyMemory(): number {
    return this.#gateway.snapshot.scriptMemoryBytes;
  }

  get faults(): ScriptFaults {
    return this.#gateway.snapshot.scripts?.faults ?? NO_FAULTS;
  }

  upstream(name: string): NamedUpstream | null {
    return this.#gateway.snapshot.upstreams.get(name) ?? null;
  }

  send(request: Onward, { settings, retry, counted }: NamedUpstream, route: Counted | null): void {
    this.#send(request, settings, retry, route ?? counted);
  }

  #send(request: Onward, settings: ExchangeSettings, retry: RetryPolicy, route: Counted): void {
    const { context, stream, head, sent, target, authority, how } = request;
    if (this.#gateway.isTooLarge(stream, head, route)) return;
    const use = how.settingsOf(settings);
    const policy = how.retries ? retry : NEVER_AGAIN;
    const exchange = new Exchange(context, use, policy, stream, head, target, authority, route, sent);
    exchange.balanceKey = how.key;
    exchange.prefers = how.endpoint;
    exchange.id = request.number;
    exchange.logFields = how.logFields;
    exchange.begin();
  }

  /** A script leaves a request to the routes. */
  toRoutes(request: Onward): void {
    const { stream, head, target, authority, how } = request;
    const route = this.#gateway.routeOf(stream, head, target, how.host ?? authority);
    if (route === null) return;
    if (route.script !== null) this.#ask(route.script, onwards(request, route), request);
    else this.toTarget(request, route);
  }

  /** The script of a route leaves a request to it. */
  toTarget(request: Onward, route: Route): void {
    const { target: leads } = route;
    if (leads.kind === "upstream") this.#send(request, leads.settings, leads.retry, route);
    else if (leads.kind === "respond") this.#gateway.respond(request.stream, request.head, route, leads);
    else this.#handle(leads.script, onwards(request, route), request);
  }

  mirror(request: Onward, upstream: NamedUpstream, body: Uint8Array | null): void {
    sendInner(this, upstream, request, body);
  }

  refuse(client: DownstreamStream, head: Head, refusal: Refusal): void {
    this.#gateway.sendRefusal(client, head, refusal);
  }

  answered(answer: LocalAnswer): void {
    this.#gateway.answered(answer);
  }

  takeNumber(): number {
    return this.#gateway.takeNumber();
  }
}

/** Where a script stands: before the routes, or at one. */
class Stage implements ScriptStage {
  readonly host: ScriptedRequests;
  readonly script: Script;
  /** When its requests came. */
  readonly upstreams: Snapshot["upstreams"];

  constructor(host: ScriptedRequests, script: Script, upstreams: Snapshot["upstreams"]) {
    this.host = host;
    this.script = script;
    this.upstreams = upstreams;
  }

  upstream(name: string): NamedUpstream | null {
    return this.host.upstream(name) ?? this.upstreams.get(name) ?? null;
  }

  get faults(): ScriptFaults {
    return this.host.faults;
  }

  next(request: Onward, route: Counted | null): void {
    if (route === null) this.host.toRoutes(request);
    // The cast: it came as the route of the request.
    else this.host.toTarget(request, route as Route);
  }
}

function incoming(
  context: ExchangeContext,
  client: DownstreamStream,
  head: Head,
  target: string,
  authority: string,
  route: Route | null,
): Incoming {
  const leadsTo = sourceOf(route);
  return { client, context, head, sent: head, target, authority, route, leadsTo, before: null };
}

function onwards(before: Onward, route: Route): Incoming {
  const { stream: client, context, head, sent, target, authority } = before;
  return { client, context, head, sent, target, authority, route, leadsTo: sourceOf(route), before };
}

function sourceOf(route: Route | null): StreamSource | null {
  return route !== null && route.target.kind === "upstream" ? route.target.settings.upstream : null;
}

/** What the script before has kept for the later phases is there for the next one as well. */
function memoryOf(before: Onward | null): ScriptedStream["memory"] | null {
  return before instanceof ScriptedStream ? before.memory : null;
}
