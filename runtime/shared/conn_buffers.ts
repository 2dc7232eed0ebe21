/**
 * Read and write buffers of a runtime's connections, in two sizes. A pending read pins its buffer, so beyond a few
 * connections each waits with 4 KiB. A read that fills them makes the next one use 64 KiB from a shared pool.
 * Measured with 2,000 idle connections: 15 KiB each, 63 with 64 KiB buffers throughout; CPU of a relay with 64
 * connections is the same as with those, where 4 KiB for every first read cost a third more at 64 KiB bodies.
 */

/** Buffer of a connection that waits. */
export const SMALL_BYTES = 4 * 1024;
/** Buffer of a connection that streams, and most of what a socket holds of taken bytes. */
export const LARGE_BYTES = 64 * 1024;
/** Waiting connections that have a large buffer all the same (4 MiB): few connections, fewer reads. */
const MAX_LARGE_WAITING = 64;
/** Buffers kept for reuse: 256 KiB of small ones, 4 MiB of large ones. */
const MAX_IDLE_SMALL = 64;
const MAX_IDLE_LARGE = 64;

/** Buffers of the two sizes, shared by all sockets of a runtime. */
export class ConnBuffers {
  readonly #small: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];
  /** The large buffer that `data` is being called with, until a write claims it. */
  #lent: Uint8Array | null = null;
  /** Large buffers that belong to pending reads. */
  #largeReading = 0;
  /** `Capabilities.ownChunks`: what `data` is called with is a copy. */
  readonly ownChunks: boolean;

  constructor(ownChunks = false) {
    this.ownChunks = ownChunks;
  }

  /** A buffer of the smaller size that holds `bytes`. */
  take(bytes: number): Uint8Array {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? new Uint8Array(SMALL_BYTES);
    return this.#large.pop() ?? new Uint8Array(LARGE_BYTES);
  }

  /** The buffer for a read. @param streaming the last read filled its buffer */
  takeForRead(streaming: boolean): Uint8Array {
    return this.take(streaming || this.#largeReading < MAX_LARGE_WAITING ? LARGE_BYTES : SMALL_BYTES);
  }

  /** A read into this buffer begins. */
  beginRead(buffer: Uint8Array): void {
    if (buffer.length === LARGE_BYTES) this.#largeReading++;
  }

  /** That read has settled. */
  endRead(buffer: Uint8Array): void {
    if (buffer.length === LARGE_BYTES) this.#largeReading--;
  }

  /** Gives a buffer back that nothing refers to any more, also no pending read or write. */
  give(buffer: Uint8Array): void {
    if (buffer.length === SMALL_BYTES) {
      if (this.#small.length < MAX_IDLE_SMALL) this.#small.push(buffer);
    } else if (this.#large.length < MAX_IDLE_LARGE) {
      this.#large.push(buffer);
    }
  }

  /** To be called before `data` gets a view of this buffer. */
  lend(buffer: Uint8Array): void {
    this.#lent = buffer.length === LARGE_BYTES ? buffer : null;
  }

  /** After `data`. @returns whether a write has taken the buffer over */
  endLend(buffer: Uint8Array): boolean {
    const claimed = buffer.length === LARGE_BYTES && this.#lent === null;
    this.#lent = null;
    return claimed;
  }

  /**
   * Takes the lent buffer over when `bytes` lie in it: a relayed chunk needs no copy. The new owner gives
   * it back to the pool. Null when they lie elsewhere, or the buffer has an owner.
   */
  claim(bytes: Uint8Array): Uint8Array | null {
    const lent = this.#lent;
    if (lent === null || lent.buffer !== bytes.buffer) return null;
    this.#lent = null;
    return lent;
  }
}
