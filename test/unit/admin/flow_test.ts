import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointFlow, flowBetween, percentile, secondsBetween, since } from "../../../src/admin/flow.ts";
import { History, MOST_POINTS, recentFlow } from "../../../src/admin/history.ts";
import {
  endpointStatus,
  histogram,
  sampleStatus,
  totals,
  upstreamStatus,
} from "../../support/sample_status.ts";
import { bucketOf } from "../../../src/upstream/counters.ts";

test("flow: the difference of two sums, a second", () => {
  const before = { ...totals(100), failed: 2 };
  const after = { ...totals(130), failed: 5 };
  const flow = flowBetween(before, after, 2);
  assert.deepEqual(
    [flow.requests, flow.perSecond, flow.failed, flow.failedPerSecond, flow.inPerSecond, flow.outPerSecond],
    [30, 15, 3, 1.5, 150, 15_000],
  );
  assert.equal(flow.latency.counts[0], 30);
});

test("flow: without a time before, and after a restart, everything counts", () => {
  assert.equal(flowBetween(null, totals(10), 5).perSecond, 2);
  assert.equal(flowBetween(totals(1000), totals(10), 5).perSecond, 2);
  assert.equal(flowBetween(totals(1), totals(10), 0).perSecond, 0, "no time has passed");
  assert.deepEqual(since(histogram(5), histogram(3)), histogram(3));
  const again = sampleStatus({ started: "2026-02-02T00:00:00.000Z" });
  assert.equal(secondsBetween(sampleStatus(), again), 0);
});

test("flow: of an endpoint", () => {
  const before = endpointStatus("a", { answered: 10, failures: 3, first_byte: histogram(10) });
  const after = endpointStatus("a", { answered: 16, failures: 4, first_byte: histogram(12, 4) });
  const flow = endpointFlow(before, after, 3);
  assert.deepEqual([flow.perSecond, flow.failures, flow.firstByte.counts.slice(0, 2)], [2, 1, [2, 4]]);
});

test("percentiles are estimated within their bucket", () => {
  assert.equal(percentile(histogram(), 0.5), null);
  // A hundred between 5 and 6 ms.
  const even = { counts: inBucketOf(6, 100), sum_ms: 550 };
  assert.equal(percentile(even, 0.5), 5.5);
  assert.equal(percentile(even, 1), 6);
  assert.equal(percentile({ counts: inBucketOf(6, 1), sum_ms: 5.2 }, 0.5), 5.2, "one is known exactly");
  // Ninety that took no time, ten above all bounds.
  const tail = { counts: [90, ...inBucketOf(Infinity, 10).slice(1)], sum_ms: 1_000_000 };
  assert.ok((percentile(tail, 0.5) ?? 9) < 0.1);
  assert.equal(percentile(tail, 0.99), 60_000);
});

test("percentiles are off by a third at most, from a tenth of a millisecond to a minute", () => {
  for (let ms = 0.11; ms < 60_000; ms *= 1.01) {
    const estimate = percentile({ counts: inBucketOf(ms, 1000), sum_ms: 1000 * ms }, 0.99) ?? 0;
    assert.ok(Math.abs(estimate / ms - 1) < 0.34, `${ms}: ${estimate}`);
  }
});

function inBucketOf(ms: number, count: number): number[] {
  const at = bucketOf(ms);
  return Array.from({ length: at + 1 }, (_, index) => index === at ? count : 0);
}

test("history: rates of late, points for curves, and an end to both", () => {
  const at = (second: number) =>
    sampleStatus({
      uptime_ms: second * 1000,
      totals: totals(second * 10),
      upstreams: [upstreamStatus("app", { totals: totals(second * 5) })],
    });
  const history = new History();
  assert.equal(history.reference(at(2)), null);
  assert.equal(recentFlow(null, at(2), (status) => status.totals).perSecond, 10, "since the start");
  for (let second = 2; second <= 2 * (MOST_POINTS + 10); second += 2) history.add(at(second));
  assert.equal(history.points.length, MOST_POINTS);
  assert.equal(history.pointsOf("app").length, MOST_POINTS);
  assert.deepEqual(history.pointsOf("none"), []);
  assert.equal(history.points.at(-1)?.perSecond, 10);
  assert.equal(history.pointsOf("app").at(-1)?.perSecond, 5);
  const now = at(2 * (MOST_POINTS + 11));
  const reference = history.reference(now);
  assert.equal(reference === null ? 0 : secondsBetween(reference, now), 10);
  history.add({ ...now, upstreams: [] });
  assert.deepEqual(history.pointsOf("app"), [], "a name that is gone is forgotten");
});
