/** Sums of several workers, or of several rules, together. */

import type { ReasonCode } from "../../exchange/reason.ts";
import type { Histogram, Totals } from "./status.ts";

export type ReasonCounts = Readonly<Partial<Record<ReasonCode, number>>>;

export function addTotals(a: Totals, b: Totals): Totals {
  return {
    requests: a.requests + b.requests,
    by_class: addCounts(a.by_class, b.by_class),
    failed: a.failed + b.failed,
    request_bytes: a.request_bytes + b.request_bytes,
    response_bytes: a.response_bytes + b.response_bytes,
    retries: a.retries + b.retries,
    held: a.held + b.held,
    latency: addHistograms(a.latency, b.latency),
    waited: addHistograms(a.waited, b.waited),
  };
}

export function addCounts(a: readonly number[], b: readonly number[]): number[] {
  return a.map((count, at) => count + (b[at] ?? 0));
}

export function addHistograms(a: Histogram, b: Histogram): Histogram {
  const [short, long] = a.counts.length < b.counts.length ? [a, b] : [b, a];
  return { counts: addCounts(long.counts, short.counts), sum_ms: a.sum_ms + b.sum_ms };
}

export function addReasons(a: ReasonCounts, b: ReasonCounts): ReasonCounts {
  const sum: Partial<Record<ReasonCode, number>> = { ...a };
  for (const [code, count] of Object.entries(b) as [ReasonCode, number][]) {
    sum[code] = (sum[code] ?? 0) + count;
  }
  return sum;
}
