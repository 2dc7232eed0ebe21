/** A `ControlPlane` that does nothing but remember what it was asked and answer what the test says. */

import type { ControlEvent } from "../../src/control/event.ts";
import type {
  ControlPlane,
  ExplainRequest,
  HealthQuestion,
  Outcome,
  Quiet,
  ReloadDone,
  Resumed,
} from "../../src/control/plane.ts";
import type { PauseOwner } from "../../src/process/worker/pause_owner.ts";
import type { Histogram, Status, Totals } from "../../src/process/worker/status.ts";
import { REASON_CODES } from "../../src/exchange/reason.ts";

type Answer = Outcome<object> | Promise<Outcome<object>>;

export class FakePlane implements ControlPlane {
  /** Method and arguments, in order. */
  readonly asked: (readonly [string, ...unknown[]])[] = [];
  /** What a method answers instead of its usual answer. */
  readonly answers: Partial<Record<keyof ControlPlane, Answer>> = {};
  /** What was given to the last `pause` or `wait` to tell that its client has gone. */
  left: AbortSignal | null = null;
  #watchers = new Set<(event: ControlEvent) => void>();
  #watched = Promise.withResolvers<void>();

  /** Resolves when somebody watches. */
  get watched(): Promise<void> {
    return this.#watched.promise;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** An event happens. */
  tell(event: ControlEvent): void {
    for (const telemetry of this.#watchers) telemetry(event);
  }

  status(): Promise<Status> {
    this.asked.push(["status"]);
    return Promise.resolve(sampleStatus());
  }

  watch(heard: (event: ControlEvent) => void): () => void {
    this.#watchers.add(heard);
    this.#watched.resolve();
    return () => void this.#watchers.delete(heard);
  }

  pause(
    upstream: string | null,
    waitIdleMs: number,
    leaseMs: number | null,
    left?: AbortSignal,
    owner: PauseOwner = "operator",
  ): Promise<Outcome<Quiet & { readonly token: string }>> {
    this.left = left ?? null;
    const given = owner === "operator" ? [] : [owner];
    return this.#did("pause", [upstream, waitIdleMs, leaseMs, ...given], {
      in_flight: 0,
      waiting: 2,
      token: "t1",
    });
  }

  resume(upstream: string | null, token?: string): Promise<Outcome<Resumed>> {
    const given = token === undefined ? [upstream] : [upstream, token];
    return this.#did("resume", given, { in_flight: 1, waiting: 2, ended: 1, still_paused: [] });
  }

  renew(token: string, leaseMs: number): Promise<Outcome> {
    return this.#did("renew", [token, leaseMs], {});
  }

  drain(endpoint: string, upstream: string | null, windowMs: number, wait: boolean) {
    return this.#did("drain", [endpoint, upstream, windowMs, wait], { in_flight: 3 });
  }

  undrain(endpoint: string, upstream: string | null): Promise<Outcome> {
    return this.#did("undrain", [endpoint, upstream], {});
  }

  swap(
    upstream: string | null,
    addresses: readonly string[],
    health: HealthQuestion | null,
    timeoutMs: number,
    drainMs: number,
  ) {
    const told = { generation: 2, from: ["127.0.0.1:3000"] };
    return this.#did("swap", [upstream, addresses, health, timeoutMs, drainMs], told);
  }

  wait(
    upstream: string | null,
    what: "healthy" | "idle",
    timeoutMs: number,
    left?: AbortSignal,
  ): Promise<Outcome> {
    this.left = left ?? null;
    return this.#did("wait", [upstream, what, timeoutMs], {});
  }

  reload(): Promise<Outcome<ReloadDone>> {
    return this.#did("reload", [], { generation: 2, changes: ["hold: 1s"], ignored: ["workers: 2"] });
  }

  restart(upstream: string | null, timeoutMs: number) {
    return this.#did("restart", [upstream, timeoutMs], { pids: [7] });
  }

  upgrade(binary: string | null, timeoutMs: number) {
    return this.#did("upgrade", [binary, timeoutMs], { pid: 8 });
  }

