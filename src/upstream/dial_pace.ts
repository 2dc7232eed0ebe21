/** How long to pause between dials to an endpoint that is down. */

/** Share of the time down so far: how much later than the endpoint's return we notice it, at most. */
const SHARE = 0.04;
/** A refused dial on the loopback costs tens of microseconds, so a millisecond's pause is affordable. */
const SHORTEST_MS = 1;
const LONGEST_MS = 250;
/** From then on the pause varies, so that many proxies do not dial in step. */
const JITTER_AFTER_MS = 2000;
const JITTER = 0.2;

/**
 * A pause in proportion to the outage: a restart of 50 ms is noticed within 2 ms, one of 5 s within
 * 200 ms, and a long one costs four dials a second. A fixed pause is either late for the short ones or
 * wasteful for the long ones.
 *
 * @param downMs time since the first failed dial, >= 0
 * @param fixedMs the user's own pause, or null
 * @param random 0 to 1
 * @returns milliseconds to the next dial
 */
export function dialPause(downMs: number, fixedMs: number | null, random: number): number {
  if (fixedMs !== null) return Math.max(SHORTEST_MS, fixedMs);
  const pause = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, downMs * SHARE));
  return downMs < JITTER_AFTER_MS ? pause : pause * (1 - JITTER / 2 + JITTER * random);
}

/** Longest pause for want of answers alone. */
const LONGEST_DROP_MS = 50;

/**
 * The least pause before an endpoint is asked again that takes connections and drops them: it doubles, because each of
 * them costs a request, and perhaps a process that dies of it, not just a refused dial.
 *
 * @param drops how many in a row, >= 1
 * @returns milliseconds
 */
export function dropPause(drops: number): number {
  return Math.min(LONGEST_DROP_MS, 2 ** Math.min(drops - 1, 6));
}
