/** What goes through endpoints at the moment: open tunnels, and the requests of open connections. */

import { ExchangeAccount } from "../exchange/exchange_account.ts";
import type { Tunnel } from "../exchange/tunnel.ts";
import { ScriptedStream } from "../script/scripted_stream.ts";
import type { ConnectionSet } from "../server/connection_set.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import { Pins } from "../upstream/pins.ts";
import type { Traffic } from "./endpoint_drains.ts";
import { underWay } from "./under_way.ts";

export class EndpointTraffic implements Traffic {
  readonly #connections: ConnectionSet;
  readonly tunnels = new Set<Tunnel>();

  constructor(connections: ConnectionSet) {
    this.#connections = connections;
  }

  /** Open tunnels through such endpoints. CONNECT tunnels have none. */
  tunnelsOf(which: (endpoint: Endpoint) => boolean): number {
    let count = 0;
    for (const { endpoint } of this.tunnels) if (endpoint !== null && which(endpoint)) count++;
    return count;
  }

  tunnelsThrough(endpoints: ReadonlySet<Endpoint>): Tunnel[] {
    return [...this.tunnels].filter(({ endpoint }) => endpoint !== null && endpoints.has(endpoint));
  }

  /** Connections on which clients have authenticated end with what is under way on them. */
  drainPins(endpoints: ReadonlySet<Endpoint>): void {
    for (const client of this.#connections) Pins.of(client)?.drain(endpoints);
  }

  cut(endpoints: ReadonlySet<Endpoint>): void {
    for (const tunnel of this.tunnelsThrough(endpoints)) tunnel.abort();
    for (const client of this.#connections) {
      client.forEachStream(({ events }) => {
        const account = events instanceof ScriptedStream ? events.account : events;
        if (!(account instanceof ExchangeAccount)) return;
        const used = account.endpointInUse;
        if (used !== null && endpoints.has(used)) account.endpointWithdrawn();
      });
      Pins.of(client)?.cut(endpoints);
    }
  }

  /** Of what is under way now, tunnels included. @returns tells, whenever it is asked, whether some of it still is */
  underWay(): () => boolean {
    return underWay(this.#connections, this.tunnels);
  }

  /** Of the requests that scripts are asked about now. @returns tells, whenever it is asked, whether one of them still is */
  beingAsked(): () => boolean {
    const asked: ScriptedStream[] = [];
    for (const client of this.#connections) {
      client.forEachStream(({ events }) => {
        if (events instanceof ScriptedStream && events.isAsked) asked.push(events);
      });
    }
    return () => asked.some(({ isAsked }) => isAsked);
  }

  /** Requests that still wait are answered that nobody will serve them any more. @returns how many */
  refuseHeld(): number {
    let refused = 0;
    for (const client of this.#connections) {
      client.forEachStream(({ events }) => {
        const waits = events instanceof ExchangeAccount || events instanceof ScriptedStream;
        if (waits && events.refuseHeld()) refused++;
      });
    }
    return refused;
  }
}
