/**
 * Tests never sleep: they wait for an event, and a watchdog turns an event that never comes into a
 * readable failure.
 */

/** Longest silence a test accepts, in milliseconds. Generous: a machine with ten times its load must not fail a test. */
export const watchdogMs: number = Number(process.env["SLUICE_TEST_WATCHDOG_MS"] ?? 60_000);

/** What a watchdog throws. */
export class WatchdogError extends Error {
  override name = "WatchdogError";
}

/**
 * Waits for `promise`, at most `ms`.
 *
 * @param what completes "still waiting for …"
 * @param detail asked for when time is up: what is known so far
 * @throws WatchdogError after `ms` milliseconds
 */
export function within<T>(
  promise: Promise<T>,
  what: string,
  ms: number = watchdogMs,
  detail?: () => string,
): Promise<T> {
  if (ms === Infinity) return promise;
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      const known = detail === undefined ? "" : `; ${detail()}`;
      reject(new WatchdogError(`after ${ms} ms still waiting for ${what}${known}`));
    }, ms);
    promise.then((value) => {
      clearTimeout(timer);
      resolve(value);
    }, (error: unknown) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** Lets the event loop take a turn, so that what was written is on its way and others run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
