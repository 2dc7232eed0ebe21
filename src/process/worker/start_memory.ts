/** Memory that only the start has needed. It is given back when the process serves, a few times. */

import type { Runtime } from "../../../runtime/contract/contract.ts";

/**
 * From the end of the start to the first time, and from each time to the next. The first connections, which need more of
 * the program, are often right behind the ready signals. Bun looks at its heap once a second for half a minute, and
 * rarely after that: what it needs for a look is back the first time, and is not fetched back soon after the last.
 */
const WAITS_MS = [250, 2_750, 42_000] as const;
/** Nothing is coming just now when there was no event for so long. */
const QUIET_MS = 1_000;
/** How often is looked for a quiet moment. */
const LOOK_MS = 10_000;

/**
 * To be called when the start is over. Nothing is waited for: the process may end before.
 *
 * @param lastEventAt when connections have had their last event, in monotonic milliseconds; but for the first time, pages
 *   are given back only while there are none, or they would be fetched back at once
 */
export function releaseStartMemory(
  { clock, releaseProgram }: Pick<Runtime, "clock" | "releaseProgram">,
  lastEventAt: () => number,
): void {
  if (releaseProgram === undefined) return;
  const wait = (times: number, ms: number) => void clock.setTimer(ms, () => look(times), true);
  /** @param times how often it was given back */
  const look = (times: number) => {
    if (times > 0 && clock.now() - lastEventAt() < QUIET_MS) {
      wait(times, LOOK_MS);
      return;
    }
    releaseProgram();
    const next = WAITS_MS[times + 1];
    if (next !== undefined) wait(times + 1, next);
  };
  wait(0, WAITS_MS[0]);
}
