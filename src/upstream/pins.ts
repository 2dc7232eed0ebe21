/**
 * Connections to endpoints that belong to one client's connection, because the client has authenticated on them
 * (connection_auth.ts). The origin answers whatever comes on such a connection as that user, so no other client's
 * request may ever be sent on it.
 *
 * A pin lives from before the first byte of the request that authenticates until either side's connection ends. It
 * serves every later request of its client to the same upstream, and is never in the pool. An origin that closes it takes
 * the session along, so the client's connection is closed too: it would otherwise go on in the belief that it is known.
 */

import type { DownstreamCompanion, DownstreamPeer } from "../http/downstream_stream.ts";
import type { PinHolder, UpstreamPeer } from "../http/upstream_stream.ts";
import type { Turn } from "../time/turn.ts";
import type { Endpoint } from "./endpoint.ts";
import type { StreamSource } from "./stream_source.ts";

/** Pins of one client's connection at most; the one that was used least recently makes room. */
const MOST_PINS = 8;
/** Longest time without a request, whatever `pool.idle_timeout` says: each may occupy a thread of its origin. */
const MOST_IDLE_MS = 10 * 60_000;
/** A client of an endpoint that is drained gets this long to send what it has begun: the rest of a handshake, say. */
const DRAIN_IDLE_MS = 1000;

/** A request that waits until its pin may be used. */
export interface PinUser {
  /** The pin has ended; nothing of the request was sent. */
  pinLost(): void;
}

interface Pin {
  readonly connection: UpstreamPeer;
  readonly upstream: StreamSource;
  readonly endpoint: Endpoint;
  /** No request is under way on it. */
  resting: boolean;
  /** The origin's last answer goes on with a handshake: the client's reply makes sense on this connection only. */
  handshake: boolean;
  /** Requests that wait for it, in the order in which they came. */
  readonly users: Set<PinUser>;
}

export class Pins implements PinHolder, DownstreamCompanion {
  readonly #client: DownstreamPeer;
  readonly #turn: Turn;
  /** The one used most recently is the last. */
  readonly #pins: Pin[] = [];
  /** Upstreams whose pin has ended in a way that must end the client's connection; null = none. */
  #lost: StreamSource[] | null = null;
  /** A pin has ended within a handshake. */
  #torn = false;
  #ended = false;

  private constructor(client: DownstreamPeer, turn: Turn) {
    this.#client = client;
    this.#turn = turn;
  }

  /** Those of a client's connection; null when there are none. */
  static of(client: DownstreamPeer): Pins | null {
    // The cast: nothing else is ever put there.
    return client.companion as Pins | null;
  }

  /** The same, made if there are none. */
  static make(client: DownstreamPeer, turn: Turn): Pins {
    const known = Pins.of(client);
    if (known !== null) return known;
    const pins = new Pins(client, turn);
    client.companion = pins;
    return pins;
  }

  /** The pin that a request to `upstream` must use, or null. Another request of the same client may be using it. */
  find(upstream: StreamSource): UpstreamPeer | null {
    return this.#pins.find((pin) => pin.upstream === upstream)?.connection ?? null;
  }

  /** The pin to `upstream` is gone and the client's connection is about to be closed for it. */
  hasLost(upstream: StreamSource): boolean {
    return this.#lost !== null && this.#lost.includes(upstream);
  }

  /**
   * Another upstream than `upstream` waits for the answer to a challenge, or did so until its pin ended. A request with
   * such an answer is meant for that one, whatever leads it to `upstream` now.
   */
  challengedElsewhere(upstream: StreamSource): boolean {
    if (this.#torn) return true;
    const asking = this.#pins.filter(({ handshake }) => handshake);
    return asking.length > 0 && !asking.some((pin) => pin.upstream === upstream);
  }

  /** Pins a connection that has a request under way, or is about to. Nothing when it is pinned already. */
  pin(connection: UpstreamPeer, upstream: StreamSource): void {
    if (connection.pinnedTo !== null) return;
    if (this.#pins.length >= MOST_PINS) this.#makeRoom();
    // The cast: upstreams give out connections of their endpoints and no others.
    const endpoint = connection.owner as Endpoint;
    connection.pinnedTo = this;
    endpoint.pinned++;
    this.#pins.push({ connection, upstream, endpoint, resting: false, handshake: false, users: new Set() });
  }

  /** Where requests come one after the other, all pins but one rest, at least. */
  #makeRoom(): void {
    const oldest = this.#pins.find(({ resting, handshake }) => resting && !handshake) ??
      this.#pins.find(({ resting }) => resting);
    if (oldest === undefined) return;
    if (oldest.handshake) this.#torn = true;
    this.#retire(oldest);
  }

  /** A request waits for the pin: it does not time out meanwhile. */
  awaited(connection: UpstreamPeer, user: PinUser): void {
    const pin = this.#pinOf(connection);
    if (pin === undefined) return;
    pin.users.add(user);
    if (pin.resting) connection.restUntil(Infinity);
    this.#releaseStuck(pin);
  }

  /**
   * A request is held until the end of a pause, and its endpoint is being drained: it cannot be answered before the
   * endpoint ends, and the endpoint waits for it. The client does better on another connection.
   */
  #releaseStuck(pin: Pin): void {
    if (!pin.resting || pin.users.size === 0 || pin.endpoint.enabled || !pin.upstream.paused) return;
    this.#retire(pin);
    this.#sessionOver(pin);
  }

