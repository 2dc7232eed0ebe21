/**
 * Requests at the upstreams whose backends Sluice runs, as the control plane tells of them: those that wait, those under
 * way, and the last one.
 */

import type { UpstreamStatus } from "../process/worker/status.ts";
import type { BackendGate } from "./backend_gate.ts";
import type { Activity } from "./backend_idle.ts";

export class BackendRequests {
  #gate: BackendGate | null = null;
  #unwatch: (() => void) | null = null;
  /** Upstreams in whose waiting rooms a request is, while watched. */
  readonly #held = new Set<string>();

  /** Before, there are no requests. */
  open(gate: BackendGate): void {
    this.#gate = gate;
  }

  /** @param wanted called when a request begins to wait at an upstream. Only the first call until `unwatch` counts */
  watch(wanted: (upstream: string) => void): void {
    if (this.#unwatch !== null || this.#gate === null) return;
    this.#unwatch = this.#gate.watch((event) => {
      if (event.event === "held") {
        this.#held.add(event.upstream);
        wanted(event.upstream);
      } else if (event.event === "released") {
        this.#held.delete(event.upstream);
      }
    });
  }

  unwatch(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#held.clear();
  }

  /** Whether a request waits at an upstream. False while not watched. */
  waitsAt(upstream: string): boolean {
    return this.#held.has(upstream);
  }

  /** Whether a request has been sent to the upstream since then. Wall-clock milliseconds. */
  async usedSince(upstream: string, since: number): Promise<boolean> {
    const found = await this.#status(upstream);
    return found?.endpoints.some(({ last_request: at }) => at !== null && Date.parse(at) >= since) === true;
  }

  /** Zeros for an upstream that is not known. */
  async activity(upstream: string): Promise<Activity> {
    const found = await this.#status(upstream);
    return {
      inFlight: found?.in_flight ?? 0,
      waiting: found?.waiting ?? 0,
      requests: found?.totals.requests ?? 0,
    };
  }

  async #status(upstream: string): Promise<UpstreamStatus | undefined> {
    const status = await this.#gate?.status();
    return status?.upstreams.find(({ name }) => name === upstream);
  }
}
