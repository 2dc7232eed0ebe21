/**
 * Gives memory back after a burst. What large bodies leave behind is freed by the garbage collector, and that
 * runs when something is allocated: after a burst nothing is, and it would stay for hours.
 */

import type { Clock } from "../../runtime/contract.ts";

/** Bytes received after which there may be something worth giving back. */
const WORTHWHILE_BYTES = 8 * 1024 * 1024;
/** How often is looked whether the burst is over. */
const LOOK_MS = 1000;
/** Up to so many bytes between two looks it is. */
const QUIET_BYTES = 2 * 1024 * 1024;

export class MemoryRelief {
  readonly #clock: Clock;
  readonly #release: () => void;
  #bytes = 0;
  #seen = 0;
  #looking = false;

  /** @param release gives back what is not in use; may take some milliseconds */
  constructor(clock: Clock, release: () => void) {
    this.#clock = clock;
    this.#release = release;
  }

  /** Bytes have been received. */
  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= WORTHWHILE_BYTES && !this.#looking) this.#look();
  }

  #look(): void {
    this.#looking = true;
    this.#seen = this.#bytes;
    this.#clock.setTimer(LOOK_MS, () => {
      if (this.#bytes - this.#seen > QUIET_BYTES) {
        this.#look();
        return;
      }
      this.#looking = false;
      this.#bytes = 0;
      this.#release();
    }, true);
  }
}
