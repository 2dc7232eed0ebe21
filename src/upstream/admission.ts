/**
 * Which requests may enter the waiting room of an upstream.
 *
 * The room is bounded by the size of the queue. Requests that only wait for connections to be opened are not counted
 * against it, and neither are those for which a slot can come from another process: they do not queue for anything that
 * other requests have.
 */

import type { Availability } from "./availability.ts";
import { MOST_CAPACITY } from "./endpoint.ts";
import type { EndpointSet } from "./endpoint_set.ts";
import type { SlotTalk } from "./slot_talk.ts";
import type { UpstreamSettings } from "./upstream_settings.ts";
import type { Waiter, WaitingRoom } from "./waiting_room.ts";

/** Requests that may wait for connections being opened, whatever the size of the queue for slots. */
const MOST_OPENING = MOST_CAPACITY;

export class Admission {
  settings: UpstreamSettings;
  readonly #room: WaitingRoom;
  readonly #endpoints: EndpointSet;
  readonly #availability: Availability;
  readonly #slots: SlotTalk | null;

  constructor(
    settings: UpstreamSettings,
    room: WaitingRoom,
    endpoints: EndpointSet,
    availability: Availability,
    slots: SlotTalk | null,
  ) {
    this.settings = settings;
    this.#room = room;
    this.#endpoints = endpoints;
    this.#availability = availability;
    this.#slots = slots;
  }

  /** How many of those in the room only wait for connections to be opened, not for slots or endpoints. */
  get #opening(): number {
    return this.#availability.paused ? 0 : Math.min(MOST_OPENING, this.#endpoints.capacity);
  }

  /** Requests wait for want of endpoints or slots, not just for connections being opened. */
  get pressed(): boolean {
    return this.#availability.holding || this.#room.size > this.#opening;
  }

  /** Requests wait, without a time for queueing, for slots that other processes have. */
  get awaitsHandover(): boolean {
    return this.settings.queueTimeoutMs === 0 && this.#slots !== null && this.#opening === 0;
  }

  /** How many of those in the room wait for what it wants, and not just for connections being opened; less than 0 = there is some left. */
  #blockedBefore(waiter: Waiter, size: number): number {
    const opening = this.#opening;
    const wanted = this.#availability.paused ? null : this.#room.filter?.wantedBy(waiter) ?? null;
    if (wanted !== null) {
      const elsewhere = this.#slots === null
        ? 0
        : Math.max(0, wanted.settings.maxInFlight - wanted.slotLimit);
      return this.#room.sizeFor(wanted) - Math.min(MOST_OPENING, wanted.capacity) - elsewhere;
    }
    return size - opening - (this.#slots?.elsewhere(MOST_OPENING - opening) ?? 0);
  }

  /**
   * Turns `waiter` away if there is no room for it.
   *
   * @param inFlight requests in flight, for messages
   * @returns whether it was: it has been told then
   */
  turnsAway(waiter: Waiter, inFlight: number): boolean {
    const { queueSize, queueTimeoutMs } = this.settings;
    const { size } = this.#room;
    if (waiter.admitted || (size < queueSize && queueTimeoutMs > 0)) return false;
    const blocked = this.#blockedBefore(waiter, size);
    if (blocked >= queueSize) {
      waiter.waitFailed("queue_full", `${size} requests are waiting`);
      return true;
    }
    if (queueTimeoutMs === 0 && blocked >= 0 && !this.#availability.holding) {
      waiter.waitFailed("queue_timeout", `${inFlight} requests in flight`);
      return true;
    }
    return false;
  }
}
