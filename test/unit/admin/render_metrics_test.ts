import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { METRICS } from "../../../src/admin/metric_table.ts";
import { renderMetrics } from "../../../src/admin/render_metrics.ts";
import {
  endpointStatus,
  forwardStatus,
  sampleStatus,
  totals,
  upstreamStatus,
} from "../../support/sample_status.ts";
import { bucketOf, LATENCY_BUCKETS_MS } from "../../../src/upstream/counters.ts";

function linesOf(name: string, text: string): string[] {
  return text.split("\n").filter((line) => new RegExp(`^${name}[ {]`).test(line));
}

test("metrics: every sample of the table is under its own heading", () => {
  const text = renderMetrics(
    sampleStatus({
      forward: forwardStatus(),
      credentials: [{ name: "corp", used: 3, challenged: 2, rejected: 1 }],
    }),
  );
  assert.ok(text.endsWith("\n"));
  let current = "";
  for (const line of text.trimEnd().split("\n")) {
    const heading = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (heading !== null) current = heading[2] ?? "";
    else assert.match(line, new RegExp(`^${current}(?:_bucket|_sum|_count)?(?:\\{[^}]*\\})? \\S+$`));
  }
  assert.deepEqual(
    [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]),
    METRICS.map(({ name }) => name),
  );
});

test("metrics: names follow the conventions, and none is used twice", () => {
  assert.equal(new Set(METRICS.map(({ name }) => name)).size, METRICS.length);
  for (const { name, type, help, labels } of METRICS) {
    assert.match(name, /^sluice_[a-z_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    if (type === "histogram") assert.match(name, /_seconds$/);
    assert.match(help, /^[A-Z0-9].*\.$/, name);
    assert.ok(!/\\|\n/.test(help), name);
    for (const label of labels) assert.match(label, /^[a-z]+$/);
  }
});

test("metrics: histograms are cumulative, in seconds, and end with +Inf", () => {
  const counts = new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0);
  for (const [ms, count] of [[0.2, 3], [2.6, 2], [30, 1], [30_001, 4]] as const) counts[bucketOf(ms)] = count;
  const latency = { counts, sum_ms: 15 };
  const text = renderMetrics(sampleStatus({ totals: { ...totals(), latency } }));
  const buckets = linesOf("sluice_request_duration_seconds_bucket", text);
  assert.deepEqual(
    buckets.map((line) => / (\d+)$/.exec(line)?.[1]),
    [3, 3, 3, 3, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 10, 10].map(String),
  );
  assert.equal(buckets[0], 'sluice_request_duration_seconds_bucket{le="0.00025"} 3');
  assert.equal(buckets[4], 'sluice_request_duration_seconds_bucket{le="0.005"} 5');
  assert.equal(buckets[16], 'sluice_request_duration_seconds_bucket{le="60"} 10');
  assert.equal(buckets[17], 'sluice_request_duration_seconds_bucket{le="+Inf"} 10');
  assert.deepEqual(linesOf("sluice_request_duration_seconds_count", text), [
    "sluice_request_duration_seconds_count 10",
  ]);
  assert.deepEqual(linesOf("sluice_request_duration_seconds_sum", text), [
    "sluice_request_duration_seconds_sum 0.015",
  ]);
});

test("metrics: labels", () => {
  const text = renderMetrics(sampleStatus({
    upstreams: [
      upstreamStatus("app", {
        reasons: { queue_full: 4 },
        oldest_wait_ms: 1500,
        endpoints: [
          endpointStatus('unix:/tmp/a "b"\\c', { state: "down", by_class: [0, 0, 5, 0, 0, 2] }),
        ],
      }),
    ],
  }));
  assert.deepEqual(linesOf("sluice_upstream_failures_total", text), [
    'sluice_upstream_failures_total{upstream="app",reason="queue_full"} 4',
  ]);
  assert.deepEqual(linesOf("sluice_upstream_oldest_wait_seconds", text), [
    'sluice_upstream_oldest_wait_seconds{upstream="app"} 1.5',
  ]);
  assert.deepEqual(linesOf("sluice_endpoint_up", text), [
    'sluice_endpoint_up{upstream="app",endpoint="unix:/tmp/a \\"b\\"\\\\c"} 0',
  ]);
  assert.ok(text.includes(',code="5xx"} 2\n'));
  assert.deepEqual(linesOf("sluice_child_running", text), [], "only where there is one");
});

/** Debian's package `prometheus` brings it. */
const promtool = [process.env.PROMTOOL ?? "", "/usr/bin/promtool"].find((path) =>
  path !== "" && existsSync(path)
);

test("metrics: promtool has nothing to say", {
  skip: promtool === undefined ? "capability promtool: /usr/bin/promtool is not there" : false,
}, () => {
  const { status, stdout, stderr } = spawnSync(promtool as string, ["check", "metrics"], {
    input: renderMetrics(sampleStatus()),
    encoding: "utf8",
  });
  assert.equal(stdout + stderr, "");
  assert.equal(status, 0);
});
