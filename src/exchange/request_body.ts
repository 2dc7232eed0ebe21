/**
 * The beginning of a request body, kept so that it can be sent, and sent again.
 *
 * Complete bodies up to the limit are here as a whole. Of a longer one the bytes that arrived while the
 * request waited are here; once more than the limit has gone by, the body can no longer be replayed.
 */
export class RequestBody {
  readonly #limit: number;
  readonly #expected: number;
  #bytes: Uint8Array;
  #length = 0;
  #kept = true;

  /** @param expected bytes announced, or -1 */
  constructor(limit: number, expected: number) {
    this.#limit = limit;
    this.#expected = Math.min(expected, limit);
    this.#bytes = expected > 0 && this.#expected <= SMALL_BYTES ? new Uint8Array(this.#expected) : EMPTY;
  }

  /** What is kept; `length` bytes of it count. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Everything received so far is still here. */
  get replayable(): boolean {
    return this.#kept;
  }

  get full(): boolean {
    return this.#length >= this.#limit;
  }

  /** Keeps a copy whatever the limit says: the caller stops the client when `full`. */
  append(bytes: Uint8Array, from: number, to: number): void {
    const size = to - from;
    if (this.#length + size > this.#bytes.length) {
      let room = Math.max(this.#length + size, Math.min(this.#limit, 2 * this.#bytes.length));
      // Once half of it is there, the rest is worth its memory.
      if (room < this.#expected && 2 * room >= this.#expected) room = this.#expected;
      const larger = new Uint8Array(room);
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes.subarray(from, to), this.#length);
    this.#length += size;
  }

  /** Bytes are going past on their way to the endpoint: keeps them while the limit allows. */
  retain(bytes: Uint8Array, from: number, to: number): void {
    if (!this.#kept) return;
    if (this.#length + (to - from) <= this.#limit) this.append(bytes, from, to);
    else this.forget();
  }

  /** What is kept has been sent for the last time. */
  forget(): void {
    this.#kept = false;
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  /** What is kept has been sent; beyond the limit it cannot be replayed and its memory is given back. */
  sent(): void {
    if (this.#length > this.#limit) this.forget();
  }
}

const EMPTY = new Uint8Array(0);
/** Up to here memory is taken at once; a client must not be able to take more of it by just announcing a body. */
const SMALL_BYTES = 4096;
