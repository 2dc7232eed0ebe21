/**
 * Finds each request of an upstream a connection, or lets it wait.
 *
 * A request that meets no idle connection enters the waiting room. Whatever happens afterwards (a connection
 * opened, one came back, a slot became free, a dial failed) leads to `serve`, which gives connections to
 * the oldest waiters and keeps as many dials going as there are waiters and slots (new_connections.ts). After an
 * endpoint's return, and as long as nothing is known of it, connections are opened one by one (connection_ramp.ts), so
 * that a backend which takes one and leaves again has none queued behind it.
 */

import type { Runtime, SocketError } from "../../runtime/contract/contract.ts";
import type { AfterReply } from "../client/after_reply.ts";
import type { Connector } from "../client/connector.ts";
import type { UpstreamPeer, UpstreamStream } from "../http/upstream_stream.ts";
import type { Turn } from "../time/turn.ts";
import { Admission } from "./admission.ts";
import { Availability, type WaitingRequests } from "./availability.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointSet } from "./endpoint_set.ts";
import { type ConnectionUser, NewConnections } from "./new_connections.ts";
import type { Chooser, Policy } from "./policy.ts";
import type { Repeatable } from "./repeatable.ts";
import { RetryBudget } from "./retry_budget.ts";
import { SlotTalk } from "./slot_talk.ts";
import type { ObservedUpstream, UpstreamObserver } from "./upstream_observer.ts";
import type { UpstreamSettings } from "./upstream_settings.ts";
import { type RequestsInFlight, WaitDeadlines } from "./wait_deadlines.ts";
import { type StreamRequest, type Waiter, WaitingRoom } from "./waiting_room.ts";

/** New dials begun in one go at most, on top of those under way. */
const MOST_NEW_DIALS = 256;

export class Dispatcher implements WaitingRequests, RequestsInFlight, ConnectionUser {
  readonly availability: Availability;
  /** Null when no slot is shared with another process. */
  readonly slots: SlotTalk | null;
  #settings: UpstreamSettings;
  readonly #endpoints: EndpointSet;
  /** Those of them that are down. */
  readonly #downEndpoints: ReadonlySet<Endpoint>;
  readonly #turn: Turn;
  #policy: Policy;
  readonly #room = new WaitingRoom();
  readonly admission: Admission;
  readonly #deadlines: WaitDeadlines;
  readonly #connections: NewConnections;
  readonly #retries = new RetryBudget();
  #serving = false;
  #serveAgain = false;
  #stopped = false;
  /** Requests in flight on all endpoints. */
  #busy = 0;

