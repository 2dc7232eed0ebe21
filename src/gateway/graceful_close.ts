/**
 * Asks WebSockets to end, one after the other, so that their clients do not all connect again at the same moment.
 */

import type { Clock, Timer } from "../../runtime/contract/contract.ts";
import type { Turn } from "../time/turn.ts";
import type { Tunnel } from "../exchange/tunnel.ts";

/** Part of the window in which they are told; what is left of it is for their answers. */
const TELLING_SHARE = 0.8;
/** Few of them are told no slower than this. */
const LONGEST_GAP_MS = 100;

export class GracefulClose {
  readonly #clock: Clock;
  readonly #turn: Turn;
  /** Those that have not been told; the last one is next. */
  readonly #tunnels: Tunnel[];
  readonly #gapMs: number;
  readonly #beganAt: number;
  #told = 0;
  #timer: Timer | null = null;

  /** Begins at once. */
  constructor(clock: Clock, turn: Turn, tunnels: readonly Tunnel[], windowMs: number) {
    this.#clock = clock;
    this.#turn = turn;
    this.#tunnels = tunnels.toReversed();
    this.#gapMs = Math.min(LONGEST_GAP_MS, windowMs * TELLING_SHARE / Math.max(1, tunnels.length));
    this.#beganAt = clock.now();
    this.#tell();
  }

  /** No further tunnel is told. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#tunnels.length = 0;
  }

  /** These are not told. */
  spare(tunnels: readonly Tunnel[]): void {
    for (const tunnel of tunnels) {
      const at = this.#tunnels.indexOf(tunnel);
      if (at >= 0) this.#tunnels.splice(at, 1);
    }
  }

  #tell(): void {
    this.#turn.begin();
    const due = Math.floor((this.#turn.now - this.#beganAt) / this.#gapMs) + 1;
    // With a gap of 0 the number is not one.
    while (this.#tunnels.length > 0 && !(this.#told >= due)) {
      this.#tunnels.pop()?.sendClose();
      this.#told++;
    }
    this.#turn.end();
    this.#timer = this.#tunnels.length === 0
      ? null
      : this.#clock.setTimer(Math.max(1, this.#gapMs), () => this.#tell(), true);
  }
}
