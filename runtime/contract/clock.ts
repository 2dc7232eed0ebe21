/** The part of the contract that is about time. Reached through contract.ts. */

/** A timer that was set; see `Clock.setTimer`. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds, fractions included. */
  now(): number;
  /** Wall-clock milliseconds since 1970. For dates in messages and logs only. */
  wall(): number;
  /**
   * Calls `fire` once after `ms` (0 = next turn of the loop).
   * @param background true when the timer alone must not keep the process alive
   */
  setTimer(ms: number, fire: () => void, background?: boolean): Timer;
}
