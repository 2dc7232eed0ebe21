/**
 * One address of an upstream: its idle connections, how many requests it serves, and whether it can be
 * reached. Everything here is bookkeeping; `Upstream` decides.
 */

import type { UpstreamPeer, UpstreamPeerOwner } from "../http/upstream_stream.ts";
import type { SocketError } from "../../runtime/contract/contract.ts";
import { canonicalIp } from "../bytes/ip_address.ts";
import { ConnectionPool } from "../client/connection_pool.ts";
import { ConnectionRamp, type RampOwner } from "./connection_ramp.ts";
import { LifeSigns } from "./life_signs.ts";
import { Listed } from "./listed.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { EndpointCounters } from "./counters.ts";
import { type EndpointSettings, proxyFields, type ProxySettings } from "./endpoint_settings.ts";
import type { Repeatable } from "./repeatable.ts";

/**
 * - `up`: answers, as far as we know
 * - `down`: the last dial failed, or a new connection ended without an answer; a dial loop asks for it
 * - `probing`: a dial has succeeded since, no answer has been seen yet
 */
export type EndpointState = "up" | "down" | "probing";

/** What a request needs of an endpoint: an open connection with room for it, leave to open one, or either. */
export type Need = "idle" | "dial" | "any";

/** Dials to one endpoint under way at a time; accept queues of small servers are short. */
const DIALS_AT_ONCE = 64;

/** Capacity of an endpoint without a limit, and the most that is told of any. */
export const MOST_CAPACITY = 256;

export interface EndpointOwner {
  /** An idle connection is gone, so that a slot counts as free. */
  connectionLost(endpoint: Endpoint): void;
  /** It was trusted with any number of connections, and is not any more. */
  distrusted(endpoint: Endpoint): void;
}

/** An idle connection that ends so soon after its answer was not meant to be kept, in milliseconds. */
const SOON_MS = 25;

/** A connection that is still open so long after its answer shows that the origin keeps connections. */
const PROOF_OF_KEEP_ALIVE_MS = 25;

export class Endpoint extends Listed implements UpstreamPeerOwner, RampOwner {
  #settings: EndpointSettings;
  readonly name: string;
  /** The name that is dialled; null when that is an address. */
  readonly hostName: string | null;
  /** Where connections lead that may serve again; null = anywhere. Belongs to `NameWatch`. */
  addresses: readonly string[] | null = null;
  readonly pool: ConnectionPool;
  /** Streams that one connection carries, as far as is known: as many as the one could that was opened last. */
  streamsEach = 1;
  readonly ramp: ConnectionRamp = new ConnectionRamp(this);
  readonly owner: EndpointOwner;
  #busy = 0;
  #dialing = 0;
  #awaited = 0;
  #slotLimit: number;
  #recalled = 0;
  #enabled = true;
  #state: EndpointState = "up";
  /** Gets its slots when it does not use them any more; null = it is in use. */
  #free: ((count: number) => void) | null = null;
  /** Monotonic milliseconds: since when it is in this state. */
  stateSince = 0;
  /** Monotonic milliseconds: when it went down. */
  downSince = 0;
  /** Monotonic milliseconds: when the present dial loop began. */
  loopSince = 0;
  /** Monotonic milliseconds before which no dial is made while down. */
  nextDialAt = 0;
  /**
   * It keeps connections open after an answer: it said so, or one served again or rested for a while.
   * Until then nothing that must not be repeated is sent on a used connection.
   */
  keepsAlive = false;
  lastFailure: SocketError | null = null;
  /** Monotonic milliseconds of it. */
  lastFailureAt = 0;
  /** Failed dials and connections in a row. */
  failures = 0;
  /** The same since the start, for status. */
  failuresTotal = 0;
  /** When a request was last sent to it; -1 = never. */
  sentAt = -1;
  readonly life: LifeSigns = new LifeSigns();
  /** New connections that ended without an answer, since it has answered last. */
  drops = 0;
  /** Requests answered, for status. */
  answered = 0;
  /** Connections that belong to one client each, see pins.ts; `pinnedIdle` counts the ones without a request under way. */
  pinned = 0;
  pinnedIdle = 0;
  /** That it is down was heard from another process, which has logged it. */
  downReportedByPeer = false;
  /** Where it is a proxy: what requests to it have besides. Null = it is none. */
  proxyFields: FieldSection | null;
  /** See `ProxySettings`; null where it is no proxy. */
  proxy: ProxySettings | null;
  /** Belongs to the counting side (observe/). */
  counters: EndpointCounters | null = null;

