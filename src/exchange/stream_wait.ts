/**
 * The place of an exchange in the waiting room: what it needs of a connection, and how long it has waited. Made when one
 * has to wait, or has connections of its own: most find a stream at once.
 */

import type { UpstreamPeer, UpstreamStream } from "../http/upstream_stream.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { StreamSource } from "../upstream/stream_source.ts";
import type { WaitFailure } from "../upstream/wait_failure.ts";
import { RoomPlace, type Waiter } from "../upstream/waiting_room.ts";
import type { PinUse } from "./pin_use.ts";
import { WaitTime } from "./wait_time.ts";

export interface StreamWaitOwner {
  /** A stream is in hand. */
  streamReady(stream: UpstreamStream, endpoint: Endpoint): void;
  /** The wait is over without one. */
  waitFailed(failure: WaitFailure, detail: string): void;
}

export class StreamWait extends RoomPlace implements Waiter {
  readonly #owner: StreamWaitOwner;
  readonly #source: StreamSource;
  readonly repeatable: boolean;
  readonly arrivedAt: number;
  admitted: boolean;
  wantsFresh = false;
  isRetry = false;
  goesLast = false;
  /** See policy.ts. */
  balanceKey: number | null = null;
  /** Chooser. */
  prefers: string | null = null;
  probationMs = 0;
  /** Null unless the request has to do with connections that its client has authenticated on. */
  pin: PinUse | null = null;
  /** Endpoints that others are preferred to: they have answered with a failure, or not in time. Null = none. */
  avoided: Endpoint[] | null = null;
  /** Null while it has not waited. */
  time: WaitTime | null = null;

  /**
   * @param arrivedAt monotonic milliseconds
   * @param admitted it has had a stream before
   */
  constructor(
    owner: StreamWaitOwner,
    source: StreamSource,
    repeatable: boolean,
    arrivedAt: number,
    admitted: boolean,
  ) {
    super();
    this.#owner = owner;
    this.#source = source;
    this.repeatable = repeatable;
    this.arrivedAt = arrivedAt;
    this.admitted = admitted;
  }

  get ownConnection(): UpstreamPeer | null {
    return this.pin === null ? null : this.pin.waitsFor;
  }

  /** It has asked, and waits, unless the wait is over already. Monotonic `now`, milliseconds. */
  begun(now: number): void {
    if (this.inRoom) (this.time ??= new WaitTime()).begin(now, this.#source.outageMs(now));
  }

  /** The wait is over, however it ended. Nothing when there was none. */
  over(now: number): void {
    if (this.time !== null) this.time.end(now, this.#source.outageMs(now));
  }

  /** Gives its place up, if it has one. */
  leave(): void {
    if (this.inRoom) this.#source.leave(this);
    this.pin?.leaves();
  }

  /** Milliseconds that are left for holding. */
  holdLeftMs(now: number): number {
    return this.#source.holdLeftMs(this.arrivedAt, this.time?.queuedMs ?? 0, now);
  }

  /** Chooser: there is an endpoint that is not avoided, and can be reached as far as is known. */
  get choosy(): boolean {
    const { avoided } = this;
    return avoided !== null &&
      this.#source.endpoints.some((other) =>
        other.enabled && other.state !== "down" && !avoided.includes(other)
      );
  }

  /** Chooser. */
  avoids(endpoint: Endpoint): boolean {
    return this.avoided !== null && this.avoided.includes(endpoint) && this.choosy;
  }

  /** From now on others are preferred to `endpoint`, by policies that have an order. */
  avoid(endpoint: Endpoint): void {
    const avoided = this.avoided ??= [];
    if (!avoided.includes(endpoint)) avoided.push(endpoint);
  }

  streamReady(stream: UpstreamStream, endpoint: Endpoint): void {
    this.#owner.streamReady(stream, endpoint);
  }

  waitFailed(failure: WaitFailure, detail: string): void {
    this.#owner.waitFailed(failure, detail);
  }
}
