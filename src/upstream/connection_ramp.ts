/**
 * How many connections an endpoint is trusted with.
 *
 * There are backends that take one connection and leave (they close their listening socket, serve, and
 * listen again). A second connection that is opened before they have taken the first waits in the accept
 * queue and is reset, and what was sent on it may not be repeated if it was a POST. Nothing tells that a
 * connection has been taken but its answer, or that the next dial is refused. So towards an endpoint of
 * which nothing is known, or which has just returned, connections are opened one by one: the next when
 * the one before has been answered, or when there has been time enough to take it. Once a handful has
 * been open at a time, the number doubles every few milliseconds for as long as requests wait for it.
 */

import type { UpstreamPeer } from "../http/upstream_stream.ts";

/** Time a backend has to take the first connection. A busy machine needs some of it. */
const FIRST_MS = 100;
/** The same for those that follow. */
const NEXT_MS = 25;
/** Beyond the first handful the number doubles after this time. */
const STEP_MS = 10;
/** Up to here connections are opened one by one; more have shown that it serves many at a time. */
const ONE_BY_ONE = 4;
/** Beyond this it is trusted with any number. */
const END = 256;

/** Told after a change. */
export interface RampOwner {
  /** `allows` may answer differently now. */
  rampChanged(): void;
  /** The limit was Infinity, and is not any more. */
  distrusted(): void;
}

const NOBODY: RampOwner = { rampChanged() {}, distrusted() {} };

export class ConnectionRamp {
  readonly #owner: RampOwner;
  #limit = 1;
  /** The last connection opened, or being opened, may not have been taken yet. */
  #probing = false;
  #probe: UpstreamPeer | null = null;
  /** Monotonic milliseconds from which time alone is reason enough to go on. */
  #goOnAt = 0;

  constructor(owner: RampOwner = NOBODY) {
    this.#owner = owner;
  }

  /** Connections it is trusted with at present; Infinity = any number. */
  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#owner.rampChanged();
  }

  /** Monotonic milliseconds before which `goOn` does nothing. */
  get goOnAt(): number {
    return this.#goOnAt;
  }

  /** Whether one more connection may be opened on top of the `used` ones. */
  allows(used: number): boolean {
    return used < this.limit && !(this.#probing && this.limit <= ONE_BY_ONE);
  }

  /** A dial was begun. */
  dialled(now: number): void {
    if (this.#limit > ONE_BY_ONE) return;
    this.#probing = true;
    this.#goOnAt = now + (this.#limit === 1 ? FIRST_MS : NEXT_MS);
    this.#owner.rampChanged();
  }

  /** It has led to `connection`. */
  opened(connection: UpstreamPeer, now: number): void {
    if (this.#limit > ONE_BY_ONE) return;
    this.#probe = connection;
    this.dialled(now);
  }

  /**
   * The request on `connection` is over, or the connection is.
   *
   * @param kept it serves further requests: an endpoint that leaves after each one closes them
   * @param used connections in use, this one included
   */
  released(connection: UpstreamPeer, kept: boolean, used: number, now: number): void {
    if (connection === this.#probe) {
      this.#probe = null;
      this.#probing = false;
      this.#owner.rampChanged();
    }
    if (kept && used >= this.#limit) this.#widen(now);
  }

  /** Time has passed while requests wait. */
  goOn(used: number, now: number): void {
    if (now < this.#goOnAt) return;
    this.#probing = false;
    this.#owner.rampChanged();
    if (used >= this.#limit) this.#widen(now);
  }

  #widen(now: number): void {
    this.#limit = this.#limit >= END ? Infinity : this.#limit * 2;
    this.#goOnAt = now + (this.#limit > ONE_BY_ONE ? STEP_MS : NEXT_MS);
    this.#owner.rampChanged();
  }

  /** Nothing is in use and no request waits: only what has shown that it serves many at a time stays known. */
  rest(): void {
    this.#begin(this.#limit > ONE_BY_ONE ? Infinity : 1);
  }

  /** The endpoint is down, or has just returned. */
  restart(): void {
    const trusted = this.#limit === Infinity;
    this.#begin(1);
    if (trusted) this.#owner.distrusted();
  }

  #begin(limit: number): void {
    this.#probe = null;
    if (limit === this.#limit && !this.#probing) return;
    this.#limit = limit;
    this.#probing = false;
    this.#owner.rampChanged();
  }
}