  constructor(settings: EndpointSettings, owner: EndpointOwner) {
    super();
    this.#settings = settings;
    this.name = settings.name;
    const { address } = settings.key;
    this.hostName = address.kind === "tcp" && canonicalIp(address.host) === null ? address.host : null;
    this.pool = new ConnectionPool(settings.pool);
    this.#slotLimit = settings.maxInFlight === 0 ? Infinity : settings.slots ?? settings.maxInFlight;
    this.owner = owner;
    this.proxy = settings.proxy ?? null;
    this.proxyFields = proxyFields(settings.proxy);
  }

  /** Requests being served, tunnels included. */
  get busy(): number {
    return this.#busy;
  }

  set busy(count: number) {
    this.#busy = count;
    if (this.watched) this.changed();
    if (this.#free !== null) this.#slotsFreed(this.#free);
  }

  /** Dials under way; each holds a slot. */
  get dialing(): number {
    return this.#dialing;
  }

  set dialing(count: number) {
    this.#dialing = count;
    if (this.watched) this.changed();
    if (this.#free !== null) this.#slotsFreed(this.#free);
  }

  /** Requests at a time at this moment: `maxInFlight`, or our share of it; Infinity = no limit. */
  get slotLimit(): number {
    return this.#slotLimit;
  }

  set slotLimit(count: number) {
    this.#slotLimit = count;
    this.changed();
  }

  /** Slots of ours that other processes wait for; see slot_share.ts. */
  get recalled(): number {
    return this.#recalled;
  }

  set recalled(count: number) {
    this.#recalled = count;
    this.changed();
  }

  /** Requests that wait for a slot and must go on a connection that is here; see pins.ts. */
  get awaited(): number {
    return this.#awaited;
  }

  set awaited(count: number) {
    this.#awaited = count;
    this.changed();
    this.freeUnneeded();
  }

  /** What is left of the slots of one that is out of use goes when no request needs one. */
  freeUnneeded(): void {
    if (this.#free !== null && !this.#enabled && this.#awaited === 0) this.#slotsFreed(this.#free);
  }

  /** Administratively in use. */
  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    this.#enabled = enabled;
    this.changed();
  }

  /** It is not in use from now on: no new request, no idle connection. */
  putOut(now: number): void {
    this.enabled = false;
    this.stateSince = now;
    this.pool.clear();
  }

  get state(): EndpointState {
    return this.#state;
  }

  set state(state: EndpointState) {
    this.#state = state;
    this.changed();
  }

  /** It cannot be reached. The caller restarts its ramp. @returns true when it was up until now */
  goDown(now: number): boolean {
    const wasUp = this.#state === "up";
    this.state = "down";
    this.stateSince = now;
    this.keepsAlive = false;
    if (wasUp) this.downSince = this.loopSince = now;
    return wasUp;
  }

  /** A dial has succeeded. The caller restarts its ramp. */
  beginProbing(now: number): void {
    this.state = "probing";
    this.stateSince = now;
    // Another process may listen there now, with habits of its own.
    this.pool.unlearn();
  }

  /**
   * It has begun to answer a request.
   *
   * @param keeps it keeps connections open
   * @param sentAt when the request was sent, monotonic milliseconds
   * @returns true when it is back
   */
  noteAnswer(keeps: boolean, sentAt: number, now: number): boolean {
    this.answered++;
    this.life.answered(sentAt);
    this.drops = 0;
    if (keeps) this.keepsAlive = true;
    if (this.#state === "up" && this.failures === 0) return false;
    const back = this.#state === "probing";
    if (back) {
      this.state = "up";
      this.stateSince = now;
      this.downReportedByPeer = false;
    }
    this.failures = 0;
    return back;
  }

  get settings(): EndpointSettings {
    return this.#settings;
  }

  get weight(): number {
    return this.#settings.weight;
  }

  get hostField(): string {
    return this.#settings.hostField;
  }

  /**
   * Goes by other settings of the same name and key. Where slots are shared with other processes, a limit that
   * was there before stays what it is: only the source of the slots changes it.
   */
  apply(settings: EndpointSettings): void {
    const before = this.#settings.maxInFlight;
    this.#settings = settings;
    this.proxy = settings.proxy ?? null;
    this.proxyFields = proxyFields(settings.proxy);
    this.pool.settings = settings.pool;
    if (settings.maxInFlight === 0) {
      this.slotLimit = Infinity;
      this.recalled = 0;
    } else if (settings.slots === undefined || before === 0) {
      this.slotLimit = settings.slots ?? settings.maxInFlight;
    }
    this.changed();
  }

  // Slots of one that is out of use

  /**
   * It takes no request any more, or (null) does so again. Slots that it does not use go to `free`, now and whenever a
   * request ends.
   */
  leave(free: ((count: number) => void) | null): void {
    this.#free = free;
    if (free !== null) this.#slotsFreed(free);
  }

  /** More slots come from one that is out of use. */
  gain(count: number): void {
    this.slotLimit += count;
    if (this.#free !== null) this.#slotsFreed(this.#free);
    else this.owner.connectionLost(this);
  }

  #slotsFreed(free: (count: number) => void): void {
    const count = this.#slotLimit - this.taken;
    if (count <= 0 || this.#slotLimit === Infinity) return;
    this.slotLimit = this.taken;
    free(count);
  }

  /** Requests and dials: what counts against its limit. */
  get taken(): number {
    return this.#busy + this.#dialing;
  }

  /** Connections that carry requests or are being opened: what its ramp counts. */
  get inUse(): number {
    return this.#busy - this.pool.surplus + this.#dialing;
  }

  /** Connections open or being opened: what a backend that takes N connections counts. */
  get used(): number {
    return this.inUse + this.pool.size + this.pinnedIdle;
  }

  /**
   * Requests it could take, connections being opened included, whether or not one may be opened just now; at
   * most `MOST_CAPACITY`.
   */
  override get capacity(): number {
    if (!this.#enabled || this.#state === "down") return 0;
    return Math.max(0, Math.min(MOST_CAPACITY, this.#slotLimit - this.#busy));
  }

  protected override get limited(): boolean {
    return this.#slotLimit !== Infinity;
  }

  /** Whether it can serve `need` now: enabled, not full, and reachable as far as we know. */
  can(need: Need): boolean {
    if (!this.#enabled) return false;
    const taken = this.#busy + this.#dialing;
    if (taken >= this.#slotLimit) return false;
    if (need !== "dial" && this.pool.available) return true;
    if (need === "idle") return false;
    return this.#state !== "down" && this.#dialing < DIALS_AT_ONCE && this.ramp.allows(this.inUse);
  }

  /** One more connection may not be opened for no other reason than that it is not trusted with more. */
  get rampLimited(): boolean {
    return this.#enabled && this.#state !== "down" && !this.ramp.allows(this.inUse);
  }

  /** A connection on which `request`, the next one, opens a stream at once, or null. */
  takeIdle(request: Repeatable, now: number): UpstreamPeer | null {
    if (this.keepsAlive || request.repeatable) return this.pool.take(now);
    const shared = this.pool.takeShared(now);
    if (shared !== null) return shared;
    const connection = this.pool.takeRested(now, PROOF_OF_KEEP_ALIVE_MS);
    if (connection !== null && connection.uses > 0) this.keepsAlive = true;
    return connection;
  }

  /** Takes ownership of a connection that waits for its next request. */
  rest(connection: UpstreamPeer, now: number): void {
    if (this.addresses?.includes(connection.remoteAddress) === false) connection.retire();
    else this.pool.put(connection, now);
    if (this.watched) this.changed();
  }

  /**
   * A stream has ended of a connection that carries several; the others go on.
   *
   * @param last no other is to be opened on it
   */
  streamEnded(connection: UpstreamPeer, now: number, last: boolean): void {
    if (last || this.addresses?.includes(connection.remoteAddress) === false) connection.retire();
    this.pool.streamEnded(connection, now);
    if (this.watched) this.changed();
  }

  /** The name means these addresses now: connections to others serve no further request. */
  movedTo(addresses: readonly string[]): void {
    this.addresses = addresses;
    if (this.pool.keepOnly(addresses) > 0) this.changed();
  }

  // RampOwner

  rampChanged(): void {
    if (this.watched) this.changed();
  }

  distrusted(): void {
    this.owner.distrusted(this);
  }

  // UpstreamPeerOwner

  idleLost(connection: UpstreamPeer, idleMs: number): void {
    if (idleMs >= 0 && idleMs < SOON_MS) this.keepsAlive = false;
    this.pool.lost(connection, idleMs, connection.idleSince + Math.max(0, idleMs));
    connection.pinnedTo?.pinLost(connection);
    this.owner.connectionLost(this);
  }
}
