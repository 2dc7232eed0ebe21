/**
 * Requests that wait for a connection, oldest first. A request that comes back for a retry takes the
 * place its arrival gives it, unless it has gone wrong too often: such ones stand behind all others, in the same order.
 */

import type { UpstreamPeer, UpstreamStream } from "../http/upstream_stream.ts";
import type { Endpoint } from "./endpoint.ts";
import type { TimedWait } from "./hold_clock.ts";
import type { Chooser } from "./policy.ts";
import type { Repeatable } from "./repeatable.ts";
import type { WaitFailure } from "./wait_failure.ts";

/** Where a request is in the room, and how long: belongs to the room and its clock. */
export abstract class RoomPlace implements TimedWait {
  enteredAt = -1;
  heldAtEntry = 0;
  outage = 0;
  inRoom = false;
  roomBefore: Waiter | null = null;
  roomAfter: Waiter | null = null;
}

/** A request in the room. */
export interface Waiter extends RoomPlace, Repeatable, Chooser {
  /** Monotonic milliseconds of the request's arrival; decides the order and the deadline. */
  readonly arrivedAt: number;
  /** The only connection that will do, which waits for it: see pins.ts. Does not change while it is in the room. */
  readonly ownConnection: UpstreamPeer | null;
  /** Only a newly opened connection will do. */
  readonly wantsFresh: boolean;
  /** Bytes of this request have been sent before. Does not change while it is in the room. */
  readonly isRetry: boolean;
  /** It goes after all that do not. Does not change while it is in the room. */
  readonly goesLast: boolean;
  /**
   * Milliseconds for which a connection must have stood open unused before it is given to this one; 0 = any will do. One
   * that does not go last takes a connection of an endpoint that is up at once. See probation.ts. Does not change while
   * it is in the room.
   */
  readonly probationMs: number;
  /** Hash of what it is balanced by; null = by nothing. See policy.ts. */
  readonly balanceKey: number | null;
  /** It has had a connection before: it is not turned away for want of room. */
  readonly admitted: boolean;
  /** A stream is in hand; the waiter has left the room. */
  streamReady(stream: UpstreamStream, endpoint: Endpoint): void;
  /** The wait is over without one; the waiter has left the room. */
  waitFailed(failure: WaitFailure, detail: string): void;
}

/** A request that asks for the first time: most find a connection at rest, and never wait. */
export interface StreamRequest extends Repeatable, Pick<Waiter, "balanceKey"> {
  /** It has to wait. */
  waiter(): Waiter;
}

/** Which connections are for a waiter, where each goes to one endpoint only. */
export interface WaiterFilter {
  suits(waiter: Waiter, endpoint: Endpoint): boolean;
  /** The endpoint that it goes to; null = any, or none can be reached. */
  wantedBy(waiter: Waiter): Endpoint | null;
  /** Whether a slot of `endpoint` may help it. */
  mayUse(waiter: Waiter, endpoint: Endpoint): boolean;
}

export class WaitingRoom {
  #oldest: Waiter | null = null;
  #newest: Waiter | null = null;
  /** The oldest of those that go last. */
  #rear: Waiter | null = null;
  #size = 0;
  #retries = 0;
  #owners = 0;
  #suspects = 0;
  /** Those that have a key. */
  #keyed = 0;
  /** Null unless each key has one endpoint. */
  filter: WaiterFilter | null = null;
  /** Endpoints of the connections that owners wait for. */
  readonly #awaited = new Set<Endpoint>();
  /** Called when the last one has left. */
  emptied: () => void = () => {};

  get size(): number {
    return this.#size;
  }

  /** Those among them that have been sent before. */
  get retries(): number {
    return this.#retries;
  }

  /** Those that wait for a connection of their own. */
  get owners(): number {
    return this.#owners;
  }

  /** Those that want a connection which has stood open for a while. */
  get suspects(): number {
    return this.#suspects;
  }

  /** Those that have a key. */
  get keyed(): number {
    return this.#keyed;
  }

