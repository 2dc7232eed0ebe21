/**
 * One buffer in which the small writes of a turn are joined: a head and its first body bytes, or many
 * pipelined answers, leave in a single write.
 *
 * Only one connection at a time has bytes in it; when another begins to write, the first one's bytes
 * go out. The handler of a platform's event calls `flush` at its end.
 */

import { CR, LF } from "../bytes/character.ts";
import { copyBytes } from "../bytes/copy.ts";
import { encodeLatin1 } from "../bytes/latin1.ts";

/** Bytes joined into one write at most. */
export const OUTPUT_BUFFER_BYTES = 128 * 1024;

/** Receives the joined bytes; they are lent for the call. */
export interface OutputOwner {
  writeNow(bytes: Uint8Array, from: number, to: number): void;
}

export class OutputBuffer {
  readonly #bytes = new Uint8Array(OUTPUT_BUFFER_BYTES);
  #length = 0;
  #owner: OutputOwner | null = null;

  /** Appends Latin-1 text for `owner`. */
  text(owner: OutputOwner, text: string): void {
    if (this.#owner !== owner || this.#length + text.length > OUTPUT_BUFFER_BYTES) this.#begin(owner);
    if (text.length > OUTPUT_BUFFER_BYTES) {
      const large = new Uint8Array(text.length);
      encodeLatin1(text, large, 0);
      owner.writeNow(large, 0, large.length);
      return;
    }
    this.#length += encodeLatin1(text, this.#bytes, this.#length);
  }

  /** Appends CRLF for `owner`. */
  lineEnd(owner: OutputOwner): void {
    if (this.#owner !== owner || this.#length + 2 > OUTPUT_BUFFER_BYTES) this.#begin(owner);
    this.#bytes[this.#length] = CR;
    this.#bytes[this.#length + 1] = LF;
    this.#length += 2;
  }

  /**
   * Appends a copy of `bytes[from, to)` for `owner`, or hands them on directly when joining would not
   * save a write.
   *
   * @param room bytes in front of `from` that may be overwritten. What waits to be written goes there if it
   *   fits, so that it leaves in one write with a body that is not copied
   */
  bytes(owner: OutputOwner, bytes: Uint8Array, from: number, to: number, room = 0): void {
    const size = to - from;
    const joined = this.#owner === owner && this.#length > 0;
    if (joined && size > SMALL_BYTES && this.#length <= room) {
      const start = from - this.#length;
      copyBytes(this.#bytes, 0, this.#length, bytes, start);
      this.#owner = null;
      this.#length = 0;
      owner.writeNow(bytes, start, to);
      return;
    }
    if (joined && this.#length + size <= OUTPUT_BUFFER_BYTES) {
      copyBytes(bytes, from, to, this.#bytes, this.#length);
      this.#length += size;
      return;
    }
    if (this.#length > 0) this.flush();
    if (size <= SMALL_BYTES) {
      this.#owner = owner;
      copyBytes(bytes, from, to, this.#bytes, 0);
      this.#length = size;
    } else {
      owner.writeNow(bytes, from, to);
    }
  }

  /** Writes out what is there. Cheap when there is nothing. */
  flush(): void {
    const length = this.#length;
    if (length === 0) return;
    const owner = this.#owner;
    this.#owner = null;
    this.#length = 0;
    owner?.writeNow(this.#bytes, 0, length);
  }

  /** Forgets what `owner` has in the buffer: its connection is gone. */
  forget(owner: OutputOwner): void {
    if (this.#owner !== owner) return;
    this.#owner = null;
    this.#length = 0;
  }

  #begin(owner: OutputOwner): void {
    if (this.#length > 0) this.flush();
    this.#owner = owner;
  }
}

/** Up to here bytes wait for company; above, a write of their own costs less than the copy. */
const SMALL_BYTES = 4096;
