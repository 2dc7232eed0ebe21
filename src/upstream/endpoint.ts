/**
 * One address of an upstream: its idle connections, how many requests it serves, and whether it can be
 * reached. Everything here is bookkeeping; `Upstream` decides.
 */

import type { UpstreamConnection, UpstreamConnectionOwner } from "../conn/upstream_connection.ts";
import type { SocketError } from "../../runtime/contract.ts";
import { IdlePool, type IdlePoolSettings } from "./idle_pool.ts";
import { Ramp } from "./ramp.ts";
import type { ReuseKey } from "./reuse_key.ts";
import type { EndpointTally } from "./tally.ts";

/**
 * - `up`: answers, as far as we know
 * - `away`: the last dial failed, or a new connection ended without an answer; a dial loop asks for it
 * - `trial`: a dial has succeeded since, no answer has been seen yet
 */
export type EndpointState = "up" | "away" | "trial";

/** What a request needs of an endpoint: a connection that lies ready, leave to open one, or either. */
export type Need = "idle" | "dial" | "any";

export interface EndpointSettings {
  readonly name: string;
  readonly key: ReuseKey;
  /** Value of Host for requests that name no other. */
  readonly hostField: string;
  /** Relative share, >= 1. */
  readonly weight: number;
  /** Requests at a time, 0 = no limit. */
  readonly maxInFlight: number;
  /** How many of them are ours at first, where other processes serve the same endpoint. Default: all. */
  readonly slots?: number;
  readonly pool: IdlePoolSettings;
}

/** Dials to one endpoint under way at a time; accept queues of small servers are short. */
export const DIALS_AT_ONCE = 64;

/** Told when an idle connection is gone, so that a slot counts as free. */
export interface EndpointOwner {
  connectionLost(endpoint: Endpoint): void;
}

/** An idle connection that ends so soon after its answer was not meant to be kept, in milliseconds. */
const SOON_MS = 25;

export class Endpoint implements UpstreamConnectionOwner {
  #settings: EndpointSettings;
  readonly name: string;
  readonly idle: IdlePool;
  readonly #owner: EndpointOwner;
  /** Requests being served, tunnels included. */
  busy = 0;
  /** Dials under way; each holds a slot. */
  dialing = 0;
  /** Requests at a time at this moment: `maxInFlight`, or our share of it; Infinity = no limit. */
  slotLimit: number;
  /** Slots of ours that other processes wait for; see slot_share.ts. */
  recalled = 0;
  /** Administratively in use. */
  enabled = true;
  state: EndpointState = "up";
  readonly ramp = new Ramp();
  /** Monotonic milliseconds: since when it is in this state. */
  stateSince = 0;
  /** Monotonic milliseconds: when it went away. */
  awaySince = 0;
  /** Monotonic milliseconds: when the present dial loop began. */
  loopSince = 0;
  /** Monotonic milliseconds before which no dial is made while away. */
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
  /** Requests answered, for status. */
  answered = 0;
  /** That it is away was heard from another process, which has logged it. */
  awayByHearsay = false;
  /** Belongs to whoever counts. */
  tally: EndpointTally | null = null;

  constructor(settings: EndpointSettings, owner: EndpointOwner) {
    this.#settings = settings;
    this.name = settings.name;
    this.idle = new IdlePool(settings.pool);
    this.slotLimit = settings.maxInFlight === 0 ? Infinity : settings.slots ?? settings.maxInFlight;
    this.#owner = owner;
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
   * was there before stays what it is: whoever hands slots out changes it.
   */
  apply(settings: EndpointSettings): void {
    const before = this.#settings.maxInFlight;
    this.#settings = settings;
    this.idle.settings = settings.pool;
    if (settings.maxInFlight === 0) {
      this.slotLimit = Infinity;
      this.recalled = 0;
    } else if (settings.slots === undefined || before === 0) {
      this.slotLimit = settings.slots ?? settings.maxInFlight;
    }
  }

  /** Connections open or being opened: what a backend that takes N connections counts. */
  get used(): number {
    return this.busy + this.dialing + this.idle.size;
  }

  /** Requests it could take, connections being opened included, whether or not one may be opened just now. */
  get places(): number {
    if (!this.enabled || this.state === "away") return 0;
    return this.slotLimit - this.busy;
  }

  /** Whether it can serve `need` now: enabled, not full, and reachable as far as we know. */
  can(need: Need): boolean {
    if (!this.enabled) return false;
    const used = this.busy + this.dialing;
    if (used >= this.slotLimit) return false;
    if (need !== "dial" && this.idle.size > 0) return true;
    if (need === "idle") return false;
    return this.state !== "away" && this.dialing < DIALS_AT_ONCE && this.ramp.allows(used);
  }

  // UpstreamConnectionOwner

  idleLost(connection: UpstreamConnection, idleMs: number): void {
    if (idleMs >= 0 && idleMs < SOON_MS) this.keepsAlive = false;
    this.idle.lost(connection, idleMs, connection.idleSince + Math.max(0, idleMs));
    this.#owner.connectionLost(this);
  }

  busyClosed(): void {
    // The exchange was told and gives the slot back itself.
  }
}
