/**
 * The slots of endpoints with `max_in_flight` that this process holds, when several processes share them.
 * A `SlotSource` outside hands slots out; this decides when to ask for more, and which to give
 * back. It is all about endpoints whose limit is shared: others never get here.
 *
 * A slot goes to the process whose oldest request has waited longest. So a process that is asked for slots gives
 * what lies free at once, and of what becomes free later whatever its own requests do not deserve more.
 */

import type { Endpoint } from "./endpoint.ts";
import { CandidateList } from "./candidate_list.ts";

/** Where slots of an upstream's endpoints come from and go to. Both calls only send a message: nothing happens inside. */
export interface SlotSource {
  /**
   * So many more slots would be used now. Replaces what was said before of this endpoint; 0 takes it back.
   *
   * @param waitedMs how long the oldest request has waited
   */
  want(upstream: string, endpoint: Endpoint, count: number, waitedMs: number): void;
  /** Slots are given back: nothing of ours is open on them any more. */
  give(upstream: string, endpoint: Endpoint, count: number): void;
}

/** What is wanted. */
export interface Demand {
  /** Requests that could go anywhere, for which there is neither a connection nor a dial. */
  readonly unserved: number;
  readonly room: Room;
}

/** All waiters: owners, which only a slot of one endpoint helps, and others. See waiting_room.ts. */
export interface Room {
  readonly owners: number;
  readonly awaited: ReadonlySet<Endpoint>;
  sizeFor(endpoint: Endpoint): number;
  arrivedFor(endpoint: Endpoint): number;
}

/**
 * Requests of two processes that arrived within this time count as equally old. Without it a slot would
 * change hands with every request, which costs two messages and a new connection each time.
 */
const SAME_AGE_MS = 10;

/**
 * Endpoints of which something is said in one go at most. What is left over is said when the next request
 * comes or goes, or when the caller's timer fires: a request must not wait for thousands of messages.
 */
const SAID_AT_ONCE = 16;

/** What has been said about one endpoint. */
interface Talk {
  readonly endpoint: Endpoint;
  asked: number;
  /** Where it stands in the list of those that ask, while `asked` is not 0. */
  place: number;
  askedArrivedAt: number;
  /** Arrival of the oldest request elsewhere that waits for a slot of ours. */
  recallArrivedAt: number;
}

export class SlotShare {
  readonly #source: SlotSource;
  #upstream: string;
  #talks = new Map<Endpoint, Talk>();
  /** Those of endpoints for which more is asked; looked at in turn. */
  #asking: Talk[] = [];
  #nextAsking = 0;
  /** Endpoints for which nothing is asked, although all slots that we have are taken and there are more. */
  #full = new CandidateList([], () => false);
  /** Endpoints of which something lies free that others wait for; looked at in turn. */
  #yielding = new CandidateList([], () => false);
  #nextYielding = 0;

  /** @param upstream the name of the upstream whose endpoints these are */
  constructor(source: SlotSource, upstream: string, endpoints: readonly Endpoint[]) {
    this.#source = source;
    this.#upstream = upstream;
    this.share(endpoints);
  }

  /** The upstream has another name. */
  rename(upstream: string): void {
    this.#upstream = upstream;
  }

  /** Slots of an endpoint that is not among those that are shared any more go back. */
  give(endpoint: Endpoint, count: number): void {
    this.#source.give(this.#upstream, endpoint, count);
  }

