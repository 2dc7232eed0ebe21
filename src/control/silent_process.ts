/** The process that drains after an upgrade and does not answer: it is stopped (SIGSTOP), or hangs. */

import { ELDER_PATIENCE_MS } from "../process/supervisor/participants.ts";
import { refuse } from "./names.ts";
import type { Outcome } from "./plane.ts";

/** A sentence about what a verb could not do. @param pid of the process */
export function silentWords(pid: number): string {
  return `Process ${pid}, which drains since the upgrade, has not answered in ${
    ELDER_PATIENCE_MS / 1000
  } s: ` +
    "all others have done it, and it does so once it goes on.";
}

/**
 * The outcome of a verb that all have carried out but this process; null = there is none such. What was done stays done.
 */
export function unlessSilent<T>(outcome: Outcome<T>, pid: number | null): Outcome<T> {
  if (pid === null) return outcome;
  if (outcome.ok) return refuse("timeout", silentWords(pid));
  return outcome.code === "timeout"
    ? { ...outcome, message: `${outcome.message} ${silentWords(pid)}` }
    : outcome;
}
