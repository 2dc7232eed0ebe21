/**
 * One turn of the event loop, as all that handle requests see it: the time at which it began, and the deadlines that
 * events of the platform set. One object serves the whole process.
 *
 * Every event of the platform (bytes, a timer, a dial's outcome) begins a turn and ends it; in between the clock is not
 * read again. What was written to connections during a turn leaves at its end.
 */

import type { Clock } from "../../runtime/contract/contract.ts";
import type { DeadlineQueue } from "./deadline_queue.ts";

export interface Turn {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  /** Monotonic milliseconds at which the present turn began. */
  readonly now: number;
  /** An event of the platform has come. */
  begin(): void;
  /** The event has been handled. May be called within another turn. */
  end(): void;
}
