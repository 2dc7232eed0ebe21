/**
 * A named set of endpoints as the rest of Sluice sees it: requests get connections here, operators pause it and take
 * endpoints out of use, a reload gives it other settings, and status reads its figures.
 *
 * The work is done by the dispatcher (dispatcher.ts: the waiting room, who is served next, what is dialled) and by its
 * availability (availability.ts: which endpoints are up, and how long requests are held while none is).
 */

import type { Runtime, SocketError } from "../../runtime/contract/contract.ts";
import type { AfterReply } from "../client/after_reply.ts";
import type { Connector } from "../client/connector.ts";
import type { UpstreamPeer, UpstreamStream } from "../http/upstream_stream.ts";
import type { Turn } from "../time/turn.ts";
import type { Availability } from "./availability.ts";
import type { Counters } from "./counters.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Endpoint } from "./endpoint.ts";
import { EndpointSet } from "./endpoint_set.ts";
import type { StreamSource } from "./stream_source.ts";
import type { ObservedUpstream, UpstreamObserver } from "./upstream_observer.ts";
import type { UpstreamSettings } from "./upstream_settings.ts";
import type { StreamRequest, Waiter } from "./waiting_room.ts";

export class Upstream implements StreamSource, ObservedUpstream {
  #settings: UpstreamSettings;
  readonly #endpoints: EndpointSet;
  readonly #dispatcher: Dispatcher;
  readonly #availability: Availability;
  readonly #turn: Turn;
  /** Bytes of request bodies kept by requests that wait, or will when they have been read. */
  bufferedBytes = 0;
  /** Requests that will ask, and are not ready to yet. */
  coming = 0;
  /** Bytes of copies of request bodies that were sent. */
  copiedBytes = 0;
  /** Belongs to the counting side (observe/). */
  counters: Counters | null = null;

  constructor(
    runtime: Runtime,
    connector: Connector,
    settings: UpstreamSettings,
    observer: UpstreamObserver,
  ) {
    this.#turn = connector.turn;
    this.#settings = settings;
    const lost = () => this.#dispatcher.serveWaiting();
    this.#endpoints = new EndpointSet(settings.endpoints, runtime.clock.now(), lost);
    this.#dispatcher = new Dispatcher(runtime, connector, this.#endpoints, settings, observer, this);
    this.#availability = this.#dispatcher.availability;
  }

  /** A reload may change it. */
  get name(): string {
    return this.#settings.name;
  }

  get settings(): UpstreamSettings {
    return this.#settings;
  }

  get queueBytes(): number {
    return this.#settings.queueBytes;
  }

  /** Those in use and those that are drained, in the order of the configuration. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints.all;
  }

  /** The endpoint of that name. */
  endpoint(name: string): Endpoint | undefined {
    return this.#endpoints.named(name);
  }

  /** The same, or one that was replaced and whose clients still need slots. */
  sharedEndpoint(name: string): Endpoint | undefined {
    return this.#endpoints.sharingNamed(name);
  }

  /** Whether it is one of ours, or was. */
  owns(endpoint: Endpoint): boolean {
    return endpoint.owner === this.#endpoints;
  }

  // Figures

  /** Requests waiting. */
  get waiting(): number {
    return this.#dispatcher.waiting;
  }

  /** How long the oldest requests in the room have waited, at most `most` of them, oldest first. Milliseconds. */
  waits(now: number, most: number): number[] {
    return this.#dispatcher.waits(now, most);
  }

  /** Requests in flight. */
  get inFlight(): number {
    return this.#dispatcher.inFlight;
  }

  /** Connections that belong to one client each: see pins.ts. */
  get pinned(): number {
    return this.endpoints.reduce((sum, { pinned }) => sum + pinned, 0);
  }

  /** No endpoint can be reached as far as we know, or may be used. */
  get allDown(): boolean {
    return this.#endpoints.allDown;
  }

  get paused(): boolean {
    return this.#availability.paused;
  }

  /** Requests wait for want of endpoints or slots, not just for connections being opened. */
  get pressed(): boolean {
    return this.#dispatcher.admission.pressed;
  }

  /** Monotonic count of milliseconds during which no endpoint could be reached, or requests were held on purpose. */
  outageMs(now: number): number {
    return this.#availability.holdingMs(now);
  }

  /** See `HoldClock.leftMs`. */
  holdLeftMs(arrivedAt: number, queuedMs: number, now: number): number {
    return this.#availability.holdLeftMs(arrivedAt, queuedMs, now);
  }

  /** Whether an endpoint other than this one can take a request now. */
  hasOther(endpoint: Endpoint): boolean {
    return this.#endpoints.hasOther(endpoint);
  }

  // Requests

  /**
   * Asks for a stream. When a connection lies idle and the waiting room is empty, a stream on it is the answer; otherwise the waiter is in
   * the room and hears `streamReady` or `waitFailed`, possibly inside this call.
   */
  acquire(waiter: Waiter): UpstreamStream | null {
    return this.#dispatcher.acquire(waiter);
  }

