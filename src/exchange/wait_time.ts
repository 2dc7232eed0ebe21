/** How long a request has waited for a connection, all its waits together; milliseconds. */
export class WaitTime {
  /** Held and queued. */
  totalMs = 0;
  /** The part of it during which no request could be served. */
  heldMs = 0;
  /** The part of it spent waiting for a slot or a connection. */
  get queuedMs(): number {
    return this.totalMs - this.heldMs;
  }

  #from = -1;
  #outageBefore = 0;

  /** @param outageMs `Upstream.outageMs` */
  begin(now: number, outageMs: number): void {
    this.#from = now;
    this.#outageBefore = outageMs;
  }

  /** Nothing when no wait has begun. */
  end(now: number, outageMs: number): void {
    if (this.#from < 0) return;
    this.totalMs += now - this.#from;
    this.heldMs += outageMs - this.#outageBefore;
    this.#from = -1;
  }
}
