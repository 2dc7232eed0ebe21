/**
 * A named set of endpoints with one waiting room: finds each request a connection, or lets it wait.
 *
 * A request that meets no idle connection enters the room. Whatever happens afterwards (a connection
 * opened, one came back, a slot became free, a dial failed) leads to `#serve`, which gives connections to
 * the oldest waiters and keeps as many dials going as there are waiters and slots. So a dial belongs to
 * nobody: the connection it opens goes to whoever has waited longest. While an endpoint is down a
 * single dial at a time asks for it. After its return, and as long as nothing is known of it, connections
 * are opened one by one (connection_ramp.ts), so that a backend which takes one and leaves again has none queued behind it.
 */

import type { Runtime, SocketError } from "../../runtime/contract/contract.ts";
import type { Connector } from "../client/connector.ts";
import type { UpstreamPeer, UpstreamStream } from "../http/upstream_stream.ts";
import { Alarm } from "../time/alarm.ts";
import { Timed } from "../time/deadline_queue.ts";
import type { Turn } from "../time/turn.ts";
import type { AfterReply } from "../client/after_reply.ts";
import { isTlsFailure } from "../client/dial_fault.ts";
import { DialLoop } from "./dial_loop.ts";
import { dialPause, dropPause } from "./dial_pace.ts";
import { Dialer } from "./dialer.ts";
import { type Endpoint, MOST_PLACES } from "./endpoint.ts";
import { EndpointSet } from "./endpoint_set.ts";
import { HoldClock } from "./hold_clock.ts";
import type { Policy } from "./policy.ts";
import { Probation } from "./probation.ts";
import { RetryBudget } from "./retry_budget.ts";
import { SlotTalk } from "./slot_talk.ts";
import type { Counters } from "./counters.ts";
import type { StreamSource } from "./stream_source.ts";
import type { UpstreamObserver } from "./upstream_observer.ts";
import type { UpstreamSettings } from "./upstream_settings.ts";
import type { WaitFailure } from "./wait_failure.ts";
import { type Waiter, WaitingRoom } from "./waiting_room.ts";

/** While requests wait, endpoints not trusted with more connections, and those under probation, are looked at this often. */
const CHECK_MS = 5;
/** New dials begun in one go at most, on top of those under way. */
const MOST_NEW_DIALS = 256;
/** Requests that may wait for connections being opened, whatever the size of the queue for slots. */
const MOST_OPENING = MOST_PLACES;

export class Upstream extends Timed implements StreamSource {
  #settings: UpstreamSettings;
  readonly #endpoints: EndpointSet;
  readonly #turn: Turn;
  readonly #observer: UpstreamObserver;
  #policy: Policy;
  readonly #room = new WaitingRoom();
  /** Null when no slot is shared with another process. */
  readonly #slots: SlotTalk | null;
  readonly #dialer: Dialer;
  readonly #probation: Probation;
  /** Asks for the endpoints that are down. */
  readonly #loop: DialLoop;
  /** Looks at endpoints that are not trusted with more connections, and at connections under probation. */
  readonly #checkAlarm: Alarm;
  #serving = false;
  #serveAgain = false;
  #stopped = false;
  #paused = false;
  /** Endpoints that are down. */
  readonly #downEndpoints: Set<Endpoint>;
  /** Requests in flight on all endpoints. */
  #busy = 0;
  readonly #retries = new RetryBudget();
  readonly #hold = new HoldClock();
  /** Bytes of request bodies kept by requests that wait, or will when they have been read. */
  bufferedBytes = 0;
  /** Bytes of copies of request bodies that were sent. */
  copiedBytes = 0;
  /** Belongs to whoever counts. */
  counters: Counters | null = null;

