/** The text format of Prometheus, version 0.0.4. */

import { type Histogram, LATENCY_BUCKETS_S, type Status } from "../process/worker/status.ts";
import type { Metric } from "./metric.ts";
import { METRICS } from "./metric_table.ts";

/** Each bucket is a series of its own in every time series database: these are enough. All are bounds of the histograms. */
const SHOWN_BOUNDS_S: readonly number[] = [
  0.000_25,
  0.000_5,
  0.001,
  0.002_5,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
];

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function renderMetrics(status: Status): string {
  return METRICS.filter(({ applies }) => applies?.(status) !== false).map((metric) =>
    renderMetric(metric, status)
  ).join("");
}

function renderMetric(metric: Metric, status: Status): string {
  const { name, type, help, labels } = metric;
  let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  for (const [values, value] of metric.samples(status)) {
    const pairs = labels.map((label, at) => `${label}="${escaped(values[at] ?? "")}"`);
    text += typeof value === "number"
      ? `${name}${braced(pairs)} ${value}\n`
      : renderHistogram(name, pairs, value);
  }
  return text;
}

function renderHistogram(name: string, pairs: readonly string[], { counts, sum_ms }: Histogram): string {
  let text = "";
  let sum = 0;
  [...LATENCY_BUCKETS_S, Infinity].forEach((bound, at) => {
    sum += counts[at] ?? 0;
    if (bound !== Infinity && !SHOWN_BOUNDS_S.includes(bound)) return;
    const le = bound === Infinity ? "+Inf" : String(bound);
    text += `${name}_bucket${braced([...pairs, `le="${le}"`])} ${sum}\n`;
  });
  return text + `${name}_sum${braced(pairs)} ${sum_ms / 1000}\n${name}_count${braced(pairs)} ${sum}\n`;
}

function braced(pairs: readonly string[]): string {
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Names come out of the configuration; the format knows three escapes. */
function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
