/**
 * Which endpoints of an upstream can be used, as seen from what becomes of dials and requests, and how long requests
 * may wait while none can.
 *
 * There are no probes: an endpoint is down when a dial fails, or when a new connection ends without an answer. While
 * it is down and requests wait, a single dial at a time asks for it (dial_loop.ts). The first dial that succeeds makes it
 * probing, the first answer up again. While every endpoint is down or drained, or the upstream is paused, requests
 * are held, and the hold clock counts that time apart from the time in the queue (hold_clock.ts).
 */

import type { Clock, SocketError } from "../../runtime/contract/contract.ts";
import { isLasting, isProxyAnswer, isRefusalOfProxy } from "../client/dial_fault.ts";
import type { UpstreamPeer } from "../http/upstream_stream.ts";
import type { Turn } from "../time/turn.ts";
import { DialLoop } from "./dial_loop.ts";
import { dialPause, dropPause } from "./dial_pace.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointSet } from "./endpoint_set.ts";
import { HoldClock, type TimedWait } from "./hold_clock.ts";
import type { ObservedUpstream, UpstreamObserver } from "./upstream_observer.ts";
import type { UpstreamSettings } from "./upstream_settings.ts";

/** Endpoints that are asked in one go at most when their answers decide about all requests that wait. */
const MOST_AT_ONCE = 256;

/** The requests that wait for endpoints, and the dials that are made for them. */
export interface WaitingRequests {
  readonly waiting: number;
  /** Dials under way to any endpoint. */
  readonly dialing: number;
  /** Opens a connection to `endpoint`, which is down. */
  dial(endpoint: Endpoint): void;
  /** The ends of all waits are others now. */
  endsMoved(now: number): void;
}

export class Availability {
  settings: UpstreamSettings;
  readonly #endpoints: EndpointSet;
  readonly #turn: Turn;
  readonly #requests: WaitingRequests;
  readonly #observer: UpstreamObserver;
  /** Whom the observer is told about. */
  readonly #observed: ObservedUpstream;
  /** Asks for the endpoints that are down. */
  readonly #loop: DialLoop;
  readonly #hold = new HoldClock();
  #paused = false;
  #stopped = false;

  constructor(
    clock: Clock,
    turn: Turn,
    endpoints: EndpointSet,
    settings: UpstreamSettings,
    requests: WaitingRequests,
    observer: UpstreamObserver,
    observed: ObservedUpstream,
  ) {
    this.settings = settings;
    this.#endpoints = endpoints;
    this.#turn = turn;
    this.#requests = requests;
    this.#observer = observer;
    this.#observed = observed;
    this.#loop = new DialLoop(clock, (endpoint) => requests.dial(endpoint), () => this.#askAgain());
  }

  /** Requests that have no connection yet are held on purpose. */
  get paused(): boolean {
    return this.#paused;
  }

  /** No request can be served now: every endpoint is down or drained, or the upstream is paused. */
  get holding(): boolean {
    return this.#hold.holding;
  }