  constructor(
    runtime: Runtime,
    connector: Connector,
    settings: UpstreamSettings,
    observer: UpstreamObserver,
  ) {
    super();
    const { turn } = connector;
    this.#turn = turn;
    this.#settings = settings;
    this.#observer = observer;
    this.#endpoints = new EndpointSet(settings.endpoints, runtime.clock.now(), () => this.#connectionLost());
    this.#downEndpoints = this.#endpoints.downEndpoints;
    this.#loop = new DialLoop(runtime.clock, (endpoint) => this.#dial(endpoint), () => this.#askAgain());
    this.#dialer = new Dialer(runtime, connector, {
      opened: (endpoint, peer) => this.#opened(endpoint, peer),
      failed: (endpoint, error) => this.#dialFailed(endpoint, error),
    });
    this.#probation = new Probation(turn, this.#dialer, this.#room, {
      retriesAllowed: () => this.#retriesAllowed(),
      proved: (connection, waiter) => this.#give(connection, connection.owner as Endpoint, waiter),
      needless: (connection) => this.#place(connection, connection.owner as Endpoint, this.#nextWaiter()),
      dropped: (endpoint, error) => this.#dialFailed(endpoint, error),
    });
    this.#checkAlarm = new Alarm(runtime.clock, CHECK_MS, () => this.#check());
    this.#policy = settings.policy(this.endpoints);
    const { slotSource } = settings;
    const serve = () => this.#serve();
    this.#slots = slotSource === undefined
      ? null
      : new SlotTalk(runtime.clock, turn, slotSource, this.name, this.endpoints, this.#room, serve);
    this.#room.emptied = () => {
      const since = this.#hold.ends();
      if (since >= 0) this.#observer.released?.(this, this.#turn.now - since);
    };
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

  /** Requests waiting. */
  get waiting(): number {
    return this.#room.size;
  }

  /** How long the oldest requests in the room have waited, at most `most` of them, oldest first. Milliseconds. */
  waits(now: number, most: number): number[] {
    return this.#room.waits(now, most);
  }

  /** Requests in flight. */
  get inFlight(): number {
    return this.#busy;
  }

  /** Connections that belong to one client each: see pins.ts. */
  get pinned(): number {
    return this.endpoints.reduce((sum, { pinned }) => sum + pinned, 0);
  }

  /** No endpoint can be reached as far as we know, or may be used. */
  get allDown(): boolean {
    return this.#endpoints.allDown;
  }

  /** Whether it is one of ours, or was. */
  owns(endpoint: Endpoint): boolean {
    return endpoint.owner === this.#endpoints;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Those who wait do so for want of endpoints or slots, not just for connections being opened. */
  get pressed(): boolean {
    return this.#hold.holding || this.#room.size > this.#placesAhead();
  }

  /** Monotonic count of milliseconds during which no endpoint could be reached, or requests were held on purpose. */
  outageMs(now: number): number {
    return this.#hold.totalMs(now);
  }

  /** See `HoldClock.leftMs`. */
  holdLeftMs(arrivedAt: number, queuedMs: number, now: number): number {
    return this.#hold.leftMs(arrivedAt, queuedMs, now, this.#settings.holdMs);
  }

  /**
   * Asks for a stream. When a connection lies idle and nobody waits one on it is the answer; otherwise the waiter is in
   * the room and hears `streamReady` or `waitFailed`, possibly inside this call.
   */
  acquire(waiter: Waiter): UpstreamStream | null {
    const now = this.#turn.now;
    if (this.#stopped) {
      waiter.waitFailed("shutting_down", "");
      return null;
    }
    if (waiter.ownConnection !== null) {
      const own = this.#takeOwn(waiter.ownConnection, this.#room.size);
      if (own !== null) return own;
    } else if (this.#room.size === 0 && !waiter.wantsFresh && !waiter.isRetry && !this.#paused) {
      const endpoint = this.#policy.pick("any");
      if (endpoint !== null) {
        const connection = endpoint.takeIdle(waiter.repeatable, now);
        if (connection !== null) {
          endpoint.busy++;
          this.#busy++;
          if (this.#downEndpoints.size > 0) this.#loop.askInPassing(now);
          return connection.openStream();
        }
        if (this.#dialer.dialing === 0 && endpoint.can("dial")) {
          this.#enter(waiter, now);
          this.#dial(endpoint);
          if (this.#downEndpoints.size > 0) this.#loop.askInPassing(now);
          return null;
        }
      }
    }
    const { queueSize, queueTimeoutMs } = this.#settings;
    if (!waiter.admitted && (this.#room.size >= queueSize || queueTimeoutMs === 0)) {
      const ahead = this.#placesAhead();
      const blocked = this.#room.size - ahead - (this.#slots?.elsewhere(MOST_OPENING - ahead) ?? 0);
      if (blocked >= queueSize) {
        waiter.waitFailed("queue_full", `${this.#room.size} requests are waiting`);
        return null;
      }
      if (queueTimeoutMs === 0 && blocked >= 0 && !this.#hold.holding) {
        waiter.waitFailed("queue_timeout", `${this.#busy} requests in flight`);
        return null;
      }
    }
    this.#enter(waiter, now);
    this.#serve();
    return null;
  }

  /**
   * The connection that belongs to a request, if its endpoint has a slot: it is open, so that neither the endpoint's
   * health nor whether it gets new requests matters.
   *
   * @param older requests that have waited longer, and have a right to a slot that is free
   */
  #takeOwn(connection: UpstreamPeer, older: number): UpstreamStream | null {
    if (this.#paused) return null;
    const endpoint = connection.owner as Endpoint;
    const { slotLimit, taken } = endpoint;
    if (slotLimit !== Infinity) {
      // Dials under way count as taken already, and are for the oldest.
      const others = endpoint.can("dial") ? older - (this.#dialer.dialing - this.#dialer.asking) : 0;
      if (taken + Math.max(0, others) >= slotLimit) return null;
    }
    endpoint.busy++;
    this.#busy++;
    return connection.openStream();
  }

  /** How many of those in the room only wait for connections to be opened, not for slots or endpoints. */
  #placesAhead(): number {
    return this.#paused ? 0 : Math.min(MOST_OPENING, this.#endpoints.places);
  }

  #enter(waiter: Waiter, now: number): void {
    this.#hold.enter(waiter, now);
    this.#room.enter(waiter);
    const end = this.#endOfWait(waiter, now);
    if (end < this.deadlineAt) this.#turn.deadlines.set(this, end);
    if (this.#hold.begins(now)) this.#observer.held?.(this, this.#room.size);
  }

  /** Whether an endpoint other than this one can take a request now. */
  hasOther(endpoint: Endpoint): boolean {
    return this.#endpoints.hasOther(endpoint);
  }

  /** The waiter gives up (its client left, say). */
  leave(waiter: Waiter): void {
    this.#room.leave(waiter);
    this.#slots?.roomShrank();
  }

  #give(connection: UpstreamPeer, endpoint: Endpoint, waiter: Waiter): void {
    endpoint.busy++;
    this.#busy++;
    this.#assign(waiter, connection.openStream(), endpoint);
  }

  /** A wait that had a connection for `waiter` begins to count as a request in flight. */
  #assign(waiter: Waiter, stream: UpstreamStream, endpoint: Endpoint): void {
    this.#hold.leave(waiter, this.#turn.now);
    this.#room.leave(waiter);
    if (waiter.isRetry) this.#retries.taken++;
    waiter.streamReady(stream, endpoint);
  }

  /**
   * The exchange is done with a stream.
   *
   * @param fate what becomes of its connection; unless it may serve again it is gone or has been dropped
   * @param wasRetry `waiter.isRetry` at the time it was assigned, unless `retryAnswered` was called since
   */
  release(connection: UpstreamPeer, endpoint: Endpoint, fate: AfterReply, wasRetry: boolean): void {
    endpoint.busy--;
    this.#busy--;
    if (wasRetry) this.#retries.taken--;
    if (endpoint.ramp.limit !== Infinity) {
      this.#released(connection, endpoint, fate === "pool" || fate === "pin");
    }
    if (fate === "pool") {
      if (this.#stopped || !endpoint.enabled) connection.retire();
      else endpoint.rest(connection, this.#turn.now);
    }
    if (endpoint.recalled > 0) this.#slots?.released(endpoint);
    if (this.#room.size > 0) this.#serve();
  }

  /** The answer to a retry has begun: what remains of it takes no part of the budget. */
  retryAnswered(): void {
    this.#retries.taken--;
    if (this.#room.retries > 0) this.#serve();
  }

  /**
   * An endpoint has begun to answer: it is well.
   *
   * @param keeps it keeps connections open: this one had served before, or the endpoint says so
   */
  answered(endpoint: Endpoint, keeps: boolean): void {
    const { downReportedByPeer } = endpoint;
    const back = endpoint.noteAnswer(keeps, this.#turn.now);
    if (back && !downReportedByPeer) {
      this.#observer.endpointUp(this, endpoint, this.#turn.now - endpoint.downSince);
    }
  }

  /**
   * A new connection ended before any answer. The endpoint counts as down, although it accepts
   * connections, unless it has answered others meanwhile: then the failure was that request's own.
   */
  failed(connection: UpstreamPeer, endpoint: Endpoint, error: SocketError): void {
    if (endpoint.answered !== connection.endpointAnswers || !endpoint.enabled) return;
    endpoint.drops++;
    this.#markDown(endpoint, error, dropPause(endpoint.drops));
  }

  /** A pooled connection died without an answer: the others of that endpoint are suspect. */
  suspect(endpoint: Endpoint): void {
    endpoint.keepsAlive = false;
    endpoint.idle.clear();
  }

  #connectionLost(): void {
    if (this.#room.size > 0) this.#serve();
  }

  // Serving the room

  #serve(): void {
    if (this.#serving) {
      this.#serveAgain = true;
      return;
    }
    this.#serving = true;
    try {
      do {
        this.#serveAgain = false;
        this.#serveOnce();
      } while (this.#serveAgain);
    } finally {
      // A bug in one request must not stop the room for all.
      this.#serving = false;
    }
  }

  #serveOnce(): void {
    if (this.#paused) return;
    const now = this.#turn.now;
    this.#probation.serve();
    let waiter = this.#room.oldest;
    let fresh = 0;
    /** Those passed by for whom no connection lies ready: slots that are free are theirs. */
    let passed = 0;
    let noneIdle = false;
    while (waiter !== null) {
      const next: Waiter | null = waiter.roomAfter;
      const own: UpstreamPeer | null = waiter.ownConnection;
      if (own !== null) {
        const stream = this.#takeOwn(own, passed);
        if (stream !== null) {
          this.#assign(waiter, stream, own.owner as Endpoint);
          waiter = this.#room.oldest;
          fresh = passed = 0;
          continue;
        }
      } else if (waiter.wantsFresh && (!waiter.isRetry || this.#retriesAllowed())) {
        // A slot that has become free is for the oldest, not for those behind who can do with an idle connection.
        passed++;
        if (++fresh > this.#dialer.dialing - this.#dialer.asking) {
          const endpoint = this.#policy.pick("dial");
          if (endpoint !== null) this.#dial(endpoint);
        }
      } else if (!waiter.wantsFresh && (!waiter.isRetry || this.#retriesAllowed())) {
        const endpoint = noneIdle ? null : this.#policy.pick("idle");
        if (endpoint === null) {
          // Only for those with connections of their own it is worth going on.
          if (this.#room.owners === 0) break;
          noneIdle = true;
        }
        passed++;
        const connection = endpoint === null ? null : endpoint.takeIdle(waiter.repeatable, now);
        if (endpoint !== null && connection !== null) {
          this.#give(connection, endpoint, waiter);
          // What the request does may have changed the room: begin again from the oldest.
          waiter = this.#room.oldest;
          fresh = passed = 0;
          continue;
        }
      }
      waiter = next;
    }
    const { size, retries, owners } = this.#room;
    const wanted = (this.#retriesAllowed() ? size : size - retries) - owners;
    const missing = Math.min(wanted - (this.#dialer.dialing - this.#dialer.asking), MOST_NEW_DIALS);
    for (let left = missing; left > 0; left--) {
      const endpoint = this.#policy.pick("dial");
      if (endpoint === null) {
        if (!this.allDown) this.#checkAlarm.set();
        break;
      }
      this.#dial(endpoint);
    }
    if (this.#downEndpoints.size > 0 && wanted > 0) this.#askForDown(now);
    const undialed = wanted - (this.#dialer.dialing - this.#dialer.asking);
    this.#slots?.served(Math.min(undialed, MOST_NEW_DIALS), now);
  }

  #retriesAllowed(): boolean {
    return this.#retries.allows(this.#busy, this.#settings.retryLeast);
  }

  // Dialing

  /** Keeps the dial loop of every endpoint that is down going. */
  #askForDown(now: number): void {
    // Without holding each round of dials decides about all who wait, and a round is begun when none is under way.
    const atOnce = this.#settings.holdMs === 0 && this.#dialer.dialing === 0 && this.allDown;
    if (atOnce) this.#loop.askAtOnce(now, MOST_NEW_DIALS);
    else this.#loop.ask(now);
  }

  #askAgain(): void {
    this.#turn.begin();
    if (this.#room.size > 0 && !this.#paused) this.#askForDown(this.#turn.now);
    this.#turn.end();
  }

  #dial(endpoint: Endpoint): void {
    this.#dialer.dial(endpoint, this.#settings.connectTimeoutMs, this.#settings.limits);
  }

  #opened(endpoint: Endpoint, connection: UpstreamPeer): void {
    connection.endpointAnswers = endpoint.answered;
    if (this.#stopped || !endpoint.enabled) {
      connection.drop();
      if (this.#room.size > 0) this.#serve();
      this.#turn.end();
      return;
    }
    if (endpoint.state === "down") this.#markProbing(endpoint);
    endpoint.ramp.opened(connection, connection.openedAt);
    this.#place(connection, endpoint, this.#nextWaiter());
    this.#slots?.roomShrank();
    if (this.#room.size > 0) this.#serve();
    this.#turn.end();
  }

  /** A connection that has not been used yet goes to `waiter`, be it after a time, or to the pool. */
  #place(connection: UpstreamPeer, endpoint: Endpoint, waiter: Waiter | null): void {
    const ms = waiter === null ? 0 : this.#probation.msFor(connection, endpoint, waiter);
    // A suspect that may not go yet has use for it later.
    if (ms > 0 || (waiter === null && !this.#paused && this.#probation.size < this.#room.suspects)) {
      this.#probation.begin(connection, endpoint, ms);
      this.#checkAlarm.set();
    } else if (waiter === null) {
      this.#rest(endpoint);
      endpoint.rest(connection, this.#turn.now);
    } else this.#give(connection, endpoint, waiter);
  }

  /** The oldest one that may go now and is not provided for by a connection under probation. */
  #nextWaiter(): Waiter | null {
    return this.#paused ? null : this.#room.next(this.#retriesAllowed(), this.#probation.size);
  }

  #dialFailed(endpoint: Endpoint, error: SocketError): void {
    if (this.#stopped) return;
    if (endpoint.enabled) this.#markDown(endpoint, error);
    if (this.#paused) {
      // Whoever waits now does not wait for this dial.
    } else if (isTlsFailure(error)) {
      // Waiting does not mend these; say so at once unless another endpoint may help.
      if (this.#endpoints.hopeless) this.#failAll(error.code, error.detail);
    } else if (this.#settings.holdMs === 0 && this.allDown && this.#dialer.dialing === 0) {
      this.#failAll(error.code, error.detail);
    }
    this.#slots?.roomShrank();
    if (this.#room.size > 0) this.#serve();
    this.#turn.end();
  }

  // Slots shared with other processes

  /** More slots of `endpoint` are ours. */
  slotsGranted(endpoint: Endpoint, count: number): void {
    this.#turn.begin();
    this.#slots?.granted(endpoint, count);
    this.#turn.end();
  }

  /** Requests of other processes, of which the oldest has waited for `waitedMs`, want `count` of our slots. */
  slotsRecalled(endpoint: Endpoint, count: number, waitedMs: number): void {
    this.#turn.begin();
    this.#slots?.recalled(endpoint, count, waitedMs);
    this.#turn.end();
  }

  /**
   * Another process could not reach `endpoint`. If we have a connection there, or one under way, that is
   * better evidence; else the endpoint is asked by one dial before others rely on it.
   */
  reportedByPeer(endpoint: Endpoint, error: SocketError): void {
    if (this.#stopped || !endpoint.enabled || endpoint.state !== "up" || endpoint.used > 0) return;
    this.#turn.begin();
    endpoint.downReportedByPeer = true;
    this.#markDown(endpoint, error);
    endpoint.nextDialAt = this.#turn.now;
    this.#loop.schedule(endpoint);
    if (this.#room.size > 0) this.#serve();
    this.#turn.end();
  }

  // Health as seen in passing

  /** @param leastPauseMs before it is asked again, unless the pause is fixed */
  #markDown(endpoint: Endpoint, error: SocketError, leastPauseMs = 0): void {
    const now = this.#turn.now;
    this.#endpoints.noteFailure(endpoint, error, now);
    if (endpoint.state !== "down") {
      const wasUp = endpoint.goDown(now);
      this.#downEndpoints.add(endpoint);
      this.#noteHolding(now);
      if (wasUp && !endpoint.downReportedByPeer) this.#observer.endpointDown(this, endpoint, error);
    }
    endpoint.ramp.restart();
    const { holdIntervalMs } = this.#settings;
    const pauseMs = dialPause(now - endpoint.loopSince, holdIntervalMs, Math.random());
    endpoint.nextDialAt = now + (holdIntervalMs === null ? Math.max(pauseMs, leastPauseMs) : pauseMs);
    this.#loop.schedule(endpoint);
  }

  #markProbing(endpoint: Endpoint): void {
    const now = this.#turn.now;
    endpoint.beginProbing(now);
    this.#downEndpoints.delete(endpoint);
    this.#noteHolding(now);
    endpoint.ramp.restart();
  }

  // Trust, see connection_ramp.ts

  #check(): void {
    this.#turn.begin();
    this.#probation.endNeedless();
    if (this.#room.size > 0) {
      this.#endpoints.ramps.step(this.#turn.now);
      this.#serve();
    }
    if (this.#probation.size > 0) this.#checkAlarm.set();
    this.#turn.end();
  }

  /** A connection of an endpoint that is not fully trusted is given back; it is not counted any more. */
  #released(connection: UpstreamPeer, endpoint: Endpoint, kept: boolean): void {
    endpoint.ramp.released(connection, kept, endpoint.taken + 1, this.#turn.now);
    this.#rest(endpoint);
  }

  #rest(endpoint: Endpoint): void {
    if (endpoint.taken === 0 && this.#room.size === 0) endpoint.ramp.rest();
  }

  // Deadlines

  #endOfWait(waiter: Waiter, now: number): number {
    const handover = this.#settings.queueTimeoutMs === 0 && this.#slots !== null && this.#placesAhead() === 0;
    return this.#hold.endOfWait(waiter, now, this.#settings, this.#downEndpoints.size > 0, handover);
  }

  #watchWaits(now: number): void {
    this.#turn.deadlines.set(this, this.#room.firstEnd((waiter) => this.#endOfWait(waiter, now)));
  }

  override expired(): void {
    this.#turn.begin();
    const { now } = this.#turn;
    this.#room.endDue((waiter) => this.#endOfWait(waiter, now) <= now, (waiter) => {
      if (this.#paused) waiter.waitFailed("hold_timeout", "requests are held on purpose: paused");
      else if (this.allDown) waiter.waitFailed("hold_timeout", this.#endpoints.lastFailure);
      else waiter.waitFailed("queue_timeout", `${this.#busy} requests in flight, ${this.#room.size} waiting`);
    });
    this.#slots?.roomShrank();
    this.#watchWaits(now);
    this.#turn.end();
  }

  #failAll(failure: WaitFailure, detail: string): void {
    // Whoever enters meanwhile was not there when it failed.
    for (const waiter of this.#room.list()) {
      // Who has a connection does not wait for dials.
      if (!waiter.inRoom || (waiter.ownConnection !== null && failure !== "shutting_down")) continue;
      this.#room.leave(waiter);
      waiter.waitFailed(failure, detail);
    }
  }

  // On purpose

  /** Holds every request that has no connection yet, until `resume`. What is in flight goes on. */
  pause(): void {
    this.#turn.begin();
    this.#paused = true;
    this.#noteHolding(this.#turn.now);
    this.#turn.end();
  }

  /**
   * Lets the requests go, oldest first: at once only as many as idle connections lie ready, the others as the
   * ramp opens new ones. It begins anew, for another process may listen there now.
   */
  resume(): void {
    if (!this.#paused) return;
    this.#turn.begin();
    this.#paused = false;
    for (const endpoint of this.endpoints) {
      endpoint.ramp.restart();
      endpoint.nextDialAt = this.#turn.now;
      if (endpoint.idle.size === 0) endpoint.keepsAlive = false;
    }
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
    endpoint.enabled = true;
    endpoint.stateSince = this.#turn.now;
    endpoint.ramp.restart();
    if (endpoint.state === "down") endpoint.nextDialAt = this.#turn.now;
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
    const slots = this.#slots;
    const give = slots === null ? null : (endpoint: Endpoint, count: number) => slots.give(endpoint, count);
    const dropped = this.#endpoints.reconfigure(settings.endpoints, this.#turn.now, give);
    for (const endpoint of dropped) endpoint.putOut(this.#turn.now);
    this.#policy = settings.policy(this.endpoints);
    this.#slots?.share(this.#endpoints.sharing);
    this.#changed();
    return dropped;
  }

  /** No route leads here any more, and nobody waits: slots that are not used are given away. */
  retire(): void {
    for (const endpoint of this.endpoints) endpoint.leave((count) => this.#slots?.give(endpoint, count));
  }

  /** A route leads here again. */
  readmitAll(): void {
    for (const endpoint of this.endpoints) endpoint.leave(null);
  }

  /** What is told or counted from now on goes by the other name. */
  #rename(settings: UpstreamSettings): void {
    const since = this.#hold.ends();
    if (since >= 0) this.#observer.released?.(this, this.#turn.now - since);
    this.#settings = settings;
    this.counters = null;
    for (const endpoint of this.endpoints) endpoint.counters = null;
    this.#slots?.rename(settings.name);
    const held = this.#room.size > 0 && this.#hold.begins(this.#turn.now);
    if (held) this.#observer.held?.(this, this.#room.size);
  }

  /** Endpoints, or what may be done with them, are others now. Ends the turn. */
  #changed(): void {
    const { now } = this.#turn;
    this.#endpoints.recount();
    this.#loop.clear();
    for (const endpoint of this.#downEndpoints) this.#loop.schedule(endpoint);
    this.#noteHolding(now);
    if (this.#room.size > 0) {
      this.#watchWaits(now);
      this.#serve();
    }
    this.#turn.end();
  }

  /** Time during which nobody can be served begins or ends, if it does. */
  #noteHolding(now: number): void {
    const state = this.#paused ? "paused" : this.allDown ? "down" : "open";
    if (!this.#hold.set(state, now) || this.#room.size === 0) return;
    this.#watchWaits(now);
    if (this.#hold.begins(now)) this.#observer.held?.(this, this.#room.size);
  }

  /** No request comes any more: closes idle connections, fails what waits. */
  stop(): void {
    this.#stopped = true;
    this.#loop.clear();
    this.#probation.clear();
    this.#checkAlarm.cancel();
    this.#slots?.stop();
    this.#failAll("shutting_down", "");
    for (const endpoint of this.endpoints) endpoint.idle.clear();
    this.#turn.deadlines.remove(this);
  }
}
