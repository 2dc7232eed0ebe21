/**
 * Notices that an upstream has had no request for a while. Workers tell what they count when they are asked, so it
 * is asked eight times within that while, and stops after the whole of it up to an eighth more.
 */

import type { Clock, Timer } from "../../runtime/contract/contract.ts";

const CHECKS = 8;

/** What is going on at an upstream, over all workers. */
export interface Activity {
  readonly inFlight: number;
  readonly waiting: number;
  /** Requests that have ended since the start. */
  readonly requests: number;
}

export class IdleWatch {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #activity: () => Promise<Activity>;
  readonly #idle: () => void;
  #timer: Timer | null = null;
  /** Checks in a row that found nothing new. */
  #quiet = 0;
  #requests = -1;
  /** Grows with each start and stop: answers from before do not count. */
  #era = 0;

  /** @param idleMs > 0 */
  constructor(clock: Clock, idleMs: number, activity: () => Promise<Activity>, idle: () => void) {
    this.#clock = clock;
    this.#everyMs = idleMs / CHECKS;
    this.#activity = activity;
    this.#idle = idle;
  }

  /** Begins to count anew. */
  start(): void {
    this.stop();
    this.#later();
  }

  stop(): void {
    this.#era++;
    this.#timer?.cancel();
    this.#timer = null;
    this.#quiet = 0;
    this.#requests = -1;
  }

  #later(): void {
    this.#timer = this.#clock.setTimer(this.#everyMs, () => void this.#check(this.#era), true);
  }

  async #check(era: number): Promise<void> {
    const { inFlight, waiting, requests } = await this.#activity();
    if (era !== this.#era) return;
    // What is busy now may have been until the next check; what has ended since the last one has ended by now.
    if (inFlight > 0 || waiting > 0) this.#quiet = -1;
    else this.#quiet = requests === this.#requests ? this.#quiet + 1 : 0;
    this.#requests = requests;
    if (this.#quiet >= CHECKS) {
      this.stop();
      this.#idle();
    } else {
      this.#later();
    }
  }
}
