/**
 * Upstreams of one endpoint each, made on demand: the origins that clients of a forward proxy ask for. There are as many as
 * are in use; those that are not go after a while, the least recently used ones first when there are too many.
 */

import type { Clock, Runtime, Timer } from "../../runtime/contract/contract.ts";
import type { PoolSettings } from "../client/connection_pool.ts";
import type { Connector } from "../client/connector.ts";
import type { Counters, EndpointCounters } from "./counters.ts";
import type { EndpointSettings } from "./endpoint_settings.ts";
import { Upstream } from "./upstream.ts";
import type { UpstreamObserver } from "./upstream_observer.ts";
import type { UpstreamSettings } from "./upstream_settings.ts";

/** At most. */
const MOST = 4096;
/** One that has not been asked for so long, and has nothing open, is forgotten. Milliseconds. */
const FORGET_MS = 60_000;
const SWEEP_MS = 30_000;
/** Which one was used last is known to within this time, so that not each request puts the list in order. Milliseconds. */
const ORDER_MS = 1000;
/** How often those are looked after that serve their last requests. */
const RETIRED_CHECK_MS = 1000;

export interface DestinationSettings {
  /** Name for logs and counters: they are kept for all destinations together. */
  readonly name: string;
  readonly upstream: Omit<UpstreamSettings, "name" | "endpoints">;
  /** What is counted for all of them together: there is no limit to their names. */
  readonly counted: { readonly upstream: Counters; readonly endpoint: EndpointCounters };
  readonly pool: PoolSettings;
}

/** A way to a destination. */
export type DestinationEndpoint = Pick<EndpointSettings, "name" | "key" | "hostField" | "weight" | "proxy">;

/** Whose connections these are. */
export interface DestinationOwner {
  /** Equal for requests that may share connections, but for credentials. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Of the reuse key of connections that lead to an origin; "" = they are everybody's. */
  readonly credentials: string;
}

interface Destination {
  readonly owner: DestinationOwner;
  readonly upstream: Upstream;
  /** Monotonic milliseconds. */
  usedAt: number;
  /** The same, when it was put behind all others last. */
  orderedAt: number;
}

export class Destinations {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #connector: Connector;
  readonly #observer: UpstreamObserver;
  readonly #settings: DestinationSettings;
  /** The least recently used one is the first, to within `ORDER_MS`. */
  readonly #all = new Map<string, Destination>();
  #sweep: Timer | null = null;

  constructor(
    runtime: Runtime,
    connector: Connector,
    settings: DestinationSettings,
    observer: UpstreamObserver,
  ) {
    this.#runtime = runtime;
    this.#clock = runtime.clock;
    this.#connector = connector;
    this.#settings = settings;
    this.#observer = observer;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Requests that a destination is working on, tunnels by Upgrade included. */
  get inFlight(): number {
    let sum = 0;
    for (const { upstream } of this.#all.values()) sum += upstream.inFlight;
    return sum;
  }

  /** Requests that wait for a connection. */
  get waiting(): number {
    let sum = 0;
    for (const { upstream } of this.#all.values()) sum += upstream.waiting;
    return sum;
  }

  /** Connections that rest. */
  get idle(): number {
    let sum = 0;
    for (const { upstream } of this.#all.values()) {
      for (const { pool } of upstream.endpoints) sum += pool.size;
    }
    return sum;
  }

  /**
   * What was made for an owner like that; null when it is there no more, or not yet. It counts as used.
   *
   * @param now monotonic milliseconds
   */
  known(name: string, credentials: string, now: number): Upstream | null {
    const id = idOf(name, credentials);
    const known = this.#all.get(id);
    if (known === undefined) return null;
    known.usedAt = now;
    if (now - known.orderedAt >= ORDER_MS) {
      known.orderedAt = now;
      this.#all.delete(id);
      this.#all.set(id, known);
    }
    return known.upstream;
  }

  /**
   * The same, for an owner of whom none is known.
   *
   * @returns null when there are too many, all of them in use
   */
  make(owner: DestinationOwner, endpoints: readonly DestinationEndpoint[]): Upstream | null {
    if (this.#all.size >= MOST && !this.#makeRoom()) return null;
    const { name: shared, upstream, pool, counted } = this.#settings;
    const made = new Upstream(this.#runtime, this.#connector, {
      ...upstream,
      name: shared,
      endpoints: endpoints.map((endpoint) => ({ ...endpoint, maxInFlight: 0, pool })),
    }, this.#observer);
    made.counters = counted.upstream;
    for (const endpoint of made.endpoints) endpoint.counters = counted.endpoint;
    const usedAt = this.#clock.now();
    this.#all.set(idOf(owner.name, owner.credentials), { owner, upstream: made, usedAt, orderedAt: usedAt });
    this.#sweep ??= this.#clock.setTimer(SWEEP_MS, () => this.#forgetUnused(), true);
    return made;
  }

  #makeRoom(): boolean {
    for (const [name, { upstream }] of this.#all) {
      if (isBusy(upstream)) continue;
      upstream.stop();
      this.#all.delete(name);
      return true;
    }
    return false;
  }

  #forgetUnused(): void {
    const before = this.#clock.now() - FORGET_MS;
    for (const [name, { upstream, usedAt }] of this.#all) {
      if (usedAt > before || isBusy(upstream) || upstream.endpoints.some(({ used }) => used > 0)) continue;
      upstream.stop();
      this.#all.delete(name);
    }
    this.#sweep = this.#all.size === 0
      ? null
      : this.#clock.setTimer(SWEEP_MS, () => this.#forgetUnused(), true);
  }

  /**
   * Connections that were opened for other credentials serve nobody any more: idle ones are closed at once, and what is left when
   * the requests under way are over follows as if it had not been asked for.
   *
   * @param credentials those of an origin now, as in `DestinationOwner`
   */
  useCredentials(credentials: (host: string, port: number) => string): void {
    for (const [id, { owner, upstream }] of this.#all) {
      if (owner.credentials === credentials(owner.host, owner.port)) continue;
      for (const { pool } of upstream.endpoints) pool.clear();
      if (isBusy(upstream)) continue;
      upstream.stop();
      this.#all.delete(id);
    }
  }

  /**
   * No request comes any more: idle connections are closed at once, and each destination ends with the last of its requests.
   * none must be made after it.
   *
   * @param ended called once, when nothing is left; maybe inside this call
   */
  retire(ended: () => void): void {
    this.#sweep?.cancel();
    for (const [name, { upstream }] of this.#all) {
      // Those that are busy bring back their connections: they are closed at the next check.
      for (const { pool } of upstream.endpoints) pool.clear();
      if (isBusy(upstream)) continue;
      upstream.stop();
      this.#all.delete(name);
    }
    this.#sweep = this.#all.size === 0
      ? null
      : this.#clock.setTimer(RETIRED_CHECK_MS, () => this.retire(ended), true);
    if (this.#sweep === null) ended();
  }

  /** Ends everything now. */
  stop(): void {
    this.#sweep?.cancel();
    this.#sweep = null;
    for (const { upstream } of this.#all.values()) upstream.stop();
  }
}

/** A reload may give an origin another credential: what is under way goes on with the connections of the one before. */
function idOf(name: string, credentials: string): string {
  return credentials === "" ? name : `${name} ${credentials}`;
}

function isBusy(upstream: Upstream): boolean {
  return upstream.coming > 0 || upstream.inFlight > 0 || upstream.waiting > 0 || upstream.pinned > 0;
}
