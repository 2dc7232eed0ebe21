/**
 * Looks after the names of endpoints that have connections: to an address that a name does not mean any more no request
 * is sent. Idle connections there are closed, busy ones when they have served.
 */

import { type Runtime, SocketFailure } from "../../runtime/contract/contract.ts";
import type { Turn } from "../time/turn.ts";
import { Alarm } from "../time/alarm.ts";
import type { Endpoint } from "./endpoint.ts";

/** How often a name is looked at. Whether anybody is asked is the resolver's to say: it keeps what it knows. */
const EVERY_MS = 1000;

export class NameWatch {
  readonly #runtime: Runtime;
  readonly #turn: Turn;
  readonly #alarm: Alarm;
  /** Named endpoints that had connections when they were looked at last. */
  readonly #watched = new Set<Endpoint>();

  constructor(runtime: Runtime, turn: Turn) {
    this.#runtime = runtime;
    this.#turn = turn;
    this.#alarm = new Alarm(runtime.clock, EVERY_MS, () => this.#look());
  }

  /** A connection is open. @param address where it leads */
  opened(endpoint: Endpoint, address: string): void {
    if (endpoint.hostName === null) return;
    // A newer answer than ours led there.
    if (endpoint.addresses?.includes(address) === false) endpoint.addresses = null;
    this.#watched.add(endpoint);
    this.#alarm.set();
  }

  #look(): void {
    for (const endpoint of this.#watched) {
      if (endpoint.hostName === null || endpoint.used === 0) this.#watched.delete(endpoint);
      else void this.#lookAt(endpoint, endpoint.hostName);
    }
    if (this.#watched.size > 0) this.#alarm.set();
  }

  async #lookAt(endpoint: Endpoint, hostName: string): Promise<void> {
    let addresses: readonly string[];
    try {
      addresses = await this.#runtime.resolve(hostName);
    } catch (error) {
      // There is nothing better to go by: the connections are good for as long as they last.
      if (error instanceof SocketFailure) return;
      throw error;
    }
    this.#turn.begin();
    endpoint.movedTo(addresses);
    this.#turn.end();
  }
}