  constructor(
    runtime: Runtime,
    connector: Connector,
    endpoints: EndpointSet,
    settings: UpstreamSettings,
    observer: UpstreamObserver,
    observed: ObservedUpstream,
  ) {
    const { clock } = runtime;
    const { turn } = connector;
    this.#turn = turn;
    this.#settings = settings;
    this.#endpoints = endpoints;
    this.#downEndpoints = endpoints.downEndpoints;
    this.availability = new Availability(clock, turn, endpoints, settings, this, observer, observed);
    this.#connections = new NewConnections(
      runtime,
      connector,
      settings,
      endpoints,
      this.availability,
      this.#room,
      this,
    );
    this.#policy = this.#connections.use(settings.policy(endpoints.all));
    const { name, slotSource } = settings;
    this.slots = slotSource === undefined
      ? null
      : new SlotTalk(clock, turn, slotSource, name, endpoints.all, this.#room, () => this.serve());
    this.admission = new Admission(settings, this.#room, endpoints, this.availability, this.slots);
    this.#deadlines = new WaitDeadlines(turn, this.#room, this.admission, this.availability, this);
    this.#room.emptied = () => this.availability.tellReleased();
  }

  get waiting(): number {
    return this.#room.size;
  }

  /** How long the oldest requests in the room have waited, at most `most` of them, oldest first. Milliseconds. */
  waits(now: number, most: number): number[] {
    return this.#room.waits(now, most);
  }

  get inFlight(): number {
    return this.#busy;
  }

  get dialing(): number {
    return this.#connections.dialing;
  }

  /** See `Upstream.acquireFirst`. */
  acquireFirst(request: StreamRequest): UpstreamStream | null {
    const endpoint = this.#pickAny(request.balanceKey);
    const stream = endpoint === null ? null : this.#takeIdle(endpoint, request);
    if (stream === null) this.#wait(request.waiter(), endpoint);
    return stream;
  }

  /** See `Upstream.acquire`. */
  acquire(waiter: Waiter): UpstreamStream | null {
    if (waiter.ownConnection !== null) {
      const own = this.#takeOwn(waiter.ownConnection, this.#room.size);
      if (own === null) this.#wait(waiter, null);
      return own;
    }
    const endpoint = waiter.wantsFresh || waiter.isRetry ? null : this.#pickAny(waiter.balanceKey, waiter);
    const stream = endpoint === null ? null : this.#takeIdle(endpoint, waiter);
    if (stream === null) this.#wait(waiter, endpoint);
    return stream;
  }

  /** An endpoint for a request that comes before all others, because the waiting room is empty; null for none. */
  #pickAny(balanceKey: number | null, chooser: Chooser | null = null): Endpoint | null {
    if (this.#room.size > 0 || this.#stopped || this.availability.paused) return null;
    return this.#policy.pick("any", balanceKey, chooser);
  }

  #takeIdle(endpoint: Endpoint, request: Repeatable): UpstreamStream | null {
    const { now } = this.#turn;
    const connection = endpoint.takeIdle(request, now);
    if (connection === null) return null;
    const stream = this.#openStream(connection, endpoint);
    if (this.#downEndpoints.size > 0) this.availability.askInPassing(now);
    return stream;
  }

  /** @param endpoint that has been picked for it, and has no idle connection; null for none */
  #wait(waiter: Waiter, endpoint: Endpoint | null): void {
    const { now } = this.#turn;
    if (this.#stopped) {
      waiter.waitFailed("shutting_down", "");
    } else if (endpoint !== null && this.#connections.dialing === 0 && endpoint.can("dial")) {
      this.#enter(waiter, now);
      this.dial(endpoint);
      if (this.#downEndpoints.size > 0) this.availability.askInPassing(now);
    } else if (!this.admission.turnsAway(waiter, this.#busy)) {
      this.#enter(waiter, now);
      this.serve();
    }
  }

  /**
   * The connection that belongs to a request, if no other request of the same client is under way on it and its endpoint
   * has a slot: it is open, so that neither the endpoint's health nor whether it gets new requests matters.
   *
   * @param older requests that have waited longer, and have a right to a slot that is free
   */
  #takeOwn(connection: UpstreamPeer, older: number): UpstreamStream | null {
    if (this.#stopped || this.availability.paused) return null;
    if (connection.pinnedTo?.isResting(connection) !== true) return null;
    const endpoint = connection.owner as Endpoint;
    if (endpoint.slotLimit !== Infinity) {
      // Dials under way count as taken already, and are for the oldest.
      const others = endpoint.can("dial") ? older - this.#connections.expected : 0;
      if (endpoint.taken + Math.max(0, others) >= endpoint.slotLimit) return null;
    }
    return this.#openStream(connection, endpoint);
  }

  /** A request in flight begins. */
  #openStream(connection: UpstreamPeer, endpoint: Endpoint): UpstreamStream {
    endpoint.busy++;
    this.#busy++;
    return connection.openStream();
  }

  #enter(waiter: Waiter, now: number): void {
    this.availability.waitBegins(waiter, now);
    this.#room.enter(waiter);
    this.#deadlines.entered(waiter, now);
    this.availability.tellHeld();
  }

  /** The waiter gives up (its client left, say). */
  leave(waiter: Waiter): void {
    this.#room.leave(waiter);
    this.roomShrank();
  }

  roomShrank(): void {
    this.slots?.roomShrank();
  }

  endsMoved(now: number): void {
    this.#deadlines.moved(now);
  }

  give(connection: UpstreamPeer, endpoint: Endpoint, waiter: Waiter): void {
    this.#assign(waiter, this.#openStream(connection, endpoint), endpoint);
  }

  /** A wait that had a connection for `waiter` begins to count as a request in flight. */
  #assign(waiter: Waiter, stream: UpstreamStream, endpoint: Endpoint): void {
    this.availability.waitServed(waiter, this.#turn.now);
    this.#room.leave(waiter);
    if (waiter.isRetry) this.#retries.taken++;
    waiter.streamReady(stream, endpoint);
  }