  /** The same for a request that asks for the first time, and has no connection of its own. */
  acquireFirst(request: StreamRequest): UpstreamStream | null {
    return this.#dispatcher.acquireFirst(request);
  }

  /** The waiter gives up (its client left, say). */
  leave(waiter: Waiter): void {
    this.#dispatcher.leave(waiter);
  }

  /**
   * The exchange is done with a stream.
   *
   * @param fate what becomes of its connection; unless it may serve again it is gone or has been dropped
   * @param wasRetry `waiter.isRetry` at the time it was assigned, unless `retryAnswered` was called since
   */
  release(connection: UpstreamPeer, endpoint: Endpoint, fate: AfterReply, wasRetry: boolean): void {
    this.#dispatcher.release(connection, endpoint, fate, wasRetry);
  }

  /** The answer to a retry has begun: what remains of it takes no part of the budget. */
  retryAnswered(): void {
    this.#dispatcher.retryAnswered();
  }

  /** See `Availability.answered`. */
  answered(endpoint: Endpoint, keeps: boolean, sentAt: number): void {
    this.#availability.answered(endpoint, keeps, sentAt);
  }

  /** A new connection ended before any answer; see `Availability.failed`. */
  failed(connection: UpstreamPeer, endpoint: Endpoint, error: SocketError): void {
    this.#availability.failed(connection, endpoint, error);
  }

  /** A pooled connection died without an answer: the others of that endpoint are suspect. */
  suspect(endpoint: Endpoint): void {
    this.#availability.suspect(endpoint);
  }

  // What other processes tell

  /** More slots of `endpoint` are ours. */
  slotsGranted(endpoint: Endpoint, count: number): void {
    this.#turn.begin();
    this.#dispatcher.slots?.granted(endpoint, count);
    this.#turn.end();
  }

  /** Requests of other processes, of which the oldest has waited for `waitedMs`, want `count` of our slots. */
  slotsRecalled(endpoint: Endpoint, count: number, waitedMs: number): void {
    this.#turn.begin();
    this.#dispatcher.slots?.recalled(endpoint, count, waitedMs);
    this.#turn.end();
  }

  /** Another process could not reach `endpoint`; see `Availability.reportedByPeer`. */
  reportedByPeer(endpoint: Endpoint, error: SocketError): void {
    this.#turn.begin();
    if (this.#availability.reportedByPeer(endpoint, error)) this.#dispatcher.serveWaiting();
    this.#turn.end();
  }

  // On purpose

  /** Holds every request that has no connection yet, until `resume`. What is in flight goes on. */
  pause(): void {
    this.#turn.begin();
    this.#availability.pause();
    this.#turn.end();
  }

  /**
   * Lets the requests go, oldest first: at once only as many as idle connections lie ready, the others as the
   * connection ramp opens new ones.
   */
  resume(): void {
    if (!this.paused) return;
    this.#turn.begin();
    this.#availability.resume();
    this.#changed();
  }

  /** No new request for `endpoint`, no idle connection to it. What it serves goes on. */
  withdraw(endpoint: Endpoint): void {
    this.#turn.begin();
    endpoint.putOut(this.#turn.now);
    this.#changed();
  }

  /** It may be used again. */
  restore(endpoint: Endpoint): void {
    if (endpoint.enabled) return;
    this.#turn.begin();
    this.#availability.restore(endpoint);
    this.#changed();
  }

  /**
   * Goes by other settings from now on; the waiting room stays as it is, and so do endpoints that are the same.
   *
   * @returns endpoints that are not used any more; they may still have requests
   */
  reconfigure(settings: UpstreamSettings): readonly Endpoint[] {
    this.#turn.begin();
    if (settings.name !== this.name) this.#rename(settings);
    this.#settings = settings;
    const { slots } = this.#dispatcher;
    const give = slots === null ? null : (endpoint: Endpoint, count: number) => slots.give(endpoint, count);
    const dropped = this.#endpoints.reconfigure(settings.endpoints, this.#turn.now, give);
    for (const endpoint of dropped) endpoint.putOut(this.#turn.now);
    this.#dispatcher.reconfigure(settings);
    this.#changed();
    return dropped;
  }

  /** No route leads here any more, and no request waits: slots that are not used are given away. */
  retire(): void {
    for (const endpoint of this.endpoints) {
      endpoint.leave((count) => this.#dispatcher.slots?.give(endpoint, count));
    }
  }

  /** A route leads here again. */
  readmitAll(): void {
    for (const endpoint of this.endpoints) endpoint.leave(null);
  }

  /** What is told or counted from now on goes by the other name. */
  #rename(settings: UpstreamSettings): void {
    this.#availability.tellReleased();
    this.#settings = settings;
    this.counters = null;
    for (const endpoint of this.endpoints) endpoint.counters = null;
    this.#dispatcher.slots?.rename(settings.name);
    this.#availability.tellHeld();
  }

  /** Endpoints, or what may be done with them, are others now. Ends the turn. */
  #changed(): void {
    this.#dispatcher.changed();
    this.#turn.end();
  }

  /** No request comes any more: closes idle connections, fails what waits. */
  stop(): void {
    this.#dispatcher.stop();
  }
}
