/**
 * Connections of an upstream from the dial until a request or the pool has them.
 *
 * A dial belongs to no request: the connection that it opens goes to the request that has waited longest and may go. A
 * request that was lost with another connection may want it to stand open for a while first (probation.ts). Connections
 * for which there is no use now go to the pool.
 */

import type { Runtime, SocketError } from "../../runtime/contract/contract.ts";
import type { Connector } from "../client/connector.ts";
import type { UpstreamPeer } from "../http/upstream_stream.ts";
import { Alarm } from "../time/alarm.ts";
import type { Turn } from "../time/turn.ts";
import type { Availability } from "./availability.ts";
import { Dialer } from "./dialer.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointSet } from "./endpoint_set.ts";
import { KeyedDials } from "./keyed_dials.ts";
import { isKeyed, type Policy } from "./policy.ts";
import { Probation } from "./probation.ts";
import type { UpstreamSettings } from "./upstream_settings.ts";
import type { Waiter, WaitingRoom } from "./waiting_room.ts";

/** While requests wait, endpoints not trusted with more connections, and those under probation, are looked at this often. */
const CHECK_MS = 5;

/** Gives connections to requests. */
export interface ConnectionUser {
  /** Requests may be sent that have been sent before. */
  retriesAllowed(): boolean;
  /** `waiter`, which is in the room, gets a stream of the connection. */
  give(connection: UpstreamPeer, endpoint: Endpoint, waiter: Waiter): void;
  /** A dial has failed: every request that waits for one fails with it. */
  failAll(error: SocketError): void;
  /** A dial is over, however it went. */
  dialOver(): void;
  /** Requests may have become able to go. */
  serveWaiting(): void;
}

export class NewConnections {
  settings: UpstreamSettings;
  #keyed: KeyedDials | null = null;
  readonly #turn: Turn;
  readonly #endpoints: EndpointSet;
  readonly #availability: Availability;
  readonly #room: WaitingRoom;
  readonly #user: ConnectionUser;
  readonly #dialer: Dialer;
  readonly #probation: Probation;
  /** Looks at endpoints that are not trusted with more connections, and at connections under probation. */
  readonly #check: Alarm;
  #stopped = false;

