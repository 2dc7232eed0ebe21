/**
 * Connections of one reuse key on which a stream can be opened.
 *
 * - Those that rest, on which no stream is open: newest first, so that the others can age away; bounded; and wise to
 *   how long the origin keeps idle connections, so that a request rarely meets a closing one.
 * - Those that are shared, which carry streams and have room for more. They go first, for a connection that is in use
 *   costs nothing and is not being closed. HTTP/1 carries one stream at a time: none of its connections is ever shared,
 *   and one that is in use is in no list here.
 *
 * The pool counts the streams of a connection that can carry several from the first to the last, so that the caller
 * must give back each stream exactly once (`streamEnded`), whatever has become of the connection. When such a
 * connection ends is its own business.
 */

import type { UpstreamPeer } from "../http/upstream_stream.ts";

export interface PoolSettings {
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

export class ConnectionPool {
  /** May be replaced; counts for connections that come to rest from then on. */
  settings: PoolSettings;
  /** The newest one is the last. */
  readonly #resting: UpstreamPeer[] = [];
  /** Those that carry streams and have room for more. */
  readonly #shared: UpstreamPeer[] = [];
  /** Streams under way, by connections that can carry several. Empty with HTTP/1. */
  readonly #streams = new Map<UpstreamPeer, number>();
  #surplus = 0;
  #lastLostMs = 0;
  #lastLostAt = 0;
  /** Age at which this origin closes idle connections; Infinity = not known. */
  #habitMs = Infinity;

  constructor(settings: PoolSettings) {
    this.settings = settings;
  }

  /** Connections that rest. */
  get size(): number {
    return this.#resting.length;
  }

  /** A stream can be opened on a connection that is open, as far as is known. */
  get available(): boolean {
    return this.#resting.length > 0 || this.#shared.length > 0;
  }

  /** Streams under way beyond the first of each connection. */
  get surplus(): number {
    return this.#surplus;
  }

  /** The learned age in milliseconds, Infinity when nothing was learned. */
  get habitMs(): number {
    return this.#habitMs;
  }

  /** A connection on which the caller opens one stream at once, or null. One that rested is the caller's then. */
  take(now: number): UpstreamPeer | null {
    if (this.#shared.length > 0) {
      const shared = this.takeShared(now);
      if (shared !== null) return shared;
    }
    for (;;) {
      const connection = this.#resting.pop();
      if (connection === undefined) return null;
      const { freeStreams } = connection;
      // The deadline's own event may be late: the process may have stood still.
      if (freeStreams > 0 && connection.deadlineAt > now && !this.#tooOld(connection, now)) {
        if (freeStreams > 1) this.share(connection);
        return connection;
      }
      connection.retire();
    }
  }

  #tooOld(connection: UpstreamPeer, now: number): boolean {
    const { maxAgeMs } = this.settings;
    return maxAgeMs > 0 && now - connection.openedAt >= maxAgeMs;
  }

  /**
   * The newest one that has not served yet or has rested for `restMs` since its last answer, or null. An
   * origin that ends its connections without announcing it does so right after the answer.
   */
  takeRested(now: number, restMs: number): UpstreamPeer | null {
    for (let i = this.#resting.length - 1; i >= 0; i--) {
      const connection = this.#resting[i] as UpstreamPeer;
      if (connection.uses > 0 && now - connection.idleSince < restMs) continue;
      this.#resting.push(...this.#resting.splice(i, 1));
      return this.take(now);
    }
    return null;
  }

  // Connections that carry several streams

  /** The caller opens the first stream of `connection`, which rests nowhere, and `freeStreams` is more than 1. */
  share(connection: UpstreamPeer): void {
    this.#streams.set(connection, 1);
    this.#shared.push(connection);
  }

  /** One of those that carry streams already, or null: the caller opens one more at once. */
  takeShared(now: number): UpstreamPeer | null {
    for (let connection = this.#shared.at(-1); connection !== undefined; connection = this.#shared.at(-1)) {
      if (this.#tooOld(connection, now)) {
        this.#shared.pop();
        connection.retire();
      } else if (this.takeFrom(connection)) return connection;
    }
    return null;
  }

