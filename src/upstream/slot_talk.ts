/**
 * When slots that several processes share are asked for and given back, as requests come and go in the waiting room.
 * What is said then is decided in slot_share.ts.
 */

import type { Clock } from "../../runtime/contract/contract.ts";
import type { Turn } from "../time/turn.ts";
import { Alarm } from "../time/alarm.ts";
import type { Endpoint } from "./endpoint.ts";
import { type Demand, SlotShare, type SlotSource } from "./slot_share.ts";
import type { WaitingRoom } from "./waiting_room.ts";

/** With many endpoints not all is said about their slots at once: the pause before the rest. */
const TALK_MS = 1;

export class SlotTalk {
  readonly #share: SlotShare;
  readonly #turn: Turn;
  readonly #room: WaitingRoom;
  readonly #serve: () => void;
  /** Says what could not be said at once. */
  readonly #alarm: Alarm;

  /** @param serve gives what is free to those in the room */
  constructor(
    clock: Clock,
    turn: Turn,
    source: SlotSource,
    upstream: string,
    endpoints: readonly Endpoint[],
    room: WaitingRoom,
    serve: () => void,
  ) {
    this.#share = new SlotShare(source, upstream, endpoints);
    this.#turn = turn;
    this.#room = room;
    this.#serve = serve;
    this.#alarm = new Alarm(clock, TALK_MS, () => {
      turn.begin();
      this.roomShrank();
      if (room.size > 0) serve();
      turn.end();
    });
  }

  #demand(unserved: number): Demand {
    return { unserved, room: this.#room };
  }

  /**
   * The room has been served as far as that went.
   *
   * @param unserved requests that could go anywhere, for which there is neither a connection nor a dial
   */
  served(unserved: number, now: number): void {
    // A slot that was kept for one who could not use it yet, and has gone elsewhere, is kept for nobody.
    const { gave, all } = this.#share.yieldAll(this.#demand(0));
    const told = this.#share.ask(this.#demand(unserved), now);
    if (gave) this.#serve();
    if (!all || !told) this.#alarm.set();
  }

  /** Slots that other processes have and may give, counted up to `most`. */
  elsewhere(most: number): number {
    return this.#share.elsewhere(most);
  }

  /** A request to `endpoint` has ended: others may wait for its slot. */
  released(endpoint: Endpoint): void {
    this.#share.yieldSlots(endpoint, this.#demand(0));
  }

  /** Slots may be free for which no request of this process waits any more. */
  roomShrank(): void {
    const { gave, all } = this.#share.yieldAll(this.#demand(0));
    let told = true;
    if (this.#room.size === 0) told = this.#share.ask(this.#demand(0), this.#turn.now);
    else if (gave) this.#serve();
    if (!all || !told) this.#alarm.set();
  }

  /** More slots of `endpoint` are ours. */
  granted(endpoint: Endpoint, count: number): void {
    this.#share.granted(endpoint, count);
    if (this.#room.size > 0) this.#serve();
    else this.roomShrank();
    endpoint.freeUnneeded();
  }

  /** Requests of other processes, of which the oldest has waited for `waitedMs`, want `count` of our slots. */
  recalled(endpoint: Endpoint, count: number, waitedMs: number): void {
    this.#share.recall(endpoint, count, this.#turn.now - waitedMs);
    this.roomShrank();
  }

  /** These are the endpoints from now on. */
  share(endpoints: readonly Endpoint[]): void {
    this.#share.share(endpoints);
  }

  /** The upstream has another name. */
  rename(upstream: string): void {
    this.#share.rename(upstream);
  }

  /** Slots of an endpoint that is out of use are given back. */
  give(endpoint: Endpoint, count: number): void {
    this.#share.give(endpoint, count);
  }

  stop(): void {
    this.#alarm.cancel();
  }
}
