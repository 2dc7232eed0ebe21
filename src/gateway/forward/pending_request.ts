/** A request about which nothing can be decided yet: its client is not read from, and may leave. */

import type { Fault } from "../../http/fault.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../../http/downstream_stream.ts";

export class PendingRequest implements DownstreamStreamEvents {
  readonly leastRate = 0;
  readonly #client: DownstreamStream;
  #over = false;
  #gone = false;

  constructor(client: DownstreamStream) {
    this.#client = client;
    client.events = this;
    client.pauseBody();
  }

  /** It goes on. @returns false when its client has left */
  settle(): boolean {
    if (this.#gone) return false;
    this.#over = true;
    this.#client.events = null;
    return true;
  }

  downstreamBody(): void {}

  downstreamEnd(): void {}

  downstreamWritable(): void {}

  downstreamFault(_fault: Fault): void {
    this.#leave();
  }

  downstreamEnded(): void {
    if (this.#client.hasLeft) this.#leave();
  }

  downstreamGone(): void {
    this.#gone = true;
  }

  downstreamTimedOut(): void {
    this.#leave();
  }

  #leave(): void {
    if (this.#over || this.#gone) return;
    this.#gone = true;
    this.#client.events = null;
    this.#client.abort();
  }
}
