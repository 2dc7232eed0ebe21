/**
 * The last minutes, for the status page's curves and for rates: a few whole statuses, and of each upstream
 * and of all together one point per sample.
 */

import type { Status, Totals } from "../process/worker/status.ts";
import { type Flow, flowBetween, percentile, secondsBetween } from "./flow.ts";

/** Time between samples, in milliseconds. */
export const SAMPLE_MS = 2000;
/** Samples that rates and percentiles are taken over. */
export const WINDOW_SAMPLES = 5;
/** Points of a curve. */
export const MOST_POINTS = 150;

/** Between two samples. */
export interface Point {
  readonly perSecond: number;
  readonly failedPerSecond: number;
  /** Milliseconds; null when no request ended. */
  readonly p50: number | null;
  readonly p99: number | null;
}

export class History {
  /** Oldest first. */
  #statuses: Status[] = [];
  #all: Point[] = [];
  #upstreams = new Map<string, Point[]>();

  /** Adds a sample. To be called every `SAMPLE_MS`. */
  add(status: Status): void {
    const before = this.#statuses.at(-1);
    const seconds = before === undefined ? 0 : secondsBetween(before, status);
    this.#statuses.push(status);
    if (this.#statuses.length > WINDOW_SAMPLES) this.#statuses.shift();
    if (before === undefined || seconds <= 0) return;
    append(this.#all, pointOf(flowBetween(before.totals, status.totals, seconds)));
    const upstreams = new Map<string, Point[]>();
    for (const { name, totals } of status.upstreams) {
      const points = this.#upstreams.get(name) ?? [];
      const earlier = before.upstreams.find((upstream) => upstream.name === name);
      append(points, pointOf(flowBetween(earlier?.totals ?? null, totals, seconds)));
      upstreams.set(name, points);
    }
    this.#upstreams = upstreams;
  }

  /** Oldest first. */
  get points(): readonly Point[] {
    return this.#all;
  }

  pointsOf(upstream: string): readonly Point[] {
    return this.#upstreams.get(upstream) ?? [];
  }

  /** The status that rates up to `now` are taken from; null when there is none yet. */
  reference(now: Status): Status | null {
    const oldest = this.#statuses[0];
    return oldest === undefined || secondsBetween(oldest, now) <= 0 ? null : oldest;
  }
}

/** Rates and latencies up to `now`. Without a reference: those since the start. */
export function recentFlow(
  reference: Status | null,
  now: Status,
  of: (status: Status) => Totals | undefined,
): Flow {
  const after = of(now);
  if (after === undefined) throw new Error("the status has no such sums");
  const before = reference === null ? null : of(reference) ?? null;
  const seconds = reference === null ? now.uptime_ms / 1000 : secondsBetween(reference, now);
  return flowBetween(before, after, seconds);
}

function pointOf(flow: Flow): Point {
  return {
    perSecond: flow.perSecond,
    failedPerSecond: flow.failedPerSecond,
    p50: percentile(flow.latency, 0.5),
    p99: percentile(flow.latency, 0.99),
  };
}

function append(points: Point[], point: Point): void {
  points.push(point);
  if (points.length > MOST_POINTS) points.shift();
}
