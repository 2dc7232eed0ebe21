/**
 * Idle connections of one endpoint: newest first, so that the rest can age away; bounded; and wise to
 * how long the origin keeps idle connections, so that a request rarely meets a closing one.
 */

import type { UpstreamPeer } from "../http/upstream_stream.ts";

export interface IdlePoolSettings {
  /** Connections kept at most. */
  readonly size: number;
  readonly idleTimeoutMs: number;
  /** 0 = no limit. */
  readonly maxAgeMs: number;
}

/** Two observed ages this close tell a habit of the origin, not a restart. */
const HABIT_TOLERANCE = 0.1;
/** Ages below this are never taken for a habit. */
const HABIT_MIN_MS = 500;

/** Time by which a connection is given up before the origin is expected to close it. */
function margin(ms: number): number {
  return Math.min(2000, Math.max(250, ms * 0.2));
}

export class IdlePool {
  /** May be replaced; counts for connections that come to rest from then on. */
  settings: IdlePoolSettings;
  readonly #connections: UpstreamPeer[] = [];
  #lastLostMs = 0;
  #lastLostAt = 0;
  /** Age at which this origin closes idle connections; Infinity = not known. */
  #habitMs = Infinity;

  constructor(settings: IdlePoolSettings) {
    this.settings = settings;
  }

  get size(): number {
    return this.#connections.length;
  }

  /** The learned age in milliseconds, Infinity when nothing was learned. */
  get habitMs(): number {
    return this.#habitMs;
  }

  /** The newest one, or null. The caller owns it then. */
  take(now: number): UpstreamPeer | null {
    const { maxAgeMs } = this.settings;
    for (;;) {
      const connection = this.#connections.pop();
      if (connection === undefined) return null;
      // The deadline's own event may be late: the process may have stood still.
      const old = connection.deadlineAt <= now || (maxAgeMs > 0 && now - connection.openedAt >= maxAgeMs);
      if (!old) return connection;
      connection.retire();
    }
  }

  /**
   * The newest one that has not served yet or has rested for `restMs` since its last answer, or null. An
   * origin that ends its connections without announcing it does so right after the answer.
   */
  takeRested(now: number, restMs: number): UpstreamPeer | null {
    for (let i = this.#connections.length - 1; i >= 0; i--) {
      const connection = this.#connections[i] as UpstreamPeer;
      if (connection.uses > 0 && now - connection.idleSince < restMs) continue;
      this.#connections.push(...this.#connections.splice(i, 1));
      return this.take(now);
    }
    return null;
  }

  /** How long a connection may rest now: as configured, or shorter if its origin closes it before. Milliseconds. */
  restMs(connection: UpstreamPeer): number {
    let restMs = this.settings.idleTimeoutMs;
    const hint = connection.keepAliveHintMs;
    if (hint > 0) restMs = Math.min(restMs, Math.max(0, hint - margin(hint)));
    if (this.#habitMs !== Infinity) restMs = Math.min(restMs, this.#habitMs - margin(this.#habitMs));
    return restMs;
  }

  /** Takes ownership of a connection whose exchange is complete; closes it when it cannot be kept. */
  put(connection: UpstreamPeer, now: number): void {
    const { size, maxAgeMs } = this.settings;
    if (size === 0 || (maxAgeMs > 0 && now - connection.openedAt >= maxAgeMs)) {
      connection.retire();
      return;
    }
    const keepMs = this.restMs(connection);
    if (keepMs <= 0) {
      connection.retire();
      return;
    }
    if (this.#connections.length >= size) this.#connections.shift()?.retire();
    connection.rest(now, now + keepMs);
    this.#connections.push(connection);
  }

  /**
   * A connection in the pool ended by itself.
   *
   * @param idleMs how long it had been idle when the origin closed it; negative when we did
   * @param now monotonic milliseconds
   */
  lost(connection: UpstreamPeer, idleMs: number, now: number): void {
    const at = this.#connections.lastIndexOf(connection);
    if (at >= 0) this.#connections.splice(at, 1);
    if (idleMs < HABIT_MIN_MS) return;
    const before = this.#lastLostMs;
    const sinceBefore = now - this.#lastLostAt;
    this.#lastLostMs = idleMs;
    this.#lastLostAt = now;
    // Several lost at one time tell of a restart.
    if (sinceBefore < HABIT_MIN_MS) return;
    if (before > 0 && Math.abs(before - idleMs) <= HABIT_TOLERANCE * idleMs) {
      this.#habitMs = Math.min(this.#habitMs, before, idleMs);
    }
  }

  /** Closes the oldest one, to make room for a new connection. */
  retireOldest(): void {
    this.#connections.shift()?.retire();
  }

  /** Closes those that lead elsewhere than to these addresses. @returns how many */
  keepOnly(addresses: readonly string[]): number {
    const leaves = ({ remoteAddress }: UpstreamPeer) => !addresses.includes(remoteAddress);
    const gone = this.#connections.filter(leaves);
    if (gone.length === 0) return 0;
    this.#connections.splice(0, Infinity, ...this.#connections.filter((each) => !leaves(each)));
    for (const connection of gone) connection.retire();
    return gone.length;
  }

  /** Closes all of them. */
  clear(): void {
    for (const connection of this.#connections.splice(0)) connection.retire();
  }

  /** Forgets what was learned: the origin may be another one now. */
  unlearn(): void {
    this.#habitMs = Infinity;
    this.#lastLostMs = 0;
  }
}
