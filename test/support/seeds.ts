/**
 * The seeds that random walks run with.
 *
 *     SLUICE_TEST_SEED=17 bun test FILE            one of them: what a failure prints
 *     SLUICE_TEST_SEEDS=5000 bun test FILE         more than usual, from 1 on
 *     SLUICE_TEST_SEEDS=5001-9000 bun test FILE    others
 */

import process from "node:process";

type Environment = Readonly<Record<string, string | undefined>>;

/** @param usual how many there are when nothing else is asked for. @throws Error when what is asked for is no seed, or none at all */
export function walkSeeds(
  usual: number,
  environment: Environment = process.env,
): number[] {
  const one = environment["SLUICE_TEST_SEED"] ?? "";
  const range = one === "" ? environment["SLUICE_TEST_SEEDS"] ?? `1-${usual}` : `${one}-${one}`;
  const [, from = "1", to = ""] = /^(?:(\d+)-)?(\d+)$/.exec(range) ?? [];
  if (to === "" || Number(to) < Number(from)) {
    throw new Error(`SLUICE_TEST_SEED=NUMBER, SLUICE_TEST_SEEDS=NUMBER or FROM-TO, not ${range}`);
  }
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => Number(from) + index);
}

/** The same in groups of `each`, a test for each of which the last may be smaller. */
export function walkSeedGroups(
  usual: number,
  each: number,
  environment: Environment = process.env,
): number[][] {
  const groups: number[][] = [];
  const seeds = walkSeeds(usual, environment);
  for (let at = 0; at < seeds.length; at += each) groups.push(seeds.slice(at, at + each));
  return groups;
}

/** For names of tests: `1 to 20`, or `17`. */
export function groupName(seeds: readonly number[]): string {
  return seeds.length === 1 ? String(seeds[0]) : `${seeds[0]} to ${seeds.at(-1)}`;
}
