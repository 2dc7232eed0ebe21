/**
 * Requests that wait for a connection, oldest first. A request that comes back for a retry takes the
 * place its arrival gives it.
 */

import type { UpstreamConnection } from "../conn/upstream_connection.ts";
import type { Endpoint } from "./endpoint.ts";
import type { TimedWait } from "./hold_clock.ts";
import type { WaitFailure } from "./upstream.ts";

/** A request in the room. The links belong to the room. */
export interface Waiter extends TimedWait {
  /** Monotonic milliseconds of the request's arrival; decides the order and the deadline. */
  readonly arrivedAt: number;
  /** The only connection that will do, which waits for it: see pins.ts. Does not change while it is in the room. */
  readonly ownConnection: UpstreamConnection | null;
  /** Only a newly opened connection will do. */
  readonly wantsFresh: boolean;
  /** Bytes of this request have been sent before. Does not change while it is in the room. */
  readonly isRetry: boolean;
  /** It may be sent again if a connection closes without an answer. */
  readonly repeatable: boolean;
  /** It has had a connection before: it is not turned away for want of room. */
  readonly admitted: boolean;
  inRoom: boolean;
  roomBefore: Waiter | null;
  roomAfter: Waiter | null;
  /** A connection is in hand; the waiter has left the room. */
  connectionReady(connection: UpstreamConnection, endpoint: Endpoint): void;
  /** The wait is over without one; the waiter has left the room. */
  waitFailed(failure: WaitFailure, detail: string): void;
}

export class WaitingRoom {
  #oldest: Waiter | null = null;
  #newest: Waiter | null = null;
  #size = 0;
  #retries = 0;
  #owners = 0;
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

  get oldest(): Waiter | null {
    return this.#oldest;
  }

  /** How long the oldest ones have waited, oldest first; at most so many. Milliseconds. */
  waits(now: number, most: number): number[] {
    const waits: number[] = [];
    for (let waiter = this.#oldest; waiter !== null && waits.length < most; waiter = waiter.roomAfter) {
      waits.push(Math.max(0, now - waiter.arrivedAt));
    }
    return waits;
  }

  /** All of them, oldest first, as they are now. */
  list(): Waiter[] {
    const waiters: Waiter[] = [];
    for (let waiter = this.#oldest; waiter !== null; waiter = waiter.roomAfter) waiters.push(waiter);
    return waiters;
  }

  /** When the wait that ends first does; Infinity when nobody waits. */
  firstEnd(endOf: (waiter: Waiter) => number): number {
    let first = Infinity;
    for (let waiter = this.#oldest; waiter !== null; waiter = waiter.roomAfter) {
      first = Math.min(first, endOf(waiter));
      if (!cameBack(waiter)) break;
    }
    return first;
  }

  /** Lets those leave whose wait is over, oldest first. @param failed told of each when it has left */
  endDue(isDue: (waiter: Waiter) => boolean, failed: (waiter: Waiter) => void): void {
    for (let waiter = this.#oldest; waiter !== null;) {
      const next: Waiter | null = waiter.roomAfter;
      const due = isDue(waiter);
      if (!due && !cameBack(waiter)) return;
      if (due) {
        this.leave(waiter);
        failed(waiter);
      }
      // What a failure has led to may have changed the room.
      waiter = next === null || next.inRoom ? next : this.#oldest;
    }
  }

  /** Constant time for a new arrival. */
  enter(waiter: Waiter): void {
    let after = this.#oldest;
    if (this.#newest !== null && this.#newest.arrivedAt <= waiter.arrivedAt) after = null;
    else while (after !== null && after.arrivedAt <= waiter.arrivedAt) after = after.roomAfter;
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
    if (waiter.ownConnection !== null) this.#owners++;
  }

  /** Constant time. Nothing when the waiter is not in the room. */
  leave(waiter: Waiter): void {
    if (!waiter.inRoom) return;
    const before = waiter.roomBefore;
    const after = waiter.roomAfter;
    if (before === null) this.#oldest = after;
    else before.roomAfter = after;
    if (after === null) this.#newest = before;
    else after.roomBefore = before;
    waiter.inRoom = false;
    waiter.roomBefore = null;
    waiter.roomAfter = null;
    if (waiter.isRetry) this.#retries--;
    if (waiter.ownConnection !== null) this.#owners--;
    if (--this.#size === 0) this.emptied();
  }
}

/** Only who has come back may have more time left than those who arrived later. */
function cameBack({ enteredAt, arrivedAt }: Waiter): boolean {
  return enteredAt !== arrivedAt;
}