  /** Whether the caller may open one more stream of this one, which it does at once then. */
  takeFrom(connection: UpstreamPeer): boolean {
    const at = this.#shared.lastIndexOf(connection);
    if (at < 0) return false;
    const { freeStreams, pinnedTo } = connection;
    if (freeStreams <= 1 || pinnedTo !== null) this.#shared.splice(at, 1);
    if (freeStreams === 0 || pinnedTo !== null) return false;
    this.#streams.set(connection, (this.#streams.get(connection) ?? 0) + 1);
    this.#surplus++;
    return true;
  }

  /** Streams of `connection` are under way, and it can carry several: each is to be given back by `streamEnded`. */
  carriesSeveral(connection: UpstreamPeer): boolean {
    return this.#streams.size > 0 && this.#streams.has(connection);
  }

  /**
   * A stream of one that `carriesSeveral` has ended, in whichever way. The others go on. The connection rests when
   * that was the last one.
   */
  streamEnded(connection: UpstreamPeer, now: number): void {
    const left = (this.#streams.get(connection) ?? 1) - 1;
    if (left > 0) {
      this.#streams.set(connection, left);
      this.#surplus--;
      if (connection.freeStreams === 0 || connection.pinnedTo !== null) return;
      if (this.#tooOld(connection, now)) this.#retireShared(connection);
      else if (!this.#shared.includes(connection)) this.#shared.push(connection);
      return;
    }
    this.#streams.delete(connection);
    this.#unshare(connection);
    if (connection.pinnedTo !== null) return;
    if (connection.freeStreams === 0) connection.retire();
    else this.put(connection, now);
  }

  #unshare(connection: UpstreamPeer): void {
    const at = this.#shared.lastIndexOf(connection);
    if (at >= 0) this.#shared.splice(at, 1);
  }

  /** It takes no more streams. */
  #retireShared(connection: UpstreamPeer): void {
    this.#unshare(connection);
    connection.retire();
  }

  // Connections that rest

  /** How long a connection may rest now: as configured, or shorter if its origin closes it before. Milliseconds. */
  restMs(connection: UpstreamPeer): number {
    let restMs = this.settings.idleTimeoutMs;
    const hint = connection.keepAliveHintMs;
    if (hint > 0) restMs = Math.min(restMs, Math.max(0, hint - margin(hint)));
    if (this.#habitMs !== Infinity) restMs = Math.min(restMs, this.#habitMs - margin(this.#habitMs));
    return restMs;
  }

  /** Takes ownership of a connection on which no stream is open; closes it when it cannot be kept. */
  put(connection: UpstreamPeer, now: number): void {
    const { size } = this.settings;
    if (size === 0 || this.#tooOld(connection, now)) {
      connection.retire();
      return;
    }
    const keepMs = this.restMs(connection);
    if (keepMs <= 0) {
      connection.retire();
      return;
    }
    if (this.#resting.length >= size) this.#resting.shift()?.retire();
    connection.rest(now, now + keepMs);
    this.#resting.push(connection);
  }

  /**
   * A connection that rested ended by itself.
   *
   * @param idleMs how long it had been idle when the origin closed it; negative when we did
   * @param now monotonic milliseconds
   */
  lost(connection: UpstreamPeer, idleMs: number, now: number): void {
    const at = this.#resting.lastIndexOf(connection);
    if (at >= 0) this.#resting.splice(at, 1);
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

  /** Closes the one that has rested longest, to make room for a new connection. */
  retireOldest(): void {
    this.#resting.shift()?.retire();
  }

  /**
   * Closes those that lead elsewhere than to these addresses; those that carry streams when these have ended.
   *
   * @returns how many
   */
  keepOnly(addresses: readonly string[]): number {
    return this.#retireWhere(({ remoteAddress }) => !addresses.includes(remoteAddress));
  }

  /** Closes all of them; those that carry streams when these have ended. */
  clear(): void {
    this.#retireWhere(() => true);
  }

  #retireWhere(leaves: (connection: UpstreamPeer) => boolean): number {
    const gone = this.#resting.filter(leaves);
    if (gone.length > 0) this.#resting.splice(0, Infinity, ...this.#resting.filter((each) => !leaves(each)));
    for (const connection of this.#streams.keys()) {
      if (connection.pinnedTo !== null || !leaves(connection)) continue;
      this.#unshare(connection);
      gone.push(connection);
    }
    for (const connection of gone) connection.retire();
    return gone.length;
  }

  /** Forgets what was learned: the origin may be another one now. */
  unlearn(): void {
    this.#habitMs = Infinity;
    this.#lastLostMs = 0;
  }
}
