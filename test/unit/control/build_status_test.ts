import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../../src/config/values/config.ts";
import { loadConfig } from "../../../src/config/load_config.ts";
import { buildStatus, type Known } from "../../../src/control/build_status.ts";
import {
  answersOf,
  emptyReport,
  type Report,
  sumsOnly,
  totalsOf,
} from "../../../src/process/worker/report.ts";
import { REASON_CODES } from "../../../src/exchange/reason.ts";
import { Counters } from "../../../src/upstream/counters.ts";

function configOf(yaml: string): Config {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "test.yaml", text: yaml } });
  assert.ok(loaded.ok);
  return loaded.config;
}

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

function known(yaml: string, more: Partial<Known> = {}): Known {
  return {
    version: "1.2.3",
    runtime: "memory 1",
    pid: 7,
    state: "serving",
    startedAt: START,
    uptimeMs: 1234.6,
    generation: 2,
    configLoadedAt: START + 1000,
    config: configOf(yaml),
    addresses: [{ kind: "tcp", host: "127.0.0.1", port: 4711 }],
    residentBytes: 50,
    workers: [],
    elder: null,
    elderSilent: false,
    gone: emptyReport(),
    paused: new Map(),
    children: new Map(),
    ...more,
  };
}

const EPOLL = { kind: "epoll", reason: "" } as const;

function workerReport(): Report {
  const counters = new Counters();
  counters.requests = 5;
  return {
    ...emptyReport(),
    connections: 3,
    residentBytes: 1000,
    totals: totalsOf(counters),
    reasons: { hold_timeout: 2 },
    upstreams: [{
      name: "default",
      waiting: 2,
      waitsMs: [20.4, 10],
      inFlight: 1,
      tunnels: 0,
      totals: totalsOf(counters),
      reasons: { hold_timeout: 2 },
      endpoints: [{
        name: "127.0.0.1:3000",
        state: "down",
        since: START + 5000,
        inFlight: 1,
        idle: 2,
        dialing: 1,
        pinned: 4,
        sentAt: null,
        failures: 9,
        lastError: { code: "connection_refused", detail: "ECONNREFUSED", at: START + 6000 },
        ...answersOf(null),
        byClass: [0, 0, 4, 0, 1, 0],
      }],
    }],
    routes: [{ name: "/", totals: totalsOf(counters) }],
    failures: [{
      at: START + 7000,
      reason: "hold_timeout",
      status: 503,
      method: "GET",
      target: "/x",
      upstream: "default",
      endpoint: "",
      detail: "d",
    }],
  };
}

test("status: before any worker has told anything all of the configuration is there", () => {
  const status = buildStatus(known("to: 3000"));
  assert.equal(status.started, "2026-01-02T03:04:05.000Z");
  assert.equal(status.config_loaded, "2026-01-02T03:04:06.000Z");
  assert.deepEqual(status.listeners, ["127.0.0.1:4711"]);
  assert.deepEqual(Object.keys(status.reasons), [...REASON_CODES]);
  assert.equal(status.resident_bytes, 50);
  const [upstream] = status.upstreams;
  assert.equal(upstream?.state, "up");
  assert.ok(!("state_alias" in upstream) && !("state_alias" in (upstream.endpoints[0] ?? {})));
  assert.deepEqual([upstream?.waiting, upstream?.oldest_wait_ms, upstream?.waits_ms], [0, 0, []]);
  assert.equal(upstream?.endpoints[0]?.state, "up");
  assert.equal(upstream?.endpoints[0]?.since, "2026-01-02T03:04:06.000Z");
  assert.deepEqual(status.routes.map(({ name, upstream }) => [name, upstream]), [["/", "default"]]);
});

test("status: workers add up, those that are gone in sums only", () => {
  const worker = { pid: 8, state: "serving", restarts: 1, report: workerReport(), sockets: EPOLL } as const;
  const status = buildStatus(known("to: 3000\nmax_in_flight: 4", {
    workers: [worker, { ...worker, pid: 9, restarts: 0 }, {
      pid: null,
      state: "ended",
      restarts: 3,
      report: emptyReport(),
      sockets: null,
    }],
    gone: sumsOnly(workerReport()),
  }));
  assert.deepEqual([status.connections, status.resident_bytes], [6, 2050]);
  assert.equal(status.totals.requests, 15);
  assert.equal(status.reasons.hold_timeout, 6);
  assert.equal(status.reasons.queue_full, 0);
  assert.deepEqual(status.workers.map(({ sockets }) => sockets), [EPOLL, EPOLL, null]);
  assert.deepEqual(status.workers.map(({ worker, pid, restarts }) => [worker, pid, restarts]), [
    [1, 8, 1],
    [2, 9, 0],
    [3, null, 3],
  ]);
  const [upstream] = status.upstreams;
  assert.deepEqual([upstream?.state, upstream?.state_alias], ["down", "away"]);
  assert.deepEqual([upstream?.waiting, upstream?.oldest_wait_ms, upstream?.waits_ms], [4, 20, [
    20,
    20,
    10,
    10,
  ]]);
  const [endpoint] = upstream?.endpoints ?? [];
  assert.deepEqual(
    [
      `${endpoint?.state} ${endpoint?.state_alias}`,
      endpoint?.in_flight,
      endpoint?.idle,
      endpoint?.answered,
      endpoint?.failures,
    ],
    ["down away", 2, 4, 15, 27],
  );
  assert.deepEqual(endpoint?.last_error, {
    code: "connection_refused",
    detail: "ECONNREFUSED",
    at: "2026-01-02T03:04:11.000Z",
  });
  assert.equal(endpoint?.max_in_flight, 4);
  assert.equal(status.recent_failures[0]?.at, "2026-01-02T03:04:12.000Z");
});

test("status: the memory of one process is counted once", () => {
  const worker = { pid: 7, state: "serving", restarts: 0, report: workerReport(), sockets: EPOLL } as const;
  assert.equal(buildStatus(known("to: 3000", { workers: [worker] })).resident_bytes, 1000);
});

test("status: a pause goes before everything else, and names that are gone do not appear", () => {
  const paused = { since: "2026-01-02T03:04:05.000Z", lease_until: null, owners: [] };
  const worker = { pid: 7, state: "serving", restarts: 0, report: workerReport(), sockets: EPOLL } as const;
  const status = buildStatus(known("upstreams: {other: {endpoints: [3001]}}", {
    workers: [worker],
    paused: new Map([["other", paused]]),
  }));
  assert.deepEqual(status.upstreams.map(({ name, state, paused }) => [name, state, paused]), [
    ["other", "paused", paused],
  ]);
  assert.equal(status.totals.requests, 5, "what they did still counts");
});
