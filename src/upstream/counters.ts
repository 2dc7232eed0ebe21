/**
 * Sums about requests. They lie on the object that they are about (an upstream, an endpoint, a route), so that
 * adding to them needs no look-up by name; who counts puts them there. See observe/exchange_counters.ts.
 */

const DECADE = [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8];

/**
 * Upper bounds of the buckets of every latency histogram, in milliseconds: ten to a power of ten, from 0.1 ms to a
 * minute; one more without bound follows.
 */
export const LATENCY_BUCKETS_MS: readonly number[] = [
  ...DECADE.map((step) => step / 10),
  ...[1, 10, 100, 1000].flatMap((scale) => DECADE.map((step) => step * scale)),
  ...DECADE.slice(0, -1).map((step) => step * 10_000),
];

// Bounds are multiples of these up to 10 ms, to a second, and to a minute. So a division finds the bucket.
const FINE_PARTS = 40;
const MIDDLE_MS = 2.5;
const COARSE_MS = 250;
const FINE = bucketsOfMultiples(1 / FINE_PARTS, 10);
const MIDDLE = bucketsOfMultiples(MIDDLE_MS, 1000);
const COARSE = bucketsOfMultiples(COARSE_MS, 60_000);

/** Index of the bucket that `ms` falls into: a bound belongs to the bucket below it. */
export function bucketOf(ms: number): number {
  if (ms <= 10) return FINE[Math.ceil(ms * FINE_PARTS)] as number;
  if (ms <= 1000) return MIDDLE[Math.ceil(ms / MIDDLE_MS)] as number;
  return ms <= 60_000 ? COARSE[Math.ceil(ms / COARSE_MS)] as number : LATENCY_BUCKETS_MS.length;
}

/** The bucket of every multiple of `step` up to `last`. */
function bucketsOfMultiples(step: number, last: number): Uint8Array {
  const buckets = new Uint8Array(Math.round(last / step) + 1);
  let bucket = 0;
  for (let at = 0; at < buckets.length; at++) {
    // Half a step off, since a multiple need not be met exactly.
    while ((LATENCY_BUCKETS_MS[bucket] as number) <= (at - 0.5) * step) bucket++;
    buckets[at] = bucket;
  }
  return buckets;
}

function newBuckets(): number[] {
  return new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0);
}

/** Of an upstream, a route, or of all. */
export class Counters {
  requests = 0;
  /** By first digit of the status; [0] counts requests that ended without one. */
  readonly byClass: number[] = [0, 0, 0, 0, 0, 0];
  failed = 0;
  /** Of the bodies, without framing. */
  requestBytes = 0;
  responseBytes = 0;
  /** Attempts after the first. */
  retries = 0;
  /** Requests that waited while no endpoint could be reached. */
  held = 0;
  /** From the first byte of the request to the last of the response. */
  readonly latency: number[] = newBuckets();
  latencyMs = 0;
  /** The part of it spent in the waiting room, of those that were there. */
  readonly waited: number[] = newBuckets();
  waitedMs = 0;
  /** Failed requests by reason; a code that never occurred is missing. */
  readonly reasons = new Map<string, number>();
}

/** Of an endpoint: requests that it answered. */
export class EndpointCounters {
  readonly byClass: number[] = [0, 0, 0, 0, 0, 0];
  /** From sending the request to the first byte of the response. */
  readonly firstByte: number[] = newBuckets();
  firstByteMs = 0;
}

/** Something that requests are counted for. */
export interface Counted {
  readonly name: string;
  /** Null until the first request; belongs to the counting side (observe/). */
  counters: Counters | null;
}
