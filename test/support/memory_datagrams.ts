/** Datagrams on the in-memory network: scripted peers get them as steps, and answer when they like. */

import type { DatagramEvents, DatagramOptions, DatagramSocket } from "../../runtime/contract/contract.ts";
import { type MemoryNetwork, Task } from "./memory_network.ts";

/**
 * A peer that gets datagrams.
 *
 * @param reply sends one back; several times, later, or never
 */
export type DatagramPeer = (bytes: Uint8Array, reply: (bytes: Uint8Array) => void) => void;

export class MemoryDatagrams implements DatagramSocket {
  readonly #network: MemoryNetwork;
  readonly #options: DatagramOptions;
  readonly #events: DatagramEvents;
  readonly #onHandlerError: (error: unknown) => void;
  #open = true;

  constructor(
    network: MemoryNetwork,
    options: DatagramOptions,
    events: DatagramEvents,
    onHandlerError: (error: unknown) => void,
  ) {
    this.#network = network;
    this.#options = options;
    this.#events = events;
    this.#onHandlerError = onHandlerError;
    network.openDatagramSockets++;
  }

  send(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#later(() => {
      const { host, port } = this.#options;
      const peer = this.#network.datagramPeers.get(`${host} ${port}`);
      if (peer === "refuses") this.#fail();
      else peer?.(copy, (answer) => this.#later(() => this.#events.received(answer.slice())));
    });
  }

  close(): void {
    if (this.#open) this.#network.openDatagramSockets--;
    this.#open = false;
  }

  #fail(): void {
    this.close();
    this.#events.failed({ code: "connection_refused", detail: "ECONNREFUSED" });
  }

  #later(act: () => void): void {
    this.#network.schedule(
      new Task(() => {
        if (!this.#open) return false;
        try {
          act();
        } catch (error) {
          this.#onHandlerError(error);
        }
        return true;
      }),
    );
  }
}
