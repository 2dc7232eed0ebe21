/**
 * One turn of the event loop, as the byte path sees it: the time at which it began, and the writes that
 * are joined until it ends. One object serves the whole process.
 *
 * Every event of the platform (bytes, a timer, a dial's outcome) begins a turn and ends it; in between
 * nobody reads the clock again.
 */

import type { Clock } from "../../runtime/contract.ts";
import { DeadlineQueue } from "../time/deadline_queue.ts";
import { OutputBuffer } from "./output_buffer.ts";

export class Turn {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly output = new OutputBuffer();
  /** Monotonic milliseconds at which the present turn began. */
  now: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.deadlines = new DeadlineQueue(clock);
    this.now = clock.now();
  }

  /** An event of the platform has come. */
  begin(): void {
    this.now = this.clock.now();
  }

  /** The event has been handled: what was written meanwhile goes out. */
  end(): void {
    this.output.flush();
  }
}
