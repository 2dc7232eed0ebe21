/** What a socket did not take yet: copies, in order, counted in bytes. */
export class SendQueue {
  #pieces: Uint8Array[] = [];
  /** Index of the first piece not yet sent. */
  #first = 0;
  /** Bytes of the first piece already sent. */
  #offset = 0;
  #bytes = 0;

  /** Bytes waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy of `bytes[from, to)`. */
  push(bytes: Uint8Array, from: number, to: number): void {
    if (to <= from) return;
    this.#pieces.push(bytes.slice(from, to));
    this.#bytes += to - from;
  }

  /**
   * Offers what waits to `write` until it takes less than it is offered.
   *
   * @returns bytes taken
   */
  drainTo(write: { write(bytes: Uint8Array, from: number, to: number): number }): number {
    let total = 0;
    while (this.#first < this.#pieces.length) {
      const piece = this.#pieces[this.#first] as Uint8Array;
      const taken = write.write(piece, this.#offset, piece.length);
      total += taken;
      this.#bytes -= taken;
      this.#offset += taken;
      if (this.#offset < piece.length) break;
      this.#first++;
      this.#offset = 0;
    }
    if (this.#first === this.#pieces.length) {
      this.#pieces = [];
      this.#first = 0;
    } else if (this.#first >= 64) {
      this.#pieces.splice(0, this.#first);
      this.#first = 0;
    }
    return total;
  }

  /** Drops everything. */
  clear(): void {
    this.#pieces = [];
    this.#first = 0;
    this.#offset = 0;
    this.#bytes = 0;
  }
}
