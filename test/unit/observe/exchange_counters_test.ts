import assert from "node:assert/strict";
import { test } from "node:test";
import { newExchangeRecord } from "../../../src/exchange/exchange_record.ts";
import { type CountedEndpoint, ExchangeCounters } from "../../../src/observe/exchange_counters.ts";
import { totalsOf } from "../../../src/process/worker/report.ts";
import { bucketOf, type Counted } from "../../../src/upstream/counters.ts";

function named(name: string): Counted {
  return { name, counters: null };
}

function endpointNamed(name: string): CountedEndpoint {
  return { name, counters: null };
}

const base = {
  ...newExchangeRecord(),
  status: 200,
  attempts: 1,
  responseBodyBytes: 10,
  totalMs: 2,
  firstByteMs: 1,
};

test("counters: sums over all, by route, by upstream, by endpoint and by reason", () => {
  const counters = new ExchangeCounters();
  const [route, app, other] = [named("/"), named("app"), named("other")];
  const endpoint = endpointNamed("127.0.0.1:3000");
  counters.record(base, route, app, endpoint);
  counters.record(
    { ...base, status: 503, reason: "hold_timeout", attempts: 3, heldMs: 5, waitMs: 30 },
    route,
    app,
    null,
  );
  counters.record({ ...base, status: 0, reason: "client_gone", attempts: 0 }, null, null, null);
  counters.record({ ...base, status: 999 }, route, other, endpointNamed("127.0.0.1:3000"));
  const { all } = counters;
  assert.equal(all.requests, 4);
  assert.deepEqual(all.byClass, [2, 0, 1, 0, 0, 1]);
  assert.equal(all.retries, 2);
  assert.equal(all.held, 1);
  assert.equal(all.responseBytes, 40);
  assert.equal(all.latencyMs, 8);
  assert.equal(all.latency[bucketOf(2)], 4);
  const waited = bucketOf(30);
  assert.deepEqual([all.waited[0], all.waited[waited], all.waitedMs], [0, 1, 30]);
  const { counts } = totalsOf(all).waited;
  assert.deepEqual([counts[0], counts[waited], counts.length], [3, 1, waited + 1], "all that did not wait");
  assert.equal(all.failed, 2);
  assert.deepEqual([...all.reasons], [["hold_timeout", 1], ["client_gone", 1]]);
  assert.equal(counters.upstream("app")?.requests, 2);
  assert.deepEqual([...counters.upstream("app")?.reasons ?? []], [["hold_timeout", 1]]);
  assert.equal(counters.upstream("other")?.requests, 1);
  assert.equal(counters.route("/")?.requests, 3);
  assert.deepEqual(counters.endpoint("app", "127.0.0.1:3000")?.byClass, [0, 0, 1, 0, 0, 0]);
  assert.equal(counters.endpoint("app", "127.0.0.1:3000")?.firstByteMs, 1);
  assert.equal(counters.endpoint("other", "127.0.0.1:3000")?.byClass[0], 1, "its own, not its namesake's");
});

test("counters: a tunnel's latency ends when it opens", () => {
  const counters = new ExchangeCounters();
  counters.record(
    { ...base, status: 101, upgraded: true, headMs: 1, waitMs: 2, firstByteMs: 3, totalMs: 3_600_000 },
    null,
    null,
    null,
  );
  assert.equal(counters.all.latencyMs, 6);
  assert.equal(counters.all.latency[bucketOf(6)], 1);
});

test("counters: a new object of the same name goes on counting, a name that is gone is forgotten", () => {
  const counters = new ExchangeCounters();
  const before = named("app");
  counters.record(base, named("/a"), before, endpointNamed("e"));
  counters.record(base, named("/a"), named("app"), endpointNamed("e"));
  assert.equal(counters.upstream("app")?.requests, 2);
  assert.equal(counters.route("/a")?.requests, 2);
  assert.equal(counters.endpoint("app", "e")?.byClass[2], 2);
  counters.keepOnly([{ name: "app", endpoints: [] }], [{ name: "/b" }]);
  assert.equal(counters.upstream("app")?.requests, 2);
  assert.equal(counters.route("/a"), null);
  assert.equal(counters.endpoint("app", "e"), null);
  counters.keepOnly([], []);
  assert.equal(counters.upstream("app"), null);
  counters.record(base, null, before, null);
  assert.equal(counters.upstream("app"), null, "one that was still under way brings no name back");
  assert.equal(counters.all.requests, 3, "but counts");
});
