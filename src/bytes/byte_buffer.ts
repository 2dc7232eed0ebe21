/** A growing run of bytes, read at the gateway and appended to at the back. */

const NOTHING = new Uint8Array(0);
const SMALLEST_BYTES = 256;

/**
 * Holds bytes that had to be kept. The held bytes are `bytes[from, to)`; both offsets and the array
 * change with every call. Holds no memory while it is empty, so an idle connection costs nothing.
 * There is no upper limit here: callers that append have one.
 */
export class ByteBuffer {
  bytes: Uint8Array = NOTHING;
  from = 0;
  to = 0;

  get length(): number {
    return this.to - this.from;
  }

  /** Copies `source[from, to)` to the end. Amortised linear. */
  append(source: Uint8Array, from: number, to: number): void {
    const added = to - from;
    if (added <= 0) return;
    if (this.to + added > this.bytes.length) this.#makeRoom(added);
    if (added < 32) {
      // Below this a view costs more than the loop.
      for (let i = from, at = this.to; i < to; i++, at++) this.bytes[at] = source[i] as number;
    } else {
      this.bytes.set(source.subarray(from, to), this.to);
    }
    this.to += added;
  }

  /** Drops `count` bytes at the gateway, at most what is there. */
  consume(count: number): void {
    this.from += count;
    if (this.from >= this.to) this.clear();
  }

  /** Drops `count` bytes at the end, at most what is there. */
  dropLast(count: number): void {
    this.to -= count;
    if (this.from >= this.to) this.clear();
  }

  /** Forgets everything and lets go of the memory. */
  clear(): void {
    this.bytes = NOTHING;
    this.from = 0;
    this.to = 0;
  }

  #makeRoom(added: number): void {
    const length = this.length;
    // Compact in place only while at least half is free, so that each byte moves O(1) times.
    if (length + added <= this.bytes.length && length <= this.bytes.length >>> 1) {
      this.bytes.copyWithin(0, this.from, this.to);
    } else {
      let capacity = Math.max(SMALLEST_BYTES, this.bytes.length);
      while (capacity < length + added) capacity *= 2;
      const grown = new Uint8Array(capacity);
      grown.set(this.bytes.subarray(this.from, this.to));
      this.bytes = grown;
    }
    this.from = 0;
    this.to = length;
  }
}
