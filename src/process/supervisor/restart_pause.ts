/** How long to wait before a worker that ended is replaced. */

const FIRST_MS = 100;
const MOST_MS = 10_000;

/**
 * 100 ms, doubled with every failure in a row, at most 10 s; less by chance up to half, so that workers
 * which die together do not come back together.
 *
 * @param failures how many in a row, this one included, >= 1
 * @param random uniform in 0 to 1
 */
export function restartPause(failures: number, random: number): number {
  const longest = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return longest * (1 - random / 2);
}