  /** See `Upstream.release`. */
  release(connection: UpstreamPeer, endpoint: Endpoint, fate: AfterReply, wasRetry: boolean): void {
    endpoint.busy--;
    this.#busy--;
    if (wasRetry) this.#retries.taken--;
    // The session that was on it is over, whatever else it could carry.
    if (fate === "close_both" && connection.freeStreams > 0) connection.retire();
    // A connection that still takes streams goes on, whatever has become of this one.
    const serves = fate === "pool" || (fate === "close" && connection.freeStreams > 0);
    if (endpoint.ramp.limit !== Infinity) {
      const kept = serves || fate === "pin";
      endpoint.ramp.released(connection, kept, endpoint.inUse + 1, this.#turn.now);
      this.#connections.restRamp(endpoint);
    }
    if (endpoint.pool.carriesSeveral(connection)) {
      endpoint.streamEnded(connection, this.#turn.now, this.#stopped || !endpoint.enabled);
    } else if (serves) {
      if (this.#stopped || !endpoint.enabled) connection.retire();
      else endpoint.rest(connection, this.#turn.now);
    }
    if (endpoint.recalled > 0) this.slots?.released(endpoint);
    this.serveWaiting();
  }

  /** The answer to a retry has begun: what remains of it takes no part of the budget. */
  retryAnswered(): void {
    this.#retries.taken--;
    if (this.#room.retries > 0) this.serve();
  }

  // Serving the room

  /** Something that may help waiting requests has happened. */
  serveWaiting(): void {
    if (this.#room.size > 0) this.serve();
  }

  /** Gives the waiting requests what there is, oldest first, and keeps as many dials going as they want. */
  serve(): void {
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
    if (this.availability.paused) return;
    const now = this.#turn.now;
    this.#connections.serveProved();
    // Where nobody has a key, requests are served as by any other policy: without a look at all of them.
    const keyed = this.#room.keyed > 0 ? this.#connections.keyed : null;
    keyed?.begin();
    let waiter = this.#room.oldest;
    let fresh = 0;
    /** Waiters passed by for which no connection lies ready: free slots are theirs. */
    let passed = 0;
    /** Those who may not go where a connection could be opened. */
    let unserved = 0;
    let noneIdle = false;
    while (waiter !== null) {
      const next: Waiter | null = waiter.roomAfter;
      const own: UpstreamPeer | null = waiter.ownConnection;
      if (own !== null) {
        const stream = this.#takeOwn(own, passed);
        if (stream !== null) {
          this.#assign(waiter, stream, own.owner as Endpoint);
          waiter = this.#room.oldest;
          fresh = passed = unserved = 0;
          keyed?.begin();
          continue;
        }
      } else if (waiter.wantsFresh && (!waiter.isRetry || this.retriesAllowed())) {
        // A slot that has become free is for the oldest, not for those behind who can do with an idle connection.
        passed++;
        if (keyed !== null) keyed.serve(waiter);
        else if (++fresh > this.#connections.expectedStreams) {
          const endpoint = this.#policy.pick("dial", waiter.balanceKey, waiter);
          if (endpoint !== null) this.dial(endpoint);
          else if (waiter.choosy === true) unserved++;
        }
      } else if (!waiter.wantsFresh && (!waiter.isRetry || this.retriesAllowed())) {
        let endpoint: Endpoint | null, connection: UpstreamPeer | null;
        // If what rested at one was over, another one's goes to this waiter, not to those behind it.
        do {
          endpoint = noneIdle ? null : this.#policy.pick("idle", waiter.balanceKey, waiter);
          connection = endpoint === null ? null : endpoint.takeIdle(waiter, now);
        } while (endpoint !== null && connection === null && !endpoint.can("idle"));
        if (endpoint === null && keyed === null) {
          // Only for those with connections of their own it is worth going on.
          if (this.#room.owners === 0) break;
          noneIdle = true;
        }
        passed++;
        if (endpoint !== null && connection !== null) {
          this.give(connection, endpoint, waiter);
          // What the request does may have changed the room: begin again from the oldest.
          waiter = this.#room.oldest;
          fresh = passed = unserved = 0;
          keyed?.begin();
          continue;
        }
        if (keyed !== null) keyed.serve(waiter);
      }
      waiter = next;
    }
    const { size, retries, owners } = this.#room;
    const wanted = (this.retriesAllowed() ? size : size - retries) - owners;
    if (unserved > 0 || keyed?.stuck === true) this.#connections.checkSoon();
    // What is dialled for one endpoint in particular is for those that want it.
    const provided = keyed === null ? 0 : keyed.count;
    const theirs = keyed === null ? 0 : keyed.dialled;
    const expected = Math.max(0, this.#connections.expectedStreams - theirs);
    const missing = Math.min(wanted - unserved - provided - expected, MOST_NEW_DIALS);
    for (let left = missing; left > 0;) {
      const endpoint = this.#policy.pick("dial", null);
      if (endpoint === null) {
        if (!this.#endpoints.allDown) this.#connections.checkSoon();
        break;
      }
      left -= endpoint.streamsEach;
      this.dial(endpoint);
    }
    if (this.#downEndpoints.size > 0 && wanted > 0) this.availability.ask(now);
    const undialed = wanted - this.#connections.expected;
    this.slots?.served(Math.min(undialed, MOST_NEW_DIALS), now);
  }

  retriesAllowed(): boolean {
    return this.#retries.allows(this.#busy, this.#settings.retryLeast);
  }

  // Dialing

  dial(endpoint: Endpoint): void {
    this.#connections.dial(endpoint);
  }

  failAll({ code, detail }: SocketError): void {
    this.#deadlines.failAll(code, detail);
  }

  dialOver(): void {
    this.roomShrank();
    this.serveWaiting();
  }

  // Changes

  /** Goes by other settings from now on; the endpoints are those of the set. Call `changed` then. */
  reconfigure(settings: UpstreamSettings): void {
    this.#settings = settings;
    this.availability.settings = settings;
    this.admission.settings = settings;
    this.#connections.settings = settings;
    this.#policy = this.#connections.use(settings.policy(this.#endpoints.all));
    this.slots?.share(this.#endpoints.sharing);
  }

  /** Endpoints, or what may be done with them, are others now. */
  changed(): void {
    this.availability.changed();
    if (this.#room.size === 0) return;
    this.#deadlines.moved(this.#turn.now);
    this.serve();
  }

  /** No request comes any more: fails what waits. */
  stop(): void {
    this.#stopped = true;
    this.availability.stop();
    this.#connections.stop();
    this.slots?.stop();
    this.#deadlines.failAll("shutting_down", "");
    for (const endpoint of this.#endpoints.all) endpoint.pool.clear();
    this.#deadlines.stop();
  }
}
