/** Waiting until a condition holds in all workers. They are asked again and again, as long as a verb waits. */

import type { Clock } from "../../runtime/contract/contract.ts";
import type { Quiet } from "./plane.ts";
import type { Report } from "../process/worker/report.ts";

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 50;

/** Time that can be waited, and given up. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      timer.cancel();
      signal?.removeEventListener("abort", end);
      done();
    };
    const timer = clock.setTimer(ms, end, true);
    signal?.addEventListener("abort", end);
    if (signal?.aborted === true) end();
  });
}

/**
 * Looks until `holds` says so, time is up, or who asked has gone.
 *
 * @returns whether it came true
 */
export async function until(
  clock: Clock,
  look: () => Promise<boolean>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (timeoutMs === 0) return await look();
  const end = clock.now() + timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    // A worker that does not answer must not make a wait longer than asked for.
    const seen = await within(clock, look(), Math.max(0, end - clock.now()), signal);
    if (seen === true) return true;
    if (seen === null || signal?.aborted === true || clock.now() >= end) return false;
    await sleep(clock, Math.min(pauseMs, end - clock.now()), signal);
  }
}

/**
 * The result of `work`, or null when it is not there in time or `signal` is aborted. Leaves no timer behind. To race
 * each of many results against one long timer would: every race stays registered with the timer's promise until that ends.
 */
export function within<T>(
  clock: Clock,
  work: Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = () => {
      timer.cancel();
      signal?.removeEventListener("abort", giveUp);
    };
    const giveUp = () => {
      end();
      resolve(null);
    };
    const timer = clock.setTimer(timeoutMs, giveUp, true);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted === true) giveUp();
    work.finally(end).then(resolve, reject);
  });
}

/**
 * What is under way in some upstreams (null = in all, those included that are no longer in the configuration and still
 * have requests). Tunnels live for as long as they like, and count as nothing here.
 */
export function quietOf(report: Report, upstreams: readonly string[] | null): Quiet {
  let inFlight = 0;
  let waiting = 0;
  for (const upstream of report.upstreams) {
    if (upstreams?.includes(upstream.name) === false) continue;
    inFlight += upstream.inFlight - upstream.tunnels;
    waiting += upstream.waiting;
  }
  if (upstreams === null && report.forward !== undefined) {
    inFlight += report.forward.inFlight - report.forward.upgraded;
    waiting += report.forward.waiting;
  }
  return { in_flight: inFlight, waiting };
}
