/** A status with something of everything, for tests of what is made of it. */

import type {
  EndpointStatus,
  ForwardStatus,
  Histogram,
  RecentFailure,
  Status,
  Totals,
  UpstreamStatus,
} from "../../src/process/worker/status.ts";
import { REASON_CODES, type ReasonCode } from "../../src/exchange/reason.ts";
import { LATENCY_BUCKETS_MS } from "../../src/upstream/counters.ts";

export function histogram(...counts: readonly number[]): Histogram {
  return { counts, sum_ms: counts.reduce((sum, count, at) => sum + count * (at + 1), 0) };
}

export function totals(requests = 0): Totals {
  return {
    requests,
    by_class: [0, 0, requests, 0, 0, 0],
    failed: 0,
    request_bytes: 10 * requests,
    response_bytes: 1000 * requests,
    retries: 0,
    held: 0,
    latency: histogram(requests),
    waited: histogram(requests),
  };
}

export function endpointStatus(name: string, more: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    name,
    state: "up",
    weight: 1,
    in_flight: 0,
    idle: 0,
    dialing: 0,
    pinned: 0,
    last_request: null,
    max_in_flight: 0,
    answered: 0,
    by_class: [0, 0, 0, 0, 0, 0],
    failures: 0,
    last_error: null,
    since: "2026-01-02T03:04:05.000Z",
    first_byte: histogram(),
    ...more,
  };
}

export function upstreamStatus(name: string, more: Partial<UpstreamStatus> = {}): UpstreamStatus {
  return {
    name,
    state: "up",
    paused: null,
    waiting: 0,
    oldest_wait_ms: 0,
    waits_ms: [],
    queue_size: 1000,
    in_flight: 0,
    totals: totals(),
    reasons: {},
    endpoints: [endpointStatus("127.0.0.1:3000")],
    child: null,
    ...more,
  };
}

export function recentFailure(more: Partial<RecentFailure> = {}): RecentFailure {
  return {
    at: "2026-01-02T03:05:00.000Z",
    reason: "hold_timeout",
    status: 503,
    method: "GET",
    target: "/",
    upstream: "app",
    endpoint: "",
    detail: "127.0.0.1:3000: connection_refused",
    ...more,
  };
}

export function forwardStatus(more: Partial<ForwardStatus> = {}): ForwardStatus {
  return {
    listeners: ["forward://127.0.0.1:3128"],
    tunnels: 3,
    max_tunnels: 768,
    tunnels_begun: 20,
    destinations: 5,
    idle: 7,
    in_flight: 1,
    waiting: 0,
    denied: { http_request_denied: 4, destination_ip_prohibited: 0, proxy_loop_detected: 0 },
    authentication_failures: 2,
    totals: totals(100),
    reasons: { http_request_denied: 4, dns_error: 1 },
    rules: [],
    ...more,
  };
}

export function sampleStatus(more: Partial<Status> = {}): Status {
  return {
    version: "1.2.3",
    pid: 4711,
    runtime: "bun 1.4.5",
    state: "serving",
    started: "2026-01-02T03:04:05.000Z",
    uptime_ms: 90_061_000,
    generation: 3,
    config_loaded: "2026-01-02T03:04:50.000Z",
    listeners: ["0.0.0.0:8080"],
    connections: 12,
    tunnels: 2,
    resident_bytes: 73_400_320,
    totals: totals(1234),
    latency_bounds_ms: LATENCY_BUCKETS_MS,
    reasons: Object.fromEntries(REASON_CODES.map((code) => [code, 0])) as Record<ReasonCode, number>,
    workers: [
      {
        worker: 1,
        pid: 4712,
        state: "serving",
        connections: 12,
        resident_bytes: 36_700_160,
        restarts: 0,
        sockets: { kind: "native", reason: "accept4: EPERM" },
      },
    ],
    predecessor: null,
    upstreams: [upstreamStatus("app")],
    routes: [{ name: "/", upstream: "app", totals: totals(1234) }],
    scripts: [{ name: "route.ts", error: 2, timeout: 0, stalled: 1, slow: 0 }],
    recent_failures: [],
    ...more,
  };
}