  constructor(
    runtime: Runtime,
    connector: Connector,
    settings: UpstreamSettings,
    endpoints: EndpointSet,
    availability: Availability,
    room: WaitingRoom,
    user: ConnectionUser,
  ) {
    const { turn } = connector;
    this.settings = settings;
    this.#turn = turn;
    this.#endpoints = endpoints;
    this.#availability = availability;
    this.#room = room;
    this.#user = user;
    this.#dialer = new Dialer(runtime, connector, {
      opened: (endpoint, connection) => this.#opened(endpoint, connection),
      failed: (endpoint, error) => this.#dialFailed(endpoint, error),
      mayWait: (endpoint) => this.#nextWaiter(endpoint)?.repeatable !== true,
    });
    this.#probation = new Probation(turn, this.#dialer, room, {
      retriesAllowed: () => user.retriesAllowed(),
      proved: (connection, waiter) => this.#give(connection, connection.owner as Endpoint, waiter),
      needless: (connection) => {
        const endpoint = connection.owner as Endpoint;
        this.#place(connection, endpoint, this.#nextWaiter(endpoint));
      },
      dropped: (endpoint, error) => this.#dialFailed(endpoint, error),
    });
    this.#check = new Alarm(runtime.clock, CHECK_MS, () => this.#lookAgain());
  }

  /** Requests are given endpoints by `policy` from now on. @returns it */
  use(policy: Policy): Policy {
    this.#keyed = isKeyed(policy) ? new KeyedDials(policy, (endpoint) => this.dial(endpoint)) : null;
    this.#room.filter = this.#keyed;
    return policy;
  }

  /** Null unless each request has an endpoint of its own. */
  get keyed(): KeyedDials | null {
    return this.#keyed;
  }

  /** Dials under way. */
  get dialing(): number {
    return this.#dialer.dialing;
  }

  /** Those of them that requests may count on. */
  get expected(): number {
    return this.#dialer.expected;
  }

  /** Requests that their connections will carry, as far as is known. */
  get expectedStreams(): number {
    return this.#dialer.expectedStreams;
  }

  dial(endpoint: Endpoint): void {
    this.#dialer.dial(endpoint, this.settings.connectTimeoutMs, this.settings.limits);
  }

  /** No endpoint is trusted with one more connection, and requests wait: they are served again in a moment. */
  checkSoon(): void {
    this.#check.set();
  }

  /** Gives connections whose probation is over to the requests that wanted them. */
  serveProved(): void {
    this.#probation.serve();
  }

  #opened(endpoint: Endpoint, connection: UpstreamPeer): void {
    connection.endpointAnswers = endpoint.answered;
    if (this.#stopped || !endpoint.enabled) {
      connection.drop();
      this.#user.serveWaiting();
      this.#turn.end();
      return;
    }
    this.#availability.dialSucceeded(endpoint);
    endpoint.ramp.opened(connection, connection.openedAt);
    this.#place(connection, endpoint, this.#nextWaiter(endpoint));
    this.#user.dialOver();
    this.#turn.end();
  }

  #dialFailed(endpoint: Endpoint, error: SocketError): void {
    if (this.#stopped) return;
    if (this.#availability.dialFailed(endpoint, error)) this.#user.failAll(error);
    this.#user.dialOver();
    this.#turn.end();
  }

  /** A connection that has not been used yet goes to `waiter`, be it after a time, or to the pool. */
  #place(connection: UpstreamPeer, endpoint: Endpoint, waiter: Waiter | null): void {
    const ms = waiter === null ? 0 : this.#probation.msFor(connection, endpoint, waiter);
    // A suspect that may not go yet has use for it later.
    const suspectsLeft = this.#probation.size < this.#room.suspects;
    if (ms > 0 || (waiter === null && !this.#availability.paused && suspectsLeft)) {
      this.#probation.begin(connection, endpoint, ms);
      this.#check.set();
    } else if (waiter === null) {
      this.restRamp(endpoint);
      endpoint.rest(connection, this.#turn.now);
    } else this.#give(connection, endpoint, waiter);
  }

  #give(connection: UpstreamPeer, endpoint: Endpoint, waiter: Waiter): void {
    const several = connection.freeStreams > 1;
    if (several) endpoint.pool.share(connection);
    this.#user.give(connection, endpoint, waiter);
    if (several) this.#fill(connection, endpoint);
  }

  /** A new connection that carries several streams goes to others who wait as well, as long as there are slots. */
  #fill(connection: UpstreamPeer, endpoint: Endpoint): void {
    const { slotLimit } = endpoint;
    while (!this.#stopped && endpoint.enabled && endpoint.taken < slotLimit) {
      // An older request that must go on a connection of its own has a right to a slot that is free.
      if (slotLimit !== Infinity && this.#room.owners > 0) return;
      const waiter = this.#nextWaiter(endpoint);
      if (waiter === null || this.#probation.msFor(connection, endpoint, waiter) > 0) return;
      if (!endpoint.pool.takeFrom(connection)) return;
      this.#user.give(connection, endpoint, waiter);
    }
  }

  /** The oldest one that may go now and is not provided for by a connection under probation. */
  #nextWaiter(endpoint: Endpoint): Waiter | null {
    if (this.#availability.paused) return null;
    return this.#room.next(endpoint, this.#user.retriesAllowed(), this.#probation.size, this.#keyed);
  }

  #lookAgain(): void {
    this.#turn.begin();
    this.#probation.endNeedless();
    if (this.#room.size > 0) {
      this.#endpoints.ramps.step(this.#turn.now);
      this.#user.serveWaiting();
    }
    if (this.#probation.size > 0) this.#check.set();
    this.#turn.end();
  }

  /** A request to `endpoint` has ended, or was not to be: its connection ramp rests when nothing else is under way. */
  restRamp(endpoint: Endpoint): void {
    if (endpoint.taken === 0 && this.#room.size === 0) endpoint.ramp.rest();
  }

  /** Drops connections that are opened or proved from now on. */
  stop(): void {
    this.#stopped = true;
    this.#dialer.stop();
    this.#probation.clear();
    this.#check.cancel();
  }
}
