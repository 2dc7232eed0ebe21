/**
 * Gives memory back after a burst. What large bodies leave behind is freed by the garbage collector, and that
 * runs when something is allocated: after a burst nothing is, and it would stay for hours.
 *
 * Giving back stops everything for about ten milliseconds. So it waits for a moment in which nothing comes.
 */

import type { Clock } from "../../runtime/contract/contract.ts";

/** Bytes received after which there may be something worth giving back. */
const WORTHWHILE_BYTES = 8 * 1024 * 1024;
/** How often is looked whether the burst is over. */
const LOOK_MS = 250;
/** Up to this number of bytes between two looks there is no burst. */
const QUIET_BYTES = 512 * 1024;
/** The burst is over after this number of quiet looks: a second. */
const LOOKS_UNTIL_OVER = 4;
/** After this number of looks, ten seconds, a little traffic that never pauses is interrupted. */
const MOST_LOOKS = 40;

export class MemoryRelief {
  readonly #clock: Clock;
  readonly #release: () => void;
  #bytes = 0;
  #seen = 0;
  /** Looks since the burst. */
  #looks = 0;
  #looking = false;

  /** @param release gives back what is not in use; may take some milliseconds */
  constructor(clock: Clock, release: () => void) {
    this.#clock = clock;
    this.#release = release;
  }

  /** Bytes have been received. */
  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= WORTHWHILE_BYTES && !this.#looking) {
      this.#looks = 0;
      this.#lookLater();
    }
  }

  #lookLater(): void {
    this.#looking = true;
    this.#seen = this.#bytes;
    this.#clock.setTimer(LOOK_MS, () => this.#look(), true);
  }

  #look(): void {
    const came = this.#bytes - this.#seen;
    this.#looks = came > QUIET_BYTES ? 0 : this.#looks + 1;
    if (this.#looks < LOOKS_UNTIL_OVER || (came > 0 && this.#looks < MOST_LOOKS)) {
      this.#lookLater();
      return;
    }
    this.#looking = false;
    this.#bytes = 0;
    this.#release();
  }
}
