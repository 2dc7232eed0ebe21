/**
 * New connections that have to stand open for a while before a request is sent on them that was lost with others.
 *
 * A server keeps a new connection open and waits for a request. A port that is forwarded to a server that is down accepts
 * the connection and drops it. So a connection that ends in its probation has cost no attempt, and one that ends later was
 * the end of a server. Until a connection is taken from here, the dial that has opened it counts as under way.
 */

import type { SocketError } from "../../runtime/contract/contract.ts";
import type { Turn } from "../time/turn.ts";
import type { UpstreamPeer, UpstreamPeerOwner } from "../http/upstream_stream.ts";
import { DROPPED } from "./dial_trial.ts";
import type { Dialer } from "./dialer.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Waiter, WaitingRoom } from "./waiting_room.ts";

/** What becomes of the connections. */
export interface ProbationEnd {
  /** Whether requests may be sent that have been sent before. */
  retriesAllowed(): boolean;
  /** The connection has stood open for as long as `waiter` wants, which is still in the room. */
  proved(connection: UpstreamPeer, waiter: Waiter): void;
  /** No request wants it any more because of its probation. */
  needless(connection: UpstreamPeer): void;
  /** It has ended: the same as a dial that has failed. */
  dropped(endpoint: Endpoint, error: SocketError): void;
}

interface Entry {
  readonly endpoint: Endpoint;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** An endpoint that loses one connection after the other can lengthen a probation by this much. Milliseconds. */
const MOST_RENEWED_MS = 1000;

export class Probation implements UpstreamPeerOwner {
  readonly #turn: Turn;
  readonly #dialer: Dialer;
  readonly #room: WaitingRoom;
  readonly #end: ProbationEnd;
  /** Oldest first. Some may have ended: see `idleLost`. */
  readonly #entries = new Map<UpstreamPeer, Entry>();

  constructor(turn: Turn, dialer: Dialer, room: WaitingRoom, end: ProbationEnd) {
    this.#turn = turn;
    this.#dialer = dialer;
    this.#room = room;
    this.#end = end;
  }

  /** Dials that count as under way. */
  get size(): number {
    return this.#entries.size;
  }

  /** How long a connection that has not been used must be under probation before `waiter` gets it; milliseconds, 0 = not. */
  msFor(connection: UpstreamPeer, endpoint: Endpoint, waiter: Waiter): number {
    const { probationMs, goesLast } = waiter;
    // One loss may be the doing of the endpoint that is down since: another one is taken at its word.
    if (probationMs === 0 || (endpoint.state === "up" && !goesLast) || hasServed(connection, endpoint)) {
      return 0;
    }
    return Math.max(0, trialSince(connection, endpoint) + probationMs - this.#turn.now);
  }

  /** Takes ownership of a connection that has not been used, for `ms` or longer. */
  begin(connection: UpstreamPeer, endpoint: Endpoint, ms: number): void {
    this.#dialer.hold(endpoint);
    connection.owner = this;
    this.#entries.set(connection, { endpoint, until: this.#turn.now + ms });
  }

  /**
   * Gives connections that have stood open for long enough, or whose endpoint has answered others since they were opened,
   * to those who wanted them, also when others have come meanwhile that go before: otherwise a steady stream of requests would keep them waiting for ever.
   */
  serve(): void {
    if (this.#entries.size === 0) return;
    this.#forgetEnded();
    this.#dropUnusable();
    this.endNeedless();
    while (this.#end.retriesAllowed()) {
      const proved = this.#proved();
      if (proved === null) return;
      this.#remove(proved.connection);
      this.#end.proved(proved.connection, proved.waiter);
    }
  }

  /** The oldest connection that has stood open for as long as a waiter wants, and that waiter. */
  #proved(): { connection: UpstreamPeer; waiter: Waiter } | null {
    for (const [connection, { endpoint }] of this.#entries) {
      if (connection.freeStreams === 0) continue;
      const served = hasServed(connection, endpoint);
      const stoodMs = this.#turn.now - trialSince(connection, endpoint);
      const waiter = this.#room.suspect(served ? Infinity : stoodMs);
      if (waiter !== null) return { connection, waiter };
    }
    return null;
  }

  /** Some waiters that wanted connections under probation are not in the room any more. */
  endNeedless(): void {
    while (this.#entries.size > this.#room.suspects) {
      const connection = this.#oldest() ?? this.#entries.keys().next().value;
      if (connection === undefined) return;
      this.#remove(connection);
      if (connection.freeStreams > 0) this.#end.needless(connection);
    }
  }

  /** The oldest one that is open, at an endpoint that may be used. */
  #oldest(): UpstreamPeer | null {
    for (const [connection, { endpoint }] of this.#entries) {
      if (connection.freeStreams === 0) continue;
      if (endpoint.enabled) return connection;
      this.#remove(connection);
      connection.drop();
    }
    return null;
  }

  /** The time is over of those that have ended. */
  #forgetEnded(): void {
    for (const [connection, { until }] of this.#entries) {
      if (connection.freeStreams === 0 && until <= this.#turn.now) this.#remove(connection);
    }
  }

  /**
   * Those whose endpoint may not be used any more, as all its idle ones: as long as they counted as dials under way, nothing would
   * be dialled for the requests that wait for them.
   */
  #dropUnusable(): void {
    for (const [connection, { endpoint }] of this.#entries) {
      if (endpoint.enabled) continue;
      this.#remove(connection);
      connection.drop();
    }
  }

  #remove(connection: UpstreamPeer): void {
    // The cast: only what is in the map is removed.
    const { endpoint } = this.#entries.get(connection) as Entry;
    this.#entries.delete(connection);
    connection.owner = endpoint;
    this.#dialer.release(endpoint);
  }

  /** Drops all of them. */
  clear(): void {
    for (const connection of this.#entries.keys()) {
      this.#remove(connection);
      connection.drop();
    }
  }

  // UpstreamPeerOwner

  /** It was dropped, or has said something without being asked. */
  idleLost(connection: UpstreamPeer): void {
    const entry = this.#entries.get(connection);
    if (entry === undefined) return;
    // An endpoint that answers others is not down, but must not be dialled as fast as it can drop connections either.
    if (entry.endpoint.answered !== connection.endpointAnswers) return;
    this.#remove(connection);
    this.#end.dropped(entry.endpoint, DROPPED);
  }
}

/**
 * Since when nothing has spoken against the connection, monotonic milliseconds: when another one of its endpoint is lost, its own
 * end may be under way.
 */
function trialSince({ openedAt }: UpstreamPeer, { life }: Endpoint): number {
  return Math.max(openedAt, Math.min(life.lostAt, openedAt + MOST_RENEWED_MS));
}

/**
 * The endpoint has answered a request that was sent since then: what is behind it is there. An answer to an earlier one may
 * have been under way when its process ended.
 */
function hasServed(connection: UpstreamPeer, endpoint: Endpoint): boolean {
  return endpoint.state === "up" && endpoint.life.provedAt > trialSince(connection, endpoint);
}
