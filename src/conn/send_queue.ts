import { copyBytes } from "../bytes/copy.ts";

/** Small pieces are joined in blocks of this size: what dribbles in costs as much memory as it has bytes. */
const BLOCK_BYTES = 4096;

/** What is left of an array that may be kept is copied if that frees more than an eighth of the array. */
const KEPT_EIGHTHS = 7;

/** Takes arrays back. */
export interface Memory {
  /** The array is not used any more, nor any other part of its buffer. */
  discard(bytes: Uint8Array): void;
}

/** What a socket did not take yet, in order, counted in bytes: copies, and arrays that were left to us. */
export class SendQueue {
  readonly #memory: Memory;
  #pieces: Uint8Array[] = [];
  /** Index of the first piece not yet sent. */
  #first = 0;
  /** Bytes of the first piece already sent. */
  #offset = 0;
  /** Bytes of the last piece that count; there may be room behind them. */
  #lastBytes = 0;
  #bytes = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Bytes waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Keeps `bytes[from, to)`: a copy, or the array itself.
   *
   * @param mayKeep the array is not used elsewhere any more
   * @returns whether the array itself is kept
   */
  push(bytes: Uint8Array, from: number, to: number, mayKeep = false): boolean {
    if (to <= from) return false;
    this.#bytes += to - from;
    let at = from;
    const last = this.#pieces[this.#pieces.length - 1];
    if (last !== undefined && this.#lastBytes < last.length) {
      at += Math.min(to - from, last.length - this.#lastBytes);
      last.set(bytes.subarray(from, at), this.#lastBytes);
      this.#lastBytes += at - from;
      if (at === to) return false;
    }
    const size = to - at;
    const keep = mayKeep && size >= BLOCK_BYTES && size * 8 >= bytes.buffer.byteLength * KEPT_EIGHTHS;
    if (keep) {
      this.#pieces.push(bytes.subarray(at, to));
    } else if (size >= BLOCK_BYTES) {
      // Not `slice`: a Buffer's gives a view of the bytes that were only lent to us.
      const piece = new Uint8Array(size);
      copyBytes(bytes, at, to, piece, 0);
      this.#pieces.push(piece);
    } else {
      const block = new Uint8Array(BLOCK_BYTES);
      block.set(bytes.subarray(at, to), 0);
      this.#pieces.push(block);
    }
    this.#lastBytes = size;
    return keep;
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
      const end = this.#first === this.#pieces.length - 1 ? this.#lastBytes : piece.length;
      const taken = write.write(piece, this.#offset, end);
      total += taken;
      this.#bytes -= taken;
      this.#offset += taken;
      if (this.#offset < end) break;
      this.#memory.discard(piece);
      this.#first++;
      this.#offset = 0;
    }
    if (this.#first === this.#pieces.length) {
      this.clear();
    } else if (this.#first >= 64) {
      this.#pieces.splice(0, this.#first);
      this.#first = 0;
    }
    return total;
  }

  /** Drops everything. */
  clear(): void {
    for (let i = this.#first; i < this.#pieces.length; i++) {
      this.#memory.discard(this.#pieces[i] as Uint8Array);
    }
    this.#pieces = [];
    this.#first = 0;
    this.#offset = 0;
    this.#lastBytes = 0;
    this.#bytes = 0;
  }
}