  stop(now: boolean) {
    return this.#did("stop", [now], { connections: 4 });
  }

  explain(request: ExplainRequest) {
    return this.#did("explain", [request], { explanation: { x: 1 } });
  }

  reopenLogs(): Promise<Outcome> {
    return this.#did("reopenLogs", [], {});
  }

  // The answers a test gives are taken to be of the right kind.
  async #did<T extends object>(
    name: keyof ControlPlane,
    given: readonly unknown[],
    usual: T,
  ): Promise<Outcome<T>> {
    this.asked.push([name, ...given]);
    const answer = this.answers[name];
    return answer === undefined ? { ok: true, ...usual } : await answer as Outcome<T>;
  }
}

function histogram(): Histogram {
  return { counts: [], sum_ms: 0 };
}

function totals(more: Partial<Totals> = {}): Totals {
  return {
    requests: 10,
    by_class: [0, 0, 9, 0, 0, 1],
    failed: 1,
    request_bytes: 0,
    response_bytes: 0,
    retries: 0,
    held: 0,
    latency: histogram(),
    waited: histogram(),
    ...more,
  };
}

const REASONS = {
  ...Object.fromEntries(REASON_CODES.map((code) => [code, 0])),
  hold_timeout: 1,
} as Status["reasons"];

/** A Sluice with one upstream of two endpoints, started an hour ago. */
export function sampleStatus(more: Partial<Status> = {}): Status {
  return {
    version: "1.2.3",
    pid: 4711,
    runtime: "bun",
    state: "serving",
    started: "2026-01-01T00:00:00.000Z",
    uptime_ms: 3_600_000,
    generation: 1,
    config_loaded: "2026-01-01T00:00:00.000Z",
    listeners: ["0.0.0.0:8080"],
    connections: 2,
    tunnels: 0,
    resident_bytes: 50 * 1024 * 1024,
    totals: totals(),
    latency_bounds_ms: [],
    reasons: REASONS,
    workers: [],
    predecessor: null,
    upstreams: [{
      name: "app",
      state: "paused",
      paused: {
        since: "2026-01-01T00:59:50.000Z",
        lease_until: "2026-01-01T01:00:50.000Z",
        owners: [
          { owner: "operator", since: "2026-01-01T00:59:50.000Z", lease_until: "2026-01-01T01:00:50.000Z" },
          { owner: "with_pause", since: "2026-01-01T00:59:55.000Z", lease_until: "2026-01-01T01:00:05.000Z" },
        ],
      },
      waiting: 2,
      oldest_wait_ms: 1500,
      queue_size: 100,
      in_flight: 1,
      totals: totals(),
      waits_ms: [],
      reasons: REASONS,
      endpoints: [
        {
          name: "127.0.0.1:3000",
          state: "up",
          weight: 1,
          in_flight: 1,
          idle: 3,
          dialing: 0,
          pinned: 2,
          last_request: "2026-01-01T00:59:58.000Z",
          max_in_flight: 4,
          answered: 9,
          failures: 0,
          last_error: null,
          since: "2026-01-01T00:00:00.000Z",
          by_class: [0, 0, 9, 0, 0, 0],
          first_byte: histogram(),
        },
        {
          name: "127.0.0.1:3001",
          state: "down",
          weight: 1,
          in_flight: 0,
          idle: 0,
          dialing: 1,
          pinned: 0,
          last_request: null,
          max_in_flight: 4,
          answered: 0,
          failures: 12,
          last_error: { code: "connection_refused", detail: "ECONNREFUSED", at: "2026-01-01T00:59:59.000Z" },
          since: "2026-01-01T00:30:00.000Z",
          by_class: [0, 0, 9, 0, 0, 0],
          first_byte: histogram(),
        },
      ],
      child: null,
    }],
    routes: [{ name: "/", upstream: "app", totals: totals() }],
    recent_failures: [{
      at: "2026-01-01T00:58:00.000Z",
      reason: "hold_timeout",
      status: 503,
      method: "GET",
      target: "/x",
      upstream: "app",
      endpoint: "127.0.0.1:3001",
      detail: "connection_refused",
    }],
    ...more,
  };
}
