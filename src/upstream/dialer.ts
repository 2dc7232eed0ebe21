/** Begins the dials of an upstream and counts those under way. */

import type { Runtime, SocketError } from "../../runtime/contract/contract.ts";
import type { Connector } from "../client/connector.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { UpstreamPeer } from "../http/upstream_stream.ts";
import { DialTrial } from "./dial_trial.ts";
import type { Endpoint } from "./endpoint.ts";
import { NameWatch } from "./name_watch.ts";

/** Told how a dial went, in a turn that it ends; the dial is not counted any more. */
export interface DialEnd {
  opened(endpoint: Endpoint, peer: UpstreamPeer): void;
  failed(endpoint: Endpoint, error: SocketError): void;
  /** Whether the next connection of `endpoint` is for a request that may not be sent again, or for nobody yet. */
  mayWait(endpoint: Endpoint): boolean;
}

export class Dialer {
  readonly #connector: Connector;
  readonly #end: DialEnd;
  readonly #trial: DialTrial;
  readonly #names: NameWatch;
  /** Dials under way. */
  dialing = 0;
  /** Those among them that were begun while their endpoint was down: no decision should count on them. */
  asking = 0;
  /** Streams beyond the first of each that the connections of all others will carry, as far as is known. */
  #surplus = 0;

  constructor(runtime: Runtime, connector: Connector, end: DialEnd) {
    this.#connector = connector;
    this.#end = end;
    this.#names = new NameWatch(runtime, connector.turn);
    this.#trial = new DialTrial(runtime.clock, connector.turn, (endpoint) => end.mayWait(endpoint));
  }

  /** Dials that requests may count on. Each holds one slot, whatever its connection will carry. */
  get expected(): number {
    return this.dialing - this.asking;
  }

  /** Requests that their connections will carry, as far as is known. */
  get expectedStreams(): number {
    return this.expected + this.#surplus;
  }

  dial(endpoint: Endpoint, timeoutMs: number, limits: Http1Limits): void {
    // To a backend that takes N connections an idle one counts.
    if (endpoint.used >= endpoint.slotLimit) endpoint.pool.retireOldest();
    endpoint.ramp.dialled(this.#connector.turn.now);
    this.hold(endpoint);
    const asking = endpoint.state === "down" ? 1 : 0;
    this.asking += asking;
    const surplus = asking === 0 ? endpoint.streamsEach - 1 : 0;
    this.#surplus += surplus;
    const failed = (error: SocketError) => {
      this.#over(endpoint, asking, surplus);
      this.#end.failed(endpoint, error);
    };
    this.#connector.connect(endpoint.settings.key, { timeoutMs, limits, owner: endpoint }, {
      opened: (peer) => {
        const opened = () => {
          this.#over(endpoint, asking, surplus);
          endpoint.streamsEach = Math.max(1, peer.freeStreams);
          this.#names.opened(endpoint, peer.remoteAddress);
          this.#end.opened(endpoint, peer);
        };
        this.#trial.judge(peer, { endpoint, opened, failed });
      },
      failed,
    });
  }

  /** Connections on trial are handed over as they are. */
  stop(): void {
    this.#trial.stop();
  }

  #over(endpoint: Endpoint, asking: number, surplus: number): void {
    this.asking -= asking;
    this.#surplus -= surplus;
    this.release(endpoint);
  }

  /** A dial that has succeeded is not over yet: it goes on counting until `release`. */
  hold(endpoint: Endpoint): void {
    endpoint.dialing++;
    this.dialing++;
  }

  /** A dial is over. */
  release(endpoint: Endpoint): void {
    endpoint.dialing--;
    this.dialing--;
  }
}
