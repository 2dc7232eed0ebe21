/**
 * Request lines seen before, so that their strings need not be made again.
 *
 * The text of a line is the one thing of a request that the engine does not keep among its own objects: it takes
 * memory that was used long ago and has left the processor's caches since. Comparing the bytes of a line costs a fifth
 * of that. Equal bytes have equal text, so nothing is decided differently.
 *
 * One memo serves all connections of a codec: a fixed number of places, chosen by the end of the target, where targets differ.
 * A line takes a place when it is missed there twice in a row, so lines that come once leave what is there alone.
 */

import { copyBytes } from "../bytes/copy.ts";
import { equalBytes } from "../bytes/equal.ts";

/** Places; a power of two. With the longest lines everywhere they hold 64 KiB of bytes and as much text. */
const PLACES = 256;
/** Longest line that is kept, CRLF included. */
const LONGEST_BYTES = 256;
/** ` HTTP/1.1` and CRLF. */
const VERSION_BYTES = 11;
/** So many bytes of the end of the target choose the place, together with the length. */
const LOOKED_AT_BYTES = 16;

/** A request line and the parts of it that are wanted as strings. */
export interface RequestLine {
  /** The whole line with its CRLF. */
  readonly text: string;
  readonly method: string;
  readonly target: string;
}

export class LineMemo {
  readonly #bytes: (Uint8Array | null)[] = new Array<Uint8Array | null>(PLACES).fill(null);
  readonly #lines: (RequestLine | null)[] = new Array<RequestLine | null>(PLACES).fill(null);
  /** What was missed last at each place. */
  readonly #missed = new Int32Array(PLACES);
  /** After `find`: where the line belongs that was looked for. */
  #place = 0;
  #sum = 0;

  /** The line that `bytes[from, from + length)` is, CRLF included; null when it is not here. */
  find(bytes: Uint8Array, from: number, length: number): RequestLine | null {
    const sum = sumOf(bytes, from, length);
    const place = (sum ^ (sum >>> 8) ^ (sum >>> 16)) & (PLACES - 1);
    this.#sum = sum;
    this.#place = place;
    const kept = this.#bytes[place] as Uint8Array | null;
    if (kept === null || kept.length !== length || !equalBytes(kept, length, bytes, from)) return null;
    return this.#lines[place] as RequestLine;
  }

  /** After a `find` that failed: what that line is. */
  offer(bytes: Uint8Array, from: number, text: string, method: string, target: string): void {
    const { length } = text;
    if (length > LONGEST_BYTES) return;
    const place = this.#place;
    if (this.#missed[place] !== this.#sum) {
      this.#missed[place] = this.#sum;
      return;
    }
    const copy = new Uint8Array(length);
    copyBytes(bytes, from, from + length, copy, 0);
    this.#bytes[place] = copy;
    this.#lines[place] = { text, method, target };
  }
}

function sumOf(bytes: Uint8Array, from: number, length: number): number {
  const end = from + length - VERSION_BYTES;
  let sum = length;
  for (let p = end - LOOKED_AT_BYTES > from ? end - LOOKED_AT_BYTES : from; p < end; p++) {
    sum = (Math.imul(sum, 31) + (bytes[p] as number)) | 0;
  }
  return sum;
}