  /** A request that waited for it does so no more, and has not got it. */
  forsaken(connection: UpstreamPeer, user: PinUser): void {
    const pin = this.#pinOf(connection);
    if (pin === undefined || !pin.users.delete(user)) return;
    if (pin.resting) connection.restUntil(this.#restEnd(pin));
  }

  /** A request is sent on it. @param user the one that waited; null = it has not waited */
  take(connection: UpstreamPeer, user: PinUser | null): void {
    const pin = this.#pinOf(connection);
    if (pin === undefined) return;
    if (user !== null) pin.users.delete(user);
    pin.resting = false;
    pin.endpoint.pinnedIdle--;
    this.#pins.splice(this.#pins.indexOf(pin), 1);
    this.#pins.push(pin);
  }

  /** The origin's answer that is about to be passed on is part of a handshake that goes on, or is not. */
  answered(connection: UpstreamPeer, handshake: boolean): void {
    const pin = this.#pinOf(connection);
    if (pin !== undefined) pin.handshake = handshake;
  }

  /** The exchange on it is complete, and it may serve the next one. */
  rest(connection: UpstreamPeer): void {
    const pin = this.#pinOf(connection);
    if (pin === undefined) return;
    pin.resting = true;
    pin.endpoint.pinnedIdle++;
    if (this.#ended) {
      this.#retire(pin);
      return;
    }
    connection.rest(this.#turn.now, this.#restEnd(pin));
    if (!pin.endpoint.enabled) this.#client.drain(this.#turn.now, DRAIN_IDLE_MS);
    this.#releaseStuck(pin);
  }

  #restEnd({ connection, endpoint, users }: Pin): number {
    if (users.size > 0) return Infinity;
    return this.#turn.now + Math.min(MOST_IDLE_MS, endpoint.pool.restMs(connection));
  }

  /**
   * It is gone, or is not this client's session any more: a tunnel's, or one on which nothing was sent. The
   * connection stays marked, and so stays out of the pool.
   */
  forget(connection: UpstreamPeer): void {
    const pin = this.#pinOf(connection);
    if (pin === undefined) return;
    this.#remove(pin);
    for (const user of [...pin.users]) user.pinLost();
  }

  /** PinHolder: it ended while no request was under way on it. */
  pinLost(connection: UpstreamPeer): void {
    const pin = this.#pinOf(connection);
    if (pin === undefined) return;
    this.#remove(pin);
    this.#sessionOver(pin);
  }

  /** PinHolder. */
  isResting(connection: UpstreamPeer): boolean {
    return this.#pinOf(connection)?.resting === true;
  }

  /** A session has ended between requests: the client has to learn that, or to begin another. */
  #sessionOver(pin: Pin): void {
    const { users, handshake, upstream } = pin;
    if (handshake) this.#torn = true;
    if (users.size === 0 && !handshake && this.#pins.length > 0) {
      // Other sessions go on. Without this one the origin asks the client to authenticate anew.
      return;
    }
    (this.#lost ??= []).push(upstream);
    for (const user of [...users]) user.pinLost();
    this.#client.drain(this.#turn.now, 0);
  }

  /** Their endpoints are out of use: what is under way is finished, then the client's connection ends. */
  drain(endpoints: ReadonlySet<Endpoint>): void {
    const theirs = this.#pins.filter(({ endpoint }) => endpoints.has(endpoint));
    if (theirs.length === 0) return;
    this.#client.drain(this.#turn.now, DRAIN_IDLE_MS);
    for (const pin of theirs) this.#releaseStuck(pin);
  }

  /** The time of those endpoints is up. A request under way is its exchange's to end. */
  cut(endpoints: ReadonlySet<Endpoint>): void {
    for (const pin of this.#pins.filter(({ resting, endpoint }) => resting && endpoints.has(endpoint))) {
      this.#retire(pin);
      this.#sessionOver(pin);
    }
  }

  /** DownstreamCompanion: no request comes on the client's connection any more. */
  clientDone(): void {
    this.#ended = true;
    for (const pin of this.#pins.filter(({ resting }) => resting)) this.#retire(pin);
  }

  #retire(pin: Pin): void {
    pin.connection.retire();
    this.#remove(pin);
  }

  #remove(pin: Pin): void {
    this.#pins.splice(this.#pins.indexOf(pin), 1);
    pin.endpoint.pinned--;
    if (pin.resting) pin.endpoint.pinnedIdle--;
  }

  #pinOf(connection: UpstreamPeer): Pin | undefined {
    return this.#pins.find((pin) => pin.connection === connection);
  }
}
