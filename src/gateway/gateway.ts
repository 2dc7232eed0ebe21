/**
 * The side that faces clients: decides what becomes of each request on the connections that its server accepts (a
 * route's upstream, a fixed answer, a refusal), and ends gracefully.
 */

import type {
  Address,
  Clock,
  Listener,
  ListenOptions,
  Runtime,
  Socket,
  SocketError,
  SocketEvents,
} from "../../runtime/contract/contract.ts";
import { Exchange } from "../exchange/exchange.ts";
import { faultReason } from "../exchange/failure_reason.ts";
import { sendText } from "../exchange/local_reply.ts";
import { type ReasonCode, REASONS } from "../exchange/reason.ts";
import type { Tunnel } from "../exchange/tunnel.ts";
import type { DownstreamPeer, DownstreamStream, RequestHandler } from "../http/downstream_stream.ts";
import type { Fault } from "../http/fault.ts";
import { Field } from "../http/field.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import { maxForwards } from "../http/max_forwards.ts";
import { fieldSection } from "../http/own_fields.ts";
import type { LocalAnswer, ScriptHost } from "../script/script_host.ts";
import { ScriptedStream } from "../script/scripted_stream.ts";
import type { ConnectionLimits } from "../server/connection_set.ts";
import { Server, type ServerHost } from "../server/server.ts";
import type { Turn } from "../time/turn.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { Counted } from "../upstream/counters.ts";
import { AskedFor } from "./asked_for.ts";
import { type Failure, ForwardHandler, type ForwardHost } from "./forward/forward_handler.ts";
import { EndpointDrains } from "./endpoint_drains.ts";
import { EndpointTraffic } from "./endpoint_traffic.ts";
import { GracefulClose } from "./graceful_close.ts";
import type { RespondTarget, Route } from "./route.ts";
import { plainAnswer } from "./plain_answer.ts";
import { routedHost } from "./routed_host.ts";
import { sendRefusal } from "./send_refusal.ts";
import { type ScriptedGateway, ScriptedRequests } from "./scripted_requests.ts";
import type { GatewayObserver, Snapshot } from "./snapshot.ts";

