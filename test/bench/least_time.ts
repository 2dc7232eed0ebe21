/**
 * Times a piece of work for the micro-benchmarks: the least of several rounds, because on a shared machine
 * the slow rounds measure the others.
 */

const ROUNDS = 12;
const ROUND_MS = 25;

/**
 * Nanoseconds per call of `work`, which is called at least `ROUNDS` times.
 *
 * @param work its sum is looked at, so that no compiler leaves it out
 */
export function leastNanos(work: () => number): number {
  let least = Infinity;
  let calls = 1;
  let sum = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now();
    for (let i = 0; i < calls; i++) sum += work();
    const tookMs = performance.now() - begun;
    // The first rounds only find out how many calls fill one.
    if (calls > 1 || tookMs > ROUND_MS) least = Math.min(least, tookMs / calls);
    else round = Math.max(round - 1, -1);
    calls = tookMs < 1
      ? calls * 10
      : Math.min(10_000_000, Math.max(1, Math.round((calls * ROUND_MS) / tookMs)));
  }
  if (sum === -1) throw new Error("not reached");
  return least * 1e6;
}

/** One line of figures under a name; how they grow is to be seen at a glance. */
export function printRow(name: string, figures: readonly (number | string)[]): void {
  const cells = figures.map((figure) =>
    (typeof figure === "string" ? figure : figure.toFixed(figure < 100 ? 1 : 0)).padStart(10)
  );
  console.log(name.padEnd(54) + cells.join(""));
}
