/** A turn of the event loop without any platform: time stands still until the clock is moved. */

import { DeadlineQueue } from "../../../src/time/deadline_queue.ts";
import type { Turn } from "../../../src/time/turn.ts";
import type { FakeClock } from "../fake_clock.ts";

export class TestTurn implements Turn {
  readonly clock: FakeClock;
  readonly deadlines: DeadlineQueue;
  now: number;

  constructor(clock: FakeClock) {
    this.clock = clock;
    this.deadlines = new DeadlineQueue(clock);
    this.now = clock.now();
  }

  begin(): void {
    this.now = this.clock.now();
  }

  end(): void {}

  /** Something happens: one turn. */
  take(happens: () => void): void {
    this.begin();
    happens();
    this.end();
  }
}
