/**
 * One place for a stream on a connection to an endpoint that carries many: for a pool, which hands out connections as a
 * whole, it is a connection of its own. So requests share connections without anyone above knowing it.
 */

import type { PinHolder, UpstreamPeerOwner, UpstreamStream } from "../../../src/http/upstream_stream.ts";
import { Timed } from "../../../src/time/deadline_queue.ts";
import { MOST_STREAMS, type StreamPlace, type ToyUpstreamPeer } from "./toy_upstream.ts";

export class ToyLane extends Timed implements StreamPlace {
  readonly #shared: ToyUpstreamPeer;
  owner: UpstreamPeerOwner;
  readonly openedAt: number;
  idleSince: number;
  uses = 0;
  readonly keepAliveHintMs = 0;
  pinnedTo: PinHolder | null = null;
  connectMs = 0;
  endpointAnswers = 0;
  rested = false;
  #state: "resting" | "used" | "over" = "used";

  constructor(shared: ToyUpstreamPeer, owner: UpstreamPeerOwner) {
    super();
    this.#shared = shared;
    this.owner = owner;
    this.openedAt = this.idleSince = shared.turn.now;
    shared.lanes.add(this);
  }

  /** Whether `shared` has room for another lane. */
  static fits(shared: ToyUpstreamPeer): boolean {
    return shared.isFit && shared.lanes.size > 0 && shared.lanes.size < MOST_STREAMS;
  }

  get remoteAddress(): string {
    return this.#shared.remoteAddress;
  }

  get isFit(): boolean {
    return this.#state !== "over" && this.#shared.isFit;
  }

  get freeStreams(): number {
    return this.isFit ? Math.min(1, this.#shared.freeStreams) : 0;
  }

  openStream(): UpstreamStream {
    this.#state = "used";
    this.#shared.turn.deadlines.set(this, Infinity);
    return this.#shared.openStreamOf(this);
  }

  rest(now: number, deadline: number): void {
    this.rested = true;
    this.#state = "resting";
    this.idleSince = now;
    this.restUntil(deadline);
  }

  restUntil(deadline: number): void {
    this.#shared.turn.deadlines.set(this, deadline);
  }

  override expired(): void {
    const { turn } = this.#shared;
    turn.begin();
    this.retire();
    this.owner.idleLost(this, -1);
    turn.end();
  }

  retire(): void {
    this.unfit();
  }

  drop(): void {
    this.unfit();
  }

  unfit(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    const { lanes, turn } = this.#shared;
    turn.deadlines.remove(this);
    lanes.delete(this);
    if (lanes.size === 0) this.#shared.retire();
  }

  sharedEnded(): void {
    if (this.#state !== "resting") return;
    this.unfit();
    this.owner.idleLost(this, this.#shared.turn.now - this.idleSince);
  }
}