  /** Why requests are held, in a few words; null when they are not. */
  get heldBecause(): string | null {
    if (this.#paused) return "requests are held on purpose: paused";
    return this.#endpoints.allDown ? this.#endpoints.lastFailure : null;
  }

  /** Monotonic count of milliseconds during which `holding` was true. */
  holdingMs(now: number): number {
    return this.#hold.totalMs(now);
  }

  /** See `HoldClock.leftMs`. */
  holdLeftMs(arrivedAt: number, queuedMs: number, now: number): number {
    return this.#hold.leftMs(arrivedAt, queuedMs, now, this.settings.holdMs);
  }

  // Requests that wait

  /** `wait` is about to begin. */
  waitBegins(wait: TimedWait, now: number): void {
    this.#hold.enter(wait, now);
  }

  /** `wait` has led to a connection; the request may come back. */
  waitServed(wait: TimedWait, now: number): void {
    this.#hold.leave(wait, now);
  }

  /** See `HoldClock.endOfWait`. */
  endOfWait(wait: TimedWait, now: number, handover: boolean): number {
    const asking = this.#endpoints.downEndpoints.size > 0;
    return this.#hold.endOfWait(wait, now, this.settings, asking, handover);
  }

  /** Tells the observer, once for all requests that wait, when they are held. */
  tellHeld(): void {
    if (!this.#hold.holding || this.#requests.waiting === 0) return;
    if (this.#hold.begins(this.#turn.now)) this.#observer.held?.(this.#observed, this.#requests.waiting);
  }

  /** No request waits any more, or the upstream is about to be told about by another name. */
  tellReleased(): void {
    const since = this.#hold.ends();
    if (since >= 0) this.#observer.released?.(this.#observed, this.#turn.now - since);
  }

  // Asking for endpoints that are down

  /** Requests wait: keeps the dial loop of every endpoint that is down going. */
  ask(now: number): void {
    // Without holding each round of dials decides about all requests that wait; a round begins when none is under way.
    const atOnce = this.settings.holdMs === 0 && this.#requests.dialing === 0 && this.#endpoints.allDown;
    if (atOnce) this.#loop.askAtOnce(now, MOST_AT_ONCE);
    else this.#loop.ask(now);
  }

  /** Requests pass without waiting. */
  askInPassing(now: number): void {
    this.#loop.askInPassing(now);
  }

  #askAgain(): void {
    this.#turn.begin();
    if (this.#requests.waiting > 0 && !this.#paused) this.ask(this.#turn.now);
    this.#turn.end();
  }

  // What dials and requests tell

  /** A dial has succeeded. */
  dialSucceeded(endpoint: Endpoint): void {
    if (endpoint.state === "down") this.#markProbing(endpoint);
  }

  /**
   * A dial has failed, and is not counted any more.
   *
   * @returns true when every request that waits for a dial fails with it
   */
  dialFailed(endpoint: Endpoint, error: SocketError): boolean {
    if (error.code === "connection_refused") endpoint.life.refusedAt = this.#turn.now;
    if (isRefusalOfProxy(error)) {
      // The proxy has answered: the next connection need not wait for one.
      endpoint.ramp.restart();
      return !this.#paused;
    }
    if (endpoint.enabled) this.#markDown(endpoint, error);
    // While the upstream is paused no request waits for a dial.
    if (this.#paused) return false;
    // What a proxy has answered is true of the destination, whatever has become of the other endpoints.
    if (isProxyAnswer(error) && this.#endpoints.allDown) return true;
    // Waiting does not mend a TLS failure. Requests are told at once unless another endpoint may help.
    if (isLasting(error)) return this.#endpoints.hopeless;
    return this.settings.holdMs === 0 && this.#endpoints.allDown && this.#requests.dialing === 0;
  }

  /**
   * An endpoint has begun to answer: it is up.
   *
   * @param keeps it keeps connections open: this one had served before, or the endpoint says so
   * @param sentAt when the request was sent, monotonic milliseconds
   */
  answered(endpoint: Endpoint, keeps: boolean, sentAt: number): void {
    const { downReportedByPeer } = endpoint;
    const back = endpoint.noteAnswer(keeps, sentAt, this.#turn.now);
    if (back && !downReportedByPeer) {
      this.#observer.endpointUp(this.#observed, endpoint, this.#turn.now - endpoint.downSince);
    }
  }

  /**
   * A new connection ended before any answer. The endpoint counts as down, although it accepts
   * connections, unless it has answered others meanwhile: then the failure was that request's own.
   */
  failed(connection: UpstreamPeer, endpoint: Endpoint, error: SocketError): void {
    endpoint.life.lostAt = this.#turn.now;
    if (endpoint.answered !== connection.endpointAnswers || !endpoint.enabled) return;
    endpoint.drops++;
    this.#markDown(endpoint, error, dropPause(endpoint.drops));
  }

  /** A pooled connection died without an answer: the others of that endpoint are suspect. */
  suspect(endpoint: Endpoint): void {
    endpoint.life.lostAt = this.#turn.now;
    endpoint.keepsAlive = false;
    endpoint.pool.clear();
  }

  /**
   * Another process could not reach `endpoint`. A connection of ours there, or one under way, is better evidence; else
   * the endpoint is asked by one dial before others rely on it.
   *
   * @returns true when it counts as down now
   */
  reportedByPeer(endpoint: Endpoint, error: SocketError): boolean {
    if (this.#stopped || !endpoint.enabled || endpoint.state !== "up" || endpoint.used > 0) return false;
    endpoint.downReportedByPeer = true;
    this.#markDown(endpoint, error);
    endpoint.nextDialAt = this.#turn.now;
    this.#loop.schedule(endpoint);
    return true;
  }

  /** @param leastPauseMs before it is asked again, unless the pause is fixed */
  #markDown(endpoint: Endpoint, error: SocketError, leastPauseMs = 0): void {
    const { now } = this.#turn;
    this.#endpoints.noteFailure(endpoint, error, now);
    if (endpoint.state !== "down") {
      const wasUp = endpoint.goDown(now);
      this.#endpoints.downEndpoints.add(endpoint);
      this.#noteHolding(now);
      if (wasUp && !endpoint.downReportedByPeer) this.#observer.endpointDown(this.#observed, endpoint, error);
    }
    endpoint.ramp.restart();
    const { holdIntervalMs } = this.settings;
    const pauseMs = dialPause(now - endpoint.loopSince, holdIntervalMs, Math.random());
    endpoint.nextDialAt = now + (holdIntervalMs === null ? Math.max(pauseMs, leastPauseMs) : pauseMs);
    this.#loop.schedule(endpoint);
  }

  #markProbing(endpoint: Endpoint): void {
    const { now } = this.#turn;
    endpoint.beginProbing(now);
    this.#endpoints.downEndpoints.delete(endpoint);
    this.#noteHolding(now);
    endpoint.ramp.restart();
  }

  // On purpose

  /** Holds requests until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#noteHolding(this.#turn.now);
  }

  /** Ends a pause. Connection ramps begin anew, for another process may listen there now. Call `changed` then. */
  resume(): void {
    this.#paused = false;
    for (const endpoint of this.#endpoints.all) {
      endpoint.ramp.restart();
      endpoint.nextDialAt = this.#turn.now;
      if (endpoint.pool.size === 0) endpoint.keepsAlive = false;
    }
  }

  /** `endpoint` was out of use and may be used again. Call `changed` then. */
  restore(endpoint: Endpoint): void {
    endpoint.enabled = true;
    endpoint.stateSince = this.#turn.now;
    endpoint.ramp.restart();
    if (endpoint.state === "down") endpoint.nextDialAt = this.#turn.now;
  }

  /** Endpoints, or what may be done with them, are others now. */
  changed(): void {
    this.#endpoints.recount();
    this.#loop.clear();
    for (const endpoint of this.#endpoints.downEndpoints) this.#loop.schedule(endpoint);
    this.#noteHolding(this.#turn.now);
  }

  /** Time during which no request can be served begins or ends, if it does. */
  #noteHolding(now: number): void {
    const state = this.#paused ? "paused" : this.#endpoints.allDown ? "down" : "open";
    if (!this.#hold.set(state, now) || this.#requests.waiting === 0) return;
    this.#requests.endsMoved(now);
    this.tellHeld();
  }

  /** Asks for no endpoint any more. */
  stop(): void {
    this.#stopped = true;
    this.#loop.clear();
  }
}