  /** These are shared from now on, as far as they have a limit; what was said of those that stay still counts. */
  share(endpoints: readonly Endpoint[]): void {
    const before = this.#talks;
    this.#talks = new Map();
    for (const endpoint of endpoints) {
      if (endpoint.settings.maxInFlight === 0) continue;
      const talk = before.get(endpoint) ??
        { endpoint, asked: 0, place: 0, askedArrivedAt: 0, recallArrivedAt: Infinity };
      this.#talks.set(endpoint, talk);
    }
    const shared = [...this.#talks.keys()];
    this.#asking = [...this.#talks.values()].filter(({ asked }) => asked > 0);
    this.#asking.forEach((talk, place) => talk.place = place);
    this.#full = new CandidateList(
      shared,
      (endpoint) => usable(endpoint, 1) > 0 && this.#talks.get(endpoint)?.asked === 0,
    );
    this.#yielding = new CandidateList(
      shared,
      (endpoint) => endpoint.recalled > 0 && endpoint.slotLimit > endpoint.taken,
    );
  }

  /**
   * Tells what would be used on top of what is held, if that has changed.
   * @returns false when there is more to tell: call again soon
   */
  ask(demand: Demand, now: number): boolean {
    const { unserved, room } = demand;
    if (unserved <= 0 && room.owners === 0 && this.#asking.length === 0) return true;
    for (let left = Math.min(this.#asking.length, SAID_AT_ONCE); left > 0; left--) {
      if (this.#nextAsking >= this.#asking.length) this.#nextAsking = 0;
      const talk = this.#asking[this.#nextAsking] as Talk;
      const count = usable(talk.endpoint, anywhereFor(talk.endpoint, demand));
      const moved = Math.abs(talk.askedArrivedAt - room.arrivedFor(talk.endpoint)) > SAME_AGE_MS;
      // More of them is no news while nothing was granted; that the oldest is another one is.
      if (count === 0 || moved) this.#want(talk, count, demand, now);
      if (talk.asked > 0) this.#nextAsking++;
    }
    if (room.owners > 0 && !this.#askForOwners(demand, now)) return false;
    if (unserved <= 0) return this.#asking.length <= room.awaited.size;
    return this.#asking.length === this.#talks.size || this.#askMore(demand, now);
  }

  #askForOwners(demand: Demand, now: number): boolean {
    let left = SAID_AT_ONCE;
    for (const endpoint of demand.room.awaited) {
      const talk = this.#talks.get(endpoint);
      const count = talk?.asked === 0 ? usable(endpoint, anywhereFor(endpoint, demand)) : 0;
      if (talk === undefined || count === 0) continue;
      if (left-- === 0) return false;
      this.#want(talk, count, demand, now);
    }
    return true;
  }

  #askMore(demand: Demand, now: number): boolean {
    const full = this.#full;
    let left = SAID_AT_ONCE;
    for (let index = 0; index < full.size;) {
      const { size } = full;
      const endpoint = full.look(index);
      if (endpoint !== null) {
        const count = usable(endpoint, anywhereFor(endpoint, demand));
        if (count > 0 && left-- === 0) return false;
        if (count > 0) this.#want(this.#talks.get(endpoint) as Talk, count, demand, now);
      }
      if (full.size === size) index++;
    }
    return true;
  }

  /** Slots that other processes have of endpoints that can be used, counted up to `most`. */
  elsewhere(most: number): number {
    let count = 0;
    for (const { endpoint } of this.#asking) {
      if (count >= most) return most;
      count += usable(endpoint, most);
    }
    const full = this.#full;
    for (let index = 0; index < full.size && count < most;) {
      const { size } = full;
      const endpoint = full.look(index);
      if (endpoint !== null) count += usable(endpoint, most);
      if (full.size === size) index++;
    }
    return Math.min(count, most);
  }

  #want(talk: Talk, count: number, demand: Demand, now: number): void {
    this.#setAsked(talk, count);
    talk.askedArrivedAt = demand.room.arrivedFor(talk.endpoint);
    const waitedMs = count === 0 ? 0 : Math.max(0, now - talk.askedArrivedAt);
    this.#source.want(this.#upstream, talk.endpoint, count, waitedMs);
  }

  /** More slots have come. The caller serves its room next. */
  granted(endpoint: Endpoint, count: number): void {
    const talk = this.#talks.get(endpoint);
    if (talk === undefined) {
      this.give(endpoint, count);
      return;
    }
    // One of an upstream that is gone keeps it for the requests that wait there; unused slots are given back later.
    endpoint.slotLimit += count;
    this.#setAsked(talk, Math.max(0, talk.asked - count));
  }

  /** Others wait for slots of ours. Replaces what was said before; a count of 0 takes it back. */
  recall(endpoint: Endpoint, count: number, arrivedAt: number): void {
    const talk = this.#talks.get(endpoint);
    if (talk === undefined) return;
    endpoint.recalled = count;
    talk.recallArrivedAt = arrivedAt;
  }

  /**
   * Gives back what is free, was asked for, and is not better used here.
   * @returns true when that was something: who still waits here has to ask anew
   */
  yieldSlots(endpoint: Endpoint, demand: Demand): boolean {
    const talk = this.#talks.get(endpoint);
    if (talk === undefined) return false;
    const { room } = demand;
    const ours = room.arrivedFor(endpoint) <= talk.recallArrivedAt + SAME_AGE_MS
      ? demandOf(endpoint, room.sizeFor(endpoint) - endpoint.awaited)
      : 0;
    const free = endpoint.slotLimit - endpoint.taken;
    const count = Math.min(endpoint.recalled, free - ours);
    if (count <= 0) return false;
    endpoint.slotLimit -= count;
    endpoint.recalled -= count;
    // To a backend that takes N connections an idle one counts: it goes before its slot does.
    while (endpoint.pool.size > 0 && endpoint.used > endpoint.slotLimit) endpoint.pool.retireOldest();
    this.#source.give(this.#upstream, endpoint, count);
    return true;
  }

  /** The same for all endpoints. Those that were not looked at are next time. */
  yieldAll(demand: Demand): { readonly gave: boolean; readonly all: boolean } {
    const all = this.#yielding.size <= SAID_AT_ONCE;
    let gave = false;
    for (let left = Math.min(this.#yielding.size, SAID_AT_ONCE); left > 0; left--) {
      const { size } = this.#yielding;
      if (this.#nextYielding >= size) this.#nextYielding = 0;
      const endpoint = this.#yielding.look(this.#nextYielding);
      if (this.#yielding.size === size) this.#nextYielding++;
      if (endpoint !== null && this.yieldSlots(endpoint, demand)) gave = true;
    }
    return { gave, all };
  }

  #setAsked(talk: Talk, count: number): void {
    const before = talk.asked;
    talk.asked = count;
    if (before === 0 && count > 0) {
      talk.place = this.#asking.length;
      this.#asking.push(talk);
    } else if (before > 0 && count === 0) {
      const last = this.#asking.pop() as Talk;
      last.place = talk.place;
      if (last !== talk) this.#asking[talk.place] = last;
      // It may be full still, or again.
      talk.endpoint.changed();
    }
  }
}

/** Most slots on top of those in use that `anywhere` requests that could go anywhere, and those that must go here, could use. */
function demandOf(endpoint: Endpoint, anywhere: number): number {
  if (!endpoint.enabled) return endpoint.awaited;
  // One that is down is asked by one dial at a time.
  const dials = endpoint.state === "down" ? Math.max(0, 1 - endpoint.dialing) : Infinity;
  return Math.min(anywhere, dials) + endpoint.awaited;
}

/** How many of the unserved requests could go to `endpoint`: those with a key have one that they go to. */
function anywhereFor(endpoint: Endpoint, { unserved, room }: Demand): number {
  return Math.min(unserved, room.sizeFor(endpoint) - endpoint.awaited);
}

/** How many slots more than it has `endpoint` could use for those that must go there and `unserved` others. */
function usable(endpoint: Endpoint, unserved: number): number {
  if (endpoint.slotLimit > endpoint.taken) return 0;
  const obtainable = endpoint.settings.maxInFlight - endpoint.slotLimit;
  return Math.max(0, Math.min(obtainable, demandOf(endpoint, Math.max(0, unserved))));
}
