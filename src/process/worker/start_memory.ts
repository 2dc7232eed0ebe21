/** Memory that only the start has needed. It is given back once, when the process serves. */

import type { Runtime } from "../../../runtime/contract/contract.ts";

/** The first connections, which need more of the program, are often right behind the ready signals. */
const AFTER_MS = 250;

/** To be called when the start is over. Nothing is waited for: the process may end before. */
export function releaseStartMemory(runtime: Pick<Runtime, "clock" | "releaseProgram">): void {
  runtime.clock.setTimer(AFTER_MS, () => runtime.releaseProgram?.(), true);
}
