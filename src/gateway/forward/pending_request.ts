/** A request about which nothing can be decided yet: its client is not read from, and may leave. */

import type { CloseReason } from "../../../runtime/contract/contract.ts";
import { leaveClient } from "../../exchange/client_end.ts";
import type { ReasonCode } from "../../exchange/reason.ts";
import type { Fault } from "../../http/fault.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../../http/downstream_stream.ts";

export class PendingRequest implements DownstreamStreamEvents {
  readonly leastRate = 0;
  readonly #client: DownstreamStream;
  readonly #lost: (why: ReasonCode) => void;
  #over = false;
  #gone = false;

  /** @param lost called once, when it ends without an answer */
  constructor(client: DownstreamStream, lost: (why: ReasonCode) => void) {
    this.#client = client;
    this.#lost = lost;
    client.events = this;
    client.pauseBody();
  }

  /** It goes on, unless its client has left. @param act decides, or makes another one of it that is pending */
  goOn(act: () => void): void {
    if (this.#gone) return;
    this.#settle();
    act();
    const { events } = this.#client;
    // Last: what has arrived meanwhile is for who handles the request from here on.
    if (!(events instanceof PendingRequest)) this.#client.resumeBody();
  }

  #settle(): void {
    this.#over = true;
    this.#client.events = null;
  }

  downstreamBody(): void {}

  downstreamEnd(): void {}

  downstreamWritable(): void {}

  downstreamFault(_fault: Fault): void {
    this.#leave("client_gone");
  }

  downstreamEnded(): void {
    if (this.#client.hasLeft) this.#leave("client_gone");
  }

  downstreamGone({ code }: CloseReason): void {
    if (this.#over || this.#gone) return;
    this.#gone = true;
    this.#lost(code === "aborted" ? "shutting_down" : "client_gone");
  }

  downstreamTimedOut(): void {
    this.#leave("client_timeout");
  }

  #leave(why: ReasonCode): void {
    if (this.#over || this.#gone) return;
    this.#gone = true;
    this.#client.events = null;
    this.#lost(why);
    leaveClient(this.#client, why === "client_gone");
  }
}
