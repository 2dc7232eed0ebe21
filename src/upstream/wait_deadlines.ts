/** Ends waits of an upstream that have lasted too long. How long each may last is decided in hold_clock.ts. */

import { Timed } from "../time/deadline_queue.ts";
import type { Turn } from "../time/turn.ts";
import type { Admission } from "./admission.ts";
import type { Availability } from "./availability.ts";
import type { WaitFailure } from "./wait_failure.ts";
import type { Waiter, WaitingRoom } from "./waiting_room.ts";

/** The requests that do not wait. */
export interface RequestsInFlight {
  readonly inFlight: number;
  /** Requests have left the room without a connection. */
  roomShrank(): void;
}

/** One deadline for all in the room: that of the wait that ends first. */
export class WaitDeadlines extends Timed {
  readonly #turn: Turn;
  readonly #room: WaitingRoom;
  readonly #admission: Admission;
  readonly #availability: Availability;
  readonly #requests: RequestsInFlight;

  constructor(
    turn: Turn,
    room: WaitingRoom,
    admission: Admission,
    availability: Availability,
    requests: RequestsInFlight,
  ) {
    super();
    this.#turn = turn;
    this.#room = room;
    this.#availability = availability;
    this.#admission = admission;
    this.#requests = requests;
  }

  #endOf(waiter: Waiter, now: number): number {
    return this.#availability.endOfWait(waiter, now, this.#admission.awaitsHandover);
  }

  /** `waiter` has entered the room. */
  entered(waiter: Waiter, now: number): void {
    const end = this.#endOf(waiter, now);
    if (end < this.deadlineAt) this.#turn.deadlines.set(this, end);
  }

  /** Waits may last longer or shorter than before. */
  moved(now: number): void {
    this.#turn.deadlines.set(this, this.#room.firstEnd((waiter) => this.#endOf(waiter, now)));
  }

  override expired(): void {
    this.#turn.begin();
    const { now } = this.#turn;
    this.#room.endDue((waiter) => this.#endOf(waiter, now) <= now, (waiter) => {
      const held = this.#availability.heldBecause;
      if (held !== null) waiter.waitFailed("hold_timeout", held);
      else {
        const detail = `${this.#requests.inFlight} requests in flight, ${this.#room.size} waiting`;
        waiter.waitFailed("queue_timeout", detail);
      }
    });
    this.#requests.roomShrank();
    this.moved(now);
    this.#turn.end();
  }

  /** Ends all waits, except that a request with a connection of its own does not wait for dials. */
  failAll(failure: WaitFailure, detail: string): void {
    // A request that enters meanwhile was not there when it failed.
    for (const waiter of this.#room.list()) {
      if (!waiter.inRoom || (waiter.ownConnection !== null && failure !== "shutting_down")) continue;
      this.#room.leave(waiter);
      waiter.waitFailed(failure, detail);
    }
  }

  stop(): void {
    this.#turn.deadlines.remove(this);
  }
}
