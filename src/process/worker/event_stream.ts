/** Tells the supervisor what happens in a worker, while a client watches; else it costs nothing. */

import type { Clock, SocketError } from "../../../runtime/contract/contract.ts";
import type { ToSupervisor, WorkerEvent } from "./messages.ts";
import type { ExchangeRecord } from "../../exchange/exchange_record.ts";
import type { EventSink } from "../../observe/telemetry.ts";
import type { Endpoint } from "../../upstream/endpoint.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { ObservedUpstream } from "../../upstream/upstream_observer.ts";

/** Failed requests that are told one by one. */
const MOST_A_SECOND = 100;
const SECOND_MS = 1000;

export class EventStream implements EventSink {
  readonly #clock: Clock;
  readonly #send: (message: ToSupervisor) => void;
  /** A client watches. */
  open = false;
  /** Failed requests since the present second began, with the first of them. */
  #told = 0;

  constructor(clock: Clock, send: (message: ToSupervisor) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Begins or ends to tell. At the beginning it tells what is down and held already. */
  watch(watched: boolean, upstreams: readonly Upstream[]): void {
    if (watched === this.open) return;
    this.open = watched;
    if (!watched) return;
    for (const upstream of upstreams) {
      for (const endpoint of upstream.endpoints) {
        if (endpoint.state === "down" && !endpoint.downReportedByPeer && endpoint.lastFailure !== null) {
          this.#tell(down(upstream, endpoint, endpoint.lastFailure), true);
        }
      }
      if ((upstream.allDown || upstream.paused) && upstream.waiting > 0) {
        this.#tell({ event: "held", upstream: upstream.name, waiting: upstream.waiting }, true);
      }
    }
  }

  #tell(event: WorkerEvent, before = false): void {
    this.#send({ type: "event", event, before });
  }

  endpointDown(upstream: ObservedUpstream, endpoint: Endpoint, error: SocketError): void {
    this.#tell(down(upstream, endpoint, error));
  }

  endpointUp(upstream: ObservedUpstream, endpoint: Endpoint, downMs: number): void {
    this.#tell({
      event: "endpoint_up",
      upstream: upstream.name,
      endpoint: endpoint.name,
      down_ms: Math.round(downMs),
    });
  }

  held(upstream: ObservedUpstream, waiting: number): void {
    this.#tell({ event: "held", upstream: upstream.name, waiting });
  }

  released(upstream: ObservedUpstream, heldMs: number): void {
    this.#tell({ event: "released", upstream: upstream.name, held_ms: Math.round(heldMs) });
  }

  failed(record: ExchangeRecord): void {
    if (record.reason === "") return;
    if (this.#told++ === 0) this.#clock.setTimer(SECOND_MS, () => this.#secondOver(), true);
    if (this.#told > MOST_A_SECOND) return;
    const { reason, status, method, target, upstream, endpoint, detail } = record;
    this.#tell({ event: "failed", reason, status, method, target, upstream, endpoint, detail });
  }

  #secondOver(): void {
    const dropped = this.#told - MOST_A_SECOND;
    this.#told = 0;
    if (dropped > 0) this.#tell({ event: "dropped", count: dropped });
  }
}

function down(upstream: ObservedUpstream, endpoint: Endpoint, { code, detail }: SocketError): WorkerEvent {
  return { event: "endpoint_down", upstream: upstream.name, endpoint: endpoint.name, reason: code, detail };
}