  /** Endpoints of which a slot is needed for a connection of a waiter's own: no other endpoint's will do. */
  get awaited(): ReadonlySet<Endpoint> {
    return this.#awaited;
  }

  /** How many a slot of `endpoint` would help. */
  sizeFor(endpoint: Endpoint): number {
    const { filter } = this;
    if (filter === null || this.#keyed === 0) return this.#size - this.#owners + endpoint.awaited;
    let size = endpoint.awaited;
    for (let waiter = this.#oldest; waiter !== null; waiter = waiter.roomAfter) {
      if (waiter.ownConnection === null && filter.mayUse(waiter, endpoint)) size++;
    }
    return size;
  }

  /** Arrival of the oldest waiter that a slot of `endpoint` would help, monotonic milliseconds; Infinity when there is none. */
  arrivedFor(endpoint: Endpoint): number {
    let waiter = this.#oldest;
    while (waiter !== null && !this.#isHelped(waiter, endpoint)) waiter = waiter.roomAfter;
    return waiter === null ? Infinity : waiter.arrivedAt;
  }

  #isHelped(waiter: Waiter, endpoint: Endpoint): boolean {
    if (waiter.ownConnection !== null) return waiter.ownConnection.owner === endpoint;
    return waiter.balanceKey === null || this.filter === null || this.filter.mayUse(waiter, endpoint);
  }

  /** The one that goes first. */
  get oldest(): Waiter | null {
    return this.#oldest;
  }

  /**
   * The oldest one that a new connection of `endpoint` is for.
   *
   * @param retries also those may go that have been sent before
   * @param provided number of suspects that are provided for
   * @param keyed where each request has an endpoint of its own
   */
  next(
    endpoint: Endpoint,
    retries: boolean,
    provided: number,
    keyed: WaiterFilter | null = null,
  ): Waiter | null {
    let left = provided;
    for (let waiter = this.#oldest; waiter !== null; waiter = waiter.roomAfter) {
      if (waiter.ownConnection !== null || (waiter.isRetry && !retries)) continue;
      if (waiter.avoids?.(endpoint) === true || keyed?.suits(waiter, endpoint) === false) continue;
      if (waiter.probationMs === 0 || left-- <= 0) return waiter;
    }
    return null;
  }

  /** The oldest suspect that wants no longer probation than that; null when there is none. */
  suspect(mostMs: number): Waiter | null {
    if (this.#suspects === 0) return null;
    let waiter = this.#oldest;
    while (waiter !== null && (waiter.probationMs === 0 || waiter.probationMs > mostMs)) {
      waiter = waiter.roomAfter;
    }
    return waiter;
  }

  /** The first of the waiters that go last. */
  get rear(): Waiter | null {
    return this.#rear;
  }

  /** How long the oldest ones have waited, oldest first; at most `most` of them. Milliseconds. */
  waits(now: number, most: number): number[] {
    const waits: number[] = [];
    for (
      let waiter = this.#oldest;
      waiter !== this.#rear && waits.length < most;
      waiter = waiter?.roomAfter ?? null
    ) {
      if (waiter !== null) waits.push(Math.max(0, now - waiter.arrivedAt));
    }
    for (
      let waiter = this.#rear, left = most;
      waiter !== null && left > 0;
      waiter = waiter.roomAfter, left--
    ) {
      waits.push(Math.max(0, now - waiter.arrivedAt));
    }
    return this.#rear === null ? waits : waits.sort((one, other) => other - one).slice(0, most);
  }

  /** All of them as they are now, in their order. */
  list(): Waiter[] {
    const waiters: Waiter[] = [];
    for (let waiter = this.#oldest; waiter !== null; waiter = waiter.roomAfter) waiters.push(waiter);
    return waiters;
  }

  /**
   * When the wait that ends first does; Infinity when the room is empty. Of those that have entered but once the order is that
   * of their arrival, so that the first of them is enough.
   */
  firstEnd(endOf: (waiter: Waiter) => number): number {
    let first = Infinity;
    for (let waiter = this.#oldest; waiter !== null; waiter = waiter.roomAfter) {
      first = Math.min(first, endOf(waiter));
      if (!cameBack(waiter)) break;
    }
    for (let waiter = this.#rear; waiter !== null; waiter = waiter.roomAfter) {
      first = Math.min(first, endOf(waiter));
    }
    return first;
  }

  /** Lets those leave whose wait is over, in their order. @param failed told of each when it has left */
  endDue(isDue: (waiter: Waiter) => boolean, failed: (waiter: Waiter) => void): void {
    const due: Waiter[] = [];
    for (let waiter = this.#oldest; waiter !== null && waiter !== this.#rear; waiter = waiter.roomAfter) {
      if (isDue(waiter)) due.push(waiter);
      else if (!cameBack(waiter)) break;
    }
    for (let waiter = this.#rear; waiter !== null; waiter = waiter.roomAfter) {
      if (isDue(waiter)) due.push(waiter);
    }
    for (const waiter of due) {
      // What another failure has led to may have changed the room.
      if (!waiter.inRoom || !isDue(waiter)) continue;
      this.leave(waiter);
      failed(waiter);
    }
  }

  /** Constant time for a new arrival. */
  enter(waiter: Waiter): void {
    const rear = this.#rear;
    const end = waiter.goesLast ? null : rear;
    const last = end === null ? this.#newest : end.roomBefore;
    let after = end;
    if (last !== null && !precedes(last, waiter)) {
      after = waiter.goesLast ? rear : this.#oldest;
      while (after !== null && precedes(after, waiter)) after = after.roomAfter;
    }
    if (waiter.goesLast && after === rear) this.#rear = waiter;
    const before = after === null ? this.#newest : after.roomBefore;
    waiter.inRoom = true;
    waiter.roomBefore = before;
    waiter.roomAfter = after;
    if (before === null) this.#oldest = waiter;
    else before.roomAfter = waiter;
    if (after === null) this.#newest = waiter;
    else after.roomBefore = waiter;
    this.#size++;
    if (waiter.isRetry) this.#retries++;
    if (waiter.probationMs > 0) this.#suspects++;
    if (waiter.balanceKey !== null) this.#keyed++;
    if (waiter.ownConnection !== null) this.#await(waiter.ownConnection, 1);
  }

  /** Constant time. Nothing when the waiter is not in the room. */
  leave(waiter: Waiter): void {
    if (!waiter.inRoom) return;
    const before = waiter.roomBefore;
    const after = waiter.roomAfter;
    if (waiter === this.#rear) this.#rear = after;
    if (before === null) this.#oldest = after;
    else before.roomAfter = after;
    if (after === null) this.#newest = before;
    else after.roomBefore = before;
    waiter.inRoom = false;
    waiter.roomBefore = null;
    waiter.roomAfter = null;
    if (waiter.isRetry) this.#retries--;
    if (waiter.probationMs > 0) this.#suspects--;
    if (waiter.balanceKey !== null) this.#keyed--;
    if (waiter.ownConnection !== null) this.#await(waiter.ownConnection, -1);
    if (--this.#size === 0) this.emptied();
  }

  #await(connection: UpstreamPeer, more: 1 | -1): void {
    // The cast: upstreams give out connections of their endpoints and no others.
    const endpoint = connection.owner as Endpoint;
    this.#owners += more;
    endpoint.awaited += more;
    if (endpoint.awaited === 0) this.#awaited.delete(endpoint);
    else this.#awaited.add(endpoint);
  }
}

/** Only a waiter that has come back may have more time left than later ones. */
function cameBack({ enteredAt, arrivedAt }: Waiter): boolean {
  return enteredAt !== arrivedAt;
}

function precedes(one: Waiter, other: Waiter): boolean {
  return one.goesLast === other.goesLast ? one.arrivedAt <= other.arrivedAt : other.goesLast;
}
