/** The connections that clients have open to one server: how many there may be, and how they come to an end. */

import type { Clock } from "../../runtime/contract/contract.ts";
import type { DownstreamPeer, DownstreamStream } from "../http/downstream_stream.ts";

export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Connections beyond the limit that are answered at a time; further ones are dropped without a word. */
  readonly maxRefused: number;
}

export class ConnectionSet implements Iterable<DownstreamPeer> {
  readonly #clock: Clock;
  readonly #spared: (client: DownstreamPeer) => boolean;
  readonly #open = new Set<DownstreamPeer>();
  /** Those of them that are being told that there are too many: they do not count against the limit. */
  readonly #refused = new Set<DownstreamPeer>();
  #emptied: PromiseWithResolvers<void> | null = null;
  /**
   * Milliseconds: a connection that is added from now on is closed once it has been idle so long. Null while the
   * server goes on.
   */
  lateGapMs: number | null = null;

  /** @param spared of a connection: the end of the server does not wait for it, and leaves it alone */
  constructor(clock: Clock, spared: (client: DownstreamPeer) => boolean = () => false) {
    this.#clock = clock;
    this.#spared = spared;
  }

  /** Open connections, those being refused included. */
  get size(): number {
    return this.#open.size;
  }

  /** Open connections that count against the limit. */
  get served(): number {
    return this.#open.size - this.#refused.size;
  }

  /** The server is ending: no further requests are wanted. */
  get ending(): boolean {
    return this.lateGapMs !== null;
  }

  [Symbol.iterator](): Iterator<DownstreamPeer> {
    return this.#open.values();
  }

  /**
   * A connection was accepted. It is dropped when too many are being refused already.
   *
   * @param now monotonic milliseconds
   * @returns null, or when there are too many connections: the stream on which the caller has to answer so
   */
  add(client: DownstreamPeer, limits: ConnectionLimits, now: number): DownstreamStream | null {
    this.#open.add(client);
    if (this.lateGapMs !== null) {
      client.drain(now, this.lateGapMs);
    } else if (this.served > limits.maxConnections) {
      this.#refused.add(client);
      if (this.#refused.size > limits.maxRefused) {
        client.abort();
        return null;
      }
      return client.refuseConnection();
    }
    return null;
  }

  /** The connection is closed. */
  delete(client: DownstreamPeer): void {
    this.#open.delete(client);
    this.#refused.delete(client);
    if (this.#emptied === null || this.#anyLeft) return;
    this.#emptied.resolve();
    this.#emptied = null;
  }

  /**
   * Lets every connection answer the request it has, and none further.
   *
   * @param now monotonic milliseconds
   * @param gapMs how long a connection must have been idle before it is closed: its client may be asking just now
   */
  drain(now: number, gapMs: number): void {
    this.lateGapMs = gapMs;
    for (const client of this.#open) client.drain(now, gapMs);
  }

  /** Settles when no connection is open any more but those that are spared, after `timeoutMs` at the latest. */
  async untilEmpty(timeoutMs: number): Promise<void> {
    if (!this.#anyLeft) return;
    this.#emptied ??= Promise.withResolvers();
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(timeoutMs, late.resolve);
    await Promise.race([this.#emptied.promise, late.promise]);
    timer.cancel();
  }

  /**
   * Aborts connections.
   *
   * @returns how many answers they owed
   */
  abort(which: "all" | "unspared"): number {
    let owing = 0;
    for (const client of this.#open) {
      if (which === "unspared" && this.#spared(client)) continue;
      owing += client.owedAnswers;
      client.abort();
    }
    return owing;
  }

  /** A connection is open that is not spared. */
  get #anyLeft(): boolean {
    for (const client of this.#open) if (!this.#spared(client)) return true;
    return false;
  }
}
