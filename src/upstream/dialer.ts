/** Begins the dials of an upstream and counts those under way. */

import type { Runtime, Socket, SocketError, SocketEvents } from "../../runtime/contract/contract.ts";
import type { Turn } from "../conn/turn.ts";
import type { Endpoint } from "./endpoint.ts";
import { NameWatch } from "./name_watch.ts";

/** Told how a dial went, in a turn that it ends; the dial is not counted any more. */
export interface DialEnd {
  /** @param began monotonic milliseconds */
  opened(endpoint: Endpoint, socket: Socket, began: number): SocketEvents;
  failed(endpoint: Endpoint, error: SocketError): void;
}

export class Dialer {
  readonly #runtime: Runtime;
  readonly #turn: Turn;
  readonly #end: DialEnd;
  readonly #names: NameWatch;
  /** Dials under way. */
  dialing = 0;
  /** Those among them that were begun while their endpoint was down: nobody should count on them. */
  asking = 0;

  constructor(runtime: Runtime, turn: Turn, end: DialEnd) {
    this.#runtime = runtime;
    this.#turn = turn;
    this.#end = end;
    this.#names = new NameWatch(runtime, turn);
  }

  dial(endpoint: Endpoint, timeoutMs: number): void {
    // To a backend that takes N connections an idle one counts.
    if (endpoint.used >= endpoint.slotLimit) endpoint.idle.retireOldest();
    const began = this.#turn.now;
    endpoint.ramp.dialled(began);
    endpoint.dialing++;
    this.dialing++;
    const asking = endpoint.state === "down" ? 1 : 0;
    this.asking += asking;
    const { address, tls } = endpoint.settings.key;
    this.#runtime.dial({ address, tls, timeoutMs }, {
      opened: (socket) => {
        this.#over(endpoint, asking);
        this.#names.opened(endpoint, socket.remoteAddress);
        return this.#end.opened(endpoint, socket, began);
      },
      failed: (error) => {
        this.#over(endpoint, asking);
        this.#end.failed(endpoint, error);
      },
    });
  }

  #over(endpoint: Endpoint, asking: number): void {
    this.#turn.begin();
    endpoint.dialing--;
    this.dialing--;
    this.asking -= asking;
  }
}
