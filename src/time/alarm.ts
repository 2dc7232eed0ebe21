/** Something that is to be done a while from now, once, however often that is asked for meanwhile. */

import type { Clock, Timer } from "../../runtime/contract/contract.ts";

export class Alarm {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #ring: () => void;
  #timer: Timer | null = null;

  /** @param ms from `set` to `ring` */
  constructor(clock: Clock, ms: number, ring: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#ring = ring;
  }

  /** Nothing when it is set already. */
  set(): void {
    this.#timer ??= this.#clock.setTimer(this.#ms, () => {
      this.#timer = null;
      this.#ring();
    }, true);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
