/**
 * Sums about requests. They lie on the object that they are about (an upstream, an endpoint, a route), so that
 * adding to them needs no look-up by name; who counts puts them there. See observe/counters.ts.
 */

/** Upper bounds of the buckets of every latency histogram, in milliseconds; one more without bound follows. */
export const LATENCY_BUCKETS_MS: readonly number[] = [
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10_000,
  30_000,
  60_000,
];

/** Index of the bucket that `ms` falls into: a bound belongs to the bucket below it. */
export function bucketOf(ms: number): number {
  // A chain, and not a search: most requests end in one of the first few.
  if (ms <= 10) return ms <= 1 ? 0 : ms <= 2.5 ? 1 : ms <= 5 ? 2 : 3;
  if (ms <= 250) return ms <= 25 ? 4 : ms <= 50 ? 5 : ms <= 100 ? 6 : 7;
  if (ms <= 5000) return ms <= 500 ? 8 : ms <= 1000 ? 9 : ms <= 2500 ? 10 : 11;
  return ms <= 10_000 ? 12 : ms <= 30_000 ? 13 : ms <= 60_000 ? 14 : 15;
}

function newBuckets(): number[] {
  return new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0);
}

/** Of an upstream, a route, or of all. */
export class Tally {
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
export class EndpointTally {
  readonly byClass: number[] = [0, 0, 0, 0, 0, 0];
  /** From sending the request to the first byte of the response. */
  readonly firstByte: number[] = newBuckets();
  firstByteMs = 0;
}

/** Something that requests are counted for. */
export interface Tallied {
  readonly name: string;
  /** Null until the first request; belongs to whoever counts. */
  tally: Tally | null;
}