const ALLOWED = fieldSection(["Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]);
/** While stopping, an idle client connection is closed once it has been idle this long: a client that
 * has just been answered may be sending its next request. */
const DRAIN_IDLE_MS = 1000;
/** For answers that are given when the time for all others is up. */
const LAST_WORDS_MS = 250;
/** How long an aborted connection may take to tell that it is closed, which it does within the next turn. */
const CLOSED_MS = 1000;

export class Gateway implements RequestHandler, ServerHost, ForwardHost, ScriptedGateway {
  readonly clock: Clock;
  readonly #observer: GatewayObserver;
  snapshot: Snapshot;
  readonly #forwardHandler = new ForwardHandler(this);
  readonly #server: Server;
  readonly traffic: EndpointTraffic;
  #gracefulClose: GracefulClose | null = null;
  readonly #drains: EndpointDrains;
  readonly #asked = new AskedFor();
  readonly #scripts = new ScriptedRequests(this);
  /** Requests that `abortAll` has cut off. */
  dropped = 0;

  constructor(runtime: Runtime, snapshot: Snapshot, observer: GatewayObserver) {
    this.clock = runtime.clock;
    this.snapshot = snapshot;
    this.#observer = observer;
    this.#server = new Server(runtime, this);
    this.traffic = new EndpointTraffic(this.#server.connections);
    this.#drains = new EndpointDrains(runtime.clock, this.traffic);
  }

  /**
   * Decides by another snapshot from now on. Requests under way go on by the old one; deadlines and limits of open
   * connections stay what they are, but who is trusted is looked at anew.
   */
  use(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    for (const client of this.#server.connections) {
      client.trusted = snapshot.trusted.has(client.remoteAddress);
    }
  }

  /** What scripts of this process send requests through. */
  get scriptHost(): ScriptHost {
    return this.#scripts;
  }

  /** Open client connections, tunnels included. */
  get connections(): number {
    return this.#server.connections.size;
  }

  /** CONNECT tunnels of the forward proxy, open and being opened. */
  get connectTunnels(): number {
    return this.#forwardHandler.tunnels;
  }

  /** Connections of clients that were upgraded. */
  get tunnels(): number {
    return this.traffic.tunnels.size;
  }

  /**
   * Binds; the listener is closed at the end, if not before.
   *
   * @param forward clients may ask for any destination there
   * @throws SocketFailure
   */
  bind(options: ListenOptions, forward = false): Promise<Listener> {
    return this.#server.bind(options, this.#handler(forward));
  }

  /** Whether clients that connect there from now on may ask for any destination. */
  setForward(listener: Listener, forward: boolean): void {
    this.#server.setHandler(listener, this.#handler(forward));
  }

  #handler(forward: boolean): RequestHandler {
    return forward ? this.#forwardHandler : this;
  }

  /** Binds. @returns where. @throws SocketFailure */
  async listen(options: ListenOptions): Promise<Address> {
    return (await this.bind(options)).address;
  }

  /** Stops accepting there; connections stay. Resolves when the port is free. */
  unbind(listener: Listener): Promise<void> {
    return this.#server.unbind(listener);
  }

  // ServerHost

  get turn(): Turn {
    return this.snapshot.exchange.turn;
  }

  get limits(): ConnectionLimits {
    return this.snapshot;
  }

  openConnection(socket: Socket, handler: RequestHandler): SocketEvents & DownstreamPeer {
    const { snapshot } = this;
    const client = snapshot.open(socket, handler);
    client.trusted = snapshot.trusted.has(client.remoteAddress);
    // Now, because not every platform can tell once we have closed the connection, and requests are told of after that.
    if (this.#observer.wantsPorts === true) void client.remotePort;
    return client;
  }

  refuseConnection(client: DownstreamStream): void {
    this.#fail(client, null, null, "too_many_connections", "", REASONS.too_many_connections.status);
  }

  acceptFailed(address: Address, error: SocketError): void {
    this.#observer.acceptFailed(address, error);
  }

  answerPlain(): Uint8Array {
    return plainAnswer(this.snapshot.exchange);
  }

  connectionClosed(client: DownstreamPeer): void {
    this.#server.connections.delete(client);
  }

  // Requests

  request(client: DownstreamStream, head: Head): void {
    const { snapshot } = this;
    const { exchange, scripts } = snapshot;
    const asked = this.#asked;
    const refusal = asked.read(head, exchange.forward.via, snapshot.rejectUnderscored);
    if (refusal !== null) {
      this.#fail(client, head, null, refusal.reason, refusal.detail, refusal.status);
      return;
    }
    const { host, target } = asked;
    if (head.method === "OPTIONS" && head.has(Field.maxForwards) && maxForwards(head) === 0) {
      this.answer(client, head, null, 204, "No Content", NO_FIELDS, "");
      return;
    }
    const script = scripts === null ? null : scripts.global;
    if (script !== null) {
      this.#scripts.beforeRoutes(script, client, head, target, host);
      return;
    }
    const route = this.routeOf(client, head, target, host);
    if (route === null) return;
    const leads = route.target;
    if (route.script !== null) this.#scripts.atRoute(route.script, client, head, target, host, route);
    else if (leads.kind === "upstream") {
      if (!this.isTooLarge(client, head, route)) {
        new Exchange(exchange, leads.settings, leads.retry, client, head, target, host, route).begin();
      }
    } else if (leads.kind === "respond") this.respond(client, head, route, leads);
    else this.#scripts.handle(leads.script, client, head, target, host, route);
  }

  /** @returns null when there is none, which has been answered then */
  routeOf(client: DownstreamStream, head: Head, target: string, host: string): Route | null {
    const { router } = this.snapshot;
    const route = router.route(router.usesHost ? routedHost(host) : "", target);
    if (route === "ambiguous") {
      this.#fail(client, head, null, "http_request_error", "the path can be read in two ways", 400);
      return null;
    }
    if (route === null) this.#fail(client, head, null, "no_route", "", REASONS.no_route.status);
    return route;
  }

  /** @returns whether its body is announced to be, which has been answered then */
  isTooLarge(client: DownstreamStream, head: Head, route: Counted | null): boolean {
    const { maxBodyBytes } = this.snapshot.exchange;
    if (maxBodyBytes <= 0 || client.requestBody <= maxBodyBytes) return false;
    this.#fail(client, head, route, "request_too_large", "", REASONS.request_too_large.status);
    return true;
  }

  respond(client: DownstreamStream, head: Head, route: Route, leads: RespondTarget): void {
    this.answer(client, head, route, leads.status, leads.phrase, leads.fields, leads.body);
  }

  /** Tells of a request that was answered here. */
  answered(answer: LocalAnswer): void {
    const { client } = answer;
    if (client instanceof ScriptedStream) client.answeredLocally(answer);
    else this.#observer.answeredLocally(answer);
  }

  takeNumber(): number {
    return this.#observer.takeNumber?.() ?? 0;
  }

  refused(client: DownstreamStream, fault: Fault, head: Head | null): void {
    this.#refuse(client, head, fault);
  }

  #refuse(client: DownstreamStream, head: Head | null, fault: Fault): void {
    this.#fail(client, head, null, faultReason(fault), fault.detail, fault.status);
  }

  #fail(
    client: DownstreamStream,
    head: Head | null,
    route: Counted | null,
    reason: ReasonCode,
    detail: string,
    status: number,
  ): void {
    this.refuse(client, head, route, {
      reason,
      detail,
      status,
      fields: status === 405 ? ALLOWED : NO_FIELDS,
    });
  }

  /** Answers with a failure, and tells of it. */
  refuse(client: DownstreamStream, head: Head | null, route: Counted | null, failure: Failure): void {
    const { reason, status, detail } = failure;
    const offeredBefore = client.offeredBytes;
    this.sendRefusal(client, head, failure);
    this.answered({ client, head, route, status, reason, detail, offeredBefore });
  }

  /** The same, told of by whoever has asked for it. */
  sendRefusal(client: DownstreamStream, head: Head | null, failure: Failure): void {
    sendRefusal(client, head, this.snapshot.exchange, failure);
  }

  /** A route takes the request, which is in origin form. */
  takes(head: Head): boolean {
    const { router } = this.snapshot;
    const route = router.route(router.usesHost ? routedHost(head.host) : "", head.target);
    return route !== null;
  }

  lost(client: DownstreamStream, head: Head, route: Counted | null, reason: ReasonCode): void {
    const { offeredBytes: offeredBefore } = client;
    this.answered({ client, head, route, status: 0, reason, detail: "", offeredBefore });
  }

  answer(
    client: DownstreamStream,
    head: Head,
    route: Counted | null,
    status: number,
    phrase: string,
    fields: FieldSection,
    body: string,
  ): void {
    const offeredBefore = client.offeredBytes;
    const date = this.snapshot.exchange.date();
    sendText(client, status, phrase, date, body, head.method === "HEAD", false, fields);
    this.answered({ client, head, route, status, reason: "", detail: "", offeredBefore });
  }

  // Tunnels, and what goes through endpoints that are taken out of use

  tunnelOpened(tunnel: Tunnel): void {
    this.traffic.tunnels.add(tunnel);
    if (this.#server.connections.ending || tunnel.endpoint?.enabled === false) tunnel.sendClose();
  }

  tunnelClosed(tunnel: Tunnel): void {
    this.traffic.tunnels.delete(tunnel);
  }

  /** Open tunnels through such endpoints. CONNECT tunnels have none. */
  tunnelsOf(which: (endpoint: Endpoint) => boolean): number {
    return this.traffic.tunnelsOf(which);
  }

  /**
   * Ends the WebSockets through these endpoints, a few at a time within `windowMs`, and whatever else goes through
   * them when that is over: requests that may be sent again go elsewhere. The endpoints must be out of use.
   */
  drainEndpoints(endpoints: readonly Endpoint[], windowMs: number): void {
    const { turn } = this;
    turn.begin();
    this.traffic.drainPins(new Set(endpoints));
    turn.end();
    this.#drains.begin(turn, endpoints, windowMs);
  }

  /** The endpoint may be used again: nothing of it is ended any more. */
  keepEndpoint(endpoint: Endpoint): void {
    this.#drains.callOff(endpoint);
  }

  /** Ends tunnels through these endpoints, and requests that cannot go elsewhere; others go there. */
  cut(endpoints: ReadonlySet<Endpoint>): void {
    this.traffic.cut(endpoints);
  }

  // Ending

  /**
   * Stops accepting, lets what is in flight end, and aborts what is left after `timeoutMs`. Responses in
   * progress announce `Connection: close`, WebSockets are asked to end.
   *
   * @param closed called when nothing is accepted any more
   */
  async drain(timeoutMs: number, closed: () => void = () => {}): Promise<void> {
    const closing = this.#server.drain(DRAIN_IDLE_MS).then(closed);
    const tunnels = [...this.traffic.tunnels];
    this.#gracefulClose = new GracefulClose(this.clock, this.turn, tunnels, timeoutMs);
    await this.#server.connections.untilEmpty(timeoutMs);
    await this.#refuseHeld();
    await this.abortAll();
    await closing;
  }

  /** Requests that still wait are answered that no endpoint will serve them any more, and the answers get time to leave. */
  async #refuseHeld(): Promise<void> {
    const { turn } = this;
    turn.begin();
    const refused = this.traffic.refuseHeld();
    turn.end();
    if (refused === 0) return;
    this.dropped += refused;
    await this.#server.connections.untilEmpty(LAST_WORDS_MS);
  }

  /** Ends everything now, and settles when every connection has told so: only then its request is logged. */
  async abortAll(): Promise<void> {
    this.#gracefulClose?.cancel();
    this.#drains.cancel();
    for (const tunnel of this.traffic.tunnels) tunnel.abort();
    this.dropped += this.#server.connections.abort("all");
    await this.#server.connections.untilEmpty(CLOSED_MS);
  }
}
