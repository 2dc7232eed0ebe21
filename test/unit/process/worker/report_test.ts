import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addReports,
  answersOf,
  emptyReport,
  type EndpointReport,
  keepNames,
  type Report,
  sumsOnly,
  totalsOf,
} from "../../../../src/process/worker/report.ts";
import { bucketOf, Counters, LATENCY_BUCKETS_MS } from "../../../../src/upstream/counters.ts";

function endpoint(name: string, state: EndpointReport["state"], since = 0): EndpointReport {
  return {
    name,
    state,
    since,
    inFlight: 1,
    idle: 2,
    dialing: 3,
    pinned: 2,
    sentAt: 7,
    failures: 4,
    lastError: null,
    ...answersOf(null),
  };
}

function reportOf(endpoints: readonly EndpointReport[], waitsMs: readonly number[] = []): Report {
  const counters = new Counters();
  counters.requests = 3;
  counters.byClass[2] = 3;
  counters.latency[bucketOf(7)] = 3;
  counters.latencyMs = 21;
  const totals = totalsOf(counters);
  return {
    ...emptyReport(),
    connections: 5,
    tunnels: 1,
    residentBytes: 100,
    totals,
    reasons: { hold_timeout: 1 },
    upstreams: [{
      name: "app",
      waiting: waitsMs.length,
      waitsMs,
      inFlight: endpoints.length,
      tunnels: 0,
      totals,
      reasons: { queue_full: 2 },
      endpoints,
    }],
    routes: [{ name: "/", totals }],
  };
}

test("report: the sum of nothing is nothing", () => {
  const some = reportOf([endpoint("a", "up")]);
  assert.deepEqual(addReports(emptyReport(), emptyReport()), emptyReport());
  assert.deepEqual(addReports(emptyReport(), some), some);
  assert.deepEqual(addReports(some, emptyReport()), some);
});

test("report: two add up, and neither is changed", () => {
  const a = reportOf([endpoint("a", "up")], [30, 10]);
  const b = reportOf([endpoint("a", "up"), endpoint("b", "up")], [20]);
  const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
  const sum = addReports(a, b);
  assert.deepEqual([JSON.stringify(a), JSON.stringify(b)], [textA, textB]);
  assert.deepEqual([sum.connections, sum.tunnels, sum.residentBytes], [10, 2, 200]);
  assert.equal(sum.totals.requests, 6);
  assert.deepEqual(sum.totals.by_class, [0, 0, 6, 0, 0, 0]);
  assert.equal(sum.totals.latency.counts[bucketOf(7)], 6);
  assert.equal(sum.totals.latency.sum_ms, 42);
  assert.deepEqual(sum.reasons, { hold_timeout: 2 });
  const [app] = sum.upstreams;
  assert.ok(app !== undefined);
  assert.deepEqual([app.waiting, app.waitsMs, app.inFlight], [3, [30, 20, 10], 3]);
  assert.deepEqual(app.reasons, { queue_full: 4 });
  assert.deepEqual(app.endpoints.map(({ name, inFlight, idle }) => [name, inFlight, idle]), [
    ["a", 2, 4],
    ["b", 1, 2],
  ]);
  assert.equal(sum.routes[0]?.totals.requests, 6);
});

test("report: an endpoint is as well as the worker sees it that sees it best", () => {
  const cases: [EndpointReport["state"], EndpointReport["state"], EndpointReport["state"]][] = [
    ["up", "down", "up"],
    ["down", "probing", "probing"],
    ["down", "down", "down"],
    [null, "down", "down"],
    ["drained", "draining", "draining"],
    ["up", "draining", "draining"],
    [null, null, null],
  ];
  for (const [one, other, both] of cases) {
    for (const [x, y] of [[one, other], [other, one]] as const) {
      const sum = addReports(reportOf([endpoint("a", x, 10)]), reportOf([endpoint("a", y, 20)]));
      assert.equal(sum.upstreams[0]?.endpoints[0]?.state, both, `${x} ${y}`);
      const since = x === y || x === both ? 10 : 20;
      assert.equal(sum.upstreams[0]?.endpoints[0]?.since, since, `${x} ${y}`);
    }
  }
});

test("report: the newest error and the newest failures remain", () => {
  const failed = (at: number): Report => ({
    ...reportOf([{ ...endpoint("a", "down"), lastError: { code: "c", detail: String(at), at } }]),
    failures: Array.from({ length: 40 }, (_, index) => ({
      at: at - index,
      reason: "queue_full" as const,
      status: 503,
      method: "GET",
      target: "/",
      upstream: "app",
      endpoint: "",
      detail: "",
    })),
  });
  for (const sum of [addReports(failed(1000), failed(990)), addReports(failed(990), failed(1000))]) {
    assert.equal(sum.upstreams[0]?.endpoints[0]?.lastError?.at, 1000);
    assert.equal(sum.failures.length, 50);
    assert.deepEqual(sum.failures.slice(0, 12).map(({ at }) => at), [
      ...Array.from({ length: 10 }, (_, index) => 1000 - index),
      990,
      990,
    ]);
  }
});

test("report: of a worker that is gone the sums remain", () => {
  const rest = sumsOnly(reportOf([endpoint("a", "up")], [5]));
  assert.deepEqual([rest.connections, rest.tunnels, rest.residentBytes], [0, 0, 0]);
  const [app] = rest.upstreams;
  assert.deepEqual([app?.waiting, app?.waitsMs, app?.inFlight], [0, [], 0]);
  assert.deepEqual(app?.endpoints[0], {
    ...endpoint("a", null),
    inFlight: 0,
    idle: 0,
    dialing: 0,
    pinned: 0,
    sentAt: 7,
  });
  assert.equal(rest.totals.requests, 3);
  assert.equal(app?.totals.requests, 3);
});

test("report: names that are gone are left out, but not their part of the whole", () => {
  const kept = keepNames(
    reportOf([endpoint("a", "up"), endpoint("b", "up")]),
    [{ name: "app", endpoints: [{ name: "b" }] }],
    [],
  );
  assert.deepEqual(kept.upstreams[0]?.endpoints.map(({ name }) => name), ["b"]);
  assert.deepEqual(kept.routes, []);
  assert.equal(kept.totals.requests, 3);
  assert.deepEqual(keepNames(kept, [], []).upstreams, []);
});

test("latency buckets: a bound belongs to the bucket below it", () => {
  LATENCY_BUCKETS_MS.forEach((bound, index) => {
    assert.equal(bucketOf(bound), index);
    assert.equal(bucketOf(bound + 0.001), index + 1);
  });
  assert.equal(bucketOf(0), 0);
  assert.equal(bucketOf(1e9), LATENCY_BUCKETS_MS.length);
});
