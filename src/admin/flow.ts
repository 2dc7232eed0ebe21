/** What happened between two statuses: rates and latencies of late, not since the start. */

import {
  type EndpointStatus,
  type Histogram,
  LATENCY_BUCKETS_S,
  type Status,
  type Totals,
} from "../process/worker/status.ts";

/** Of requests that ended in the time between. */
export interface Flow {
  readonly requests: number;
  readonly perSecond: number;
  readonly failed: number;
  readonly failedPerSecond: number;
  /** Bytes of bodies a second, from and to clients. */
  readonly inPerSecond: number;
  readonly outPerSecond: number;
  readonly latency: Histogram;
}

/** @param before null = everything counts, since the start */
export function flowBetween(before: Totals | null, after: Totals, seconds: number): Flow {
  // Sums that have become smaller are those of another process.
  const from = before !== null && before.requests <= after.requests ? before : null;
  const per = seconds > 0 ? 1 / seconds : 0;
  const requests = after.requests - (from?.requests ?? 0);
  const failed = Math.max(0, after.failed - (from?.failed ?? 0));
  return {
    requests,
    perSecond: requests * per,
    failed,
    failedPerSecond: failed * per,
    inPerSecond: Math.max(0, after.request_bytes - (from?.request_bytes ?? 0)) * per,
    outPerSecond: Math.max(0, after.response_bytes - (from?.response_bytes ?? 0)) * per,
    latency: since(from?.latency ?? null, after.latency),
  };
}

/** Seconds between two statuses of one process; 0 when they are of different ones. */
export function secondsBetween(before: Status, after: Status): number {
  if (before.started !== after.started) return 0;
  return Math.max(0, after.uptime_ms - before.uptime_ms) / 1000;
}

/** What came on top of `before`. */
export function since(before: Histogram | null, after: Histogram): Histogram {
  if (before === null || before.sum_ms > after.sum_ms) return after;
  return {
    counts: after.counts.map((count, at) => Math.max(0, count - (before.counts[at] ?? 0))),
    sum_ms: after.sum_ms - before.sum_ms,
  };
}

/**
 * The time that a part of the requests did not exceed, estimated within its bucket. Milliseconds; null when
 * nothing was counted.
 *
 * @param part 0 to 1
 */
export function percentile({ counts, sum_ms }: Histogram, part: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = part * total;
  let below = 0;
  for (let at = 0; at < counts.length; at++) {
    const count = counts[at] ?? 0;
    if (count > 0 && below + count >= rank) {
      const lower = (LATENCY_BUCKETS_S[at - 1] ?? 0) * 1000;
      const upper = (LATENCY_BUCKETS_S[at] ?? LATENCY_BUCKETS_S.at(-1) ?? 0) * 1000;
      const estimate = lower + (upper - lower) * ((rank - below) / count);
      // One that is alone in the histogram is known exactly, and none took longer than all together.
      return total === 1 ? sum_ms : Math.min(estimate, Math.max(lower, sum_ms));
    }
    below += count;
  }
  return null;
}

/** Of requests that an endpoint answered in the time between. */
export interface EndpointFlow {
  readonly perSecond: number;
  /** Failed dials and connections. */
  readonly failures: number;
  readonly firstByte: Histogram;
}

/** @param before null = everything counts, since the start */
export function endpointFlow(
  before: EndpointStatus | null,
  after: EndpointStatus,
  seconds: number,
): EndpointFlow {
  const from = before !== null && before.answered <= after.answered ? before : null;
  return {
    perSecond: seconds > 0 ? (after.answered - (from?.answered ?? 0)) / seconds : 0,
    failures: Math.max(0, after.failures - (from?.failures ?? 0)),
    firstByte: since(from?.first_byte ?? null, after.first_byte),
  };
}
