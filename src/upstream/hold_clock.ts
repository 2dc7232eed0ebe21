/** When an upstream can serve nobody, and for how long that was so. */

/** A paused upstream holds a request for at least so long, however short `hold` is. Milliseconds. */
export const PAUSED_LEAST_MS = 30_000;

/**
 * Time during which an upstream can serve nobody, because every endpoint is away or requests are held on
 * purpose, and whether somebody has been told that requests wait for its end.
 */
export class HoldClock {
  /** Nobody can be served now. */
  holding = false;
  #since = 0;
  #totalMs = 0;
  /** Monotonic milliseconds; -1 = nobody was told, or nobody waits any more. */
  #toldAt = -1;

  /** Monotonic count of milliseconds of such time. */
  totalMs(now: number): number {
    return this.#totalMs + (this.holding ? now - this.#since : 0);
  }

  /** @returns true when that is a change */
  set(holding: boolean, now: number): boolean {
    if (holding === this.holding) return false;
    this.holding = holding;
    if (holding) this.#since = now;
    else this.#totalMs += now - this.#since;
    return true;
  }

  /** A request waits. @returns true when that has to be told: it is held, and the first of them */
  begins(now: number): boolean {
    if (!this.holding || this.#toldAt >= 0) return false;
    this.#toldAt = now;
    return true;
  }

  /** Nobody waits any more. @returns since when requests were held, or -1 when that had not been told */
  ends(): number {
    const at = this.#toldAt;
    this.#toldAt = -1;
    return at;
  }
}
