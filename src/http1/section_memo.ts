/**
 * Field sections seen before, recognised by one comparison of bytes.
 *
 * A client repeats its fields from request to request, only the target differs; endpoints repeat theirs
 * within a second. Comparing 600 bytes takes about 60 ns; scanning and decoding them, and picking out what is
 * forwarded, a microsecond. Equal bytes have equal meaning, so nothing is decided differently.
 *
 * One memo serves all connections: a fixed number of places, each with one section of bounded size, chosen
 * by a few bytes near the section's beginning. A section takes a free place when it is seen the second time
 * in a row there, and an occupied one when what is there has been missed several times since it was last met.
 */

import { copyBytes } from "../bytes/copy.ts";
import { equalBytes } from "../bytes/equal.ts";
import type { FieldSection } from "./field_section.ts";

/** Places; a power of two. */
const PLACES = 128;
/** Longest section that is kept. With that, all places together hold 512 KiB of bytes and as much text. */
const LONGEST_BYTES = 4096;
/** Bytes of the section that choose its place are among the first so many. */
const LOOKED_AT_BYTES = 72;
/** Misses after which a section that was met before gives up its place. */
const PATIENCE = 8;

export class SectionMemo {
  /** Field lines with the final empty line. */
  readonly #bytes: (Uint8Array | null)[] = new Array<Uint8Array | null>(PLACES).fill(null);
  readonly #sections: (FieldSection | null)[] = new Array<FieldSection | null>(PLACES).fill(null);
  /** Misses that are left to a section; for a free place, the sum that was seen there last. */
  readonly #patience = new Int32Array(PLACES);
  readonly #lastSum = new Int32Array(PLACES);
  /** After `find`: where the section belongs that was looked for. */
  #place = 0;
  #sum = 0;
  /** After a successful `find`: length of the section, final empty line included. */
  foundBytes = 0;

  /**
   * The section whose bytes, empty line included, `bytes[from, to)` begins with; null when it is not here.
   */
  find(bytes: Uint8Array, from: number, to: number): FieldSection | null {
    const until = from + LOOKED_AT_BYTES < to ? from + LOOKED_AT_BYTES : to;
    let sum = 0;
    for (let p = from + 3, step = 3; p < until; p += step, step++) {
      sum = (Math.imul(sum, 31) + (bytes[p] as number)) | 0;
    }
    const place = (sum ^ (sum >>> 7) ^ (sum >>> 14)) & (PLACES - 1);
    this.#place = place;
    this.#sum = sum;
    const kept = this.#bytes[place] as Uint8Array | null;
    if (kept === null) return null;
    const length = kept.length;
    if (length <= to - from && equalBytes(kept, length, bytes, from)) {
      this.#patience[place] = PATIENCE;
      this.foundBytes = length;
      return this.#sections[place] as FieldSection;
    }
    this.#patience[place] = (this.#patience[place] as number) - 1;
    return null;
  }

  /** After a `find` that failed: `section` is what lies at `bytes[from, to)`, its empty line included. */
  offer(bytes: Uint8Array, from: number, to: number, section: FieldSection): void {
    const place = this.#place;
    if (this.#bytes[place] === null) {
      const before = this.#lastSum[place];
      this.#lastSum[place] = this.#sum;
      if (before !== this.#sum) return;
    } else if ((this.#patience[place] as number) >= 0) {
      return;
    }
    if (to - from > LONGEST_BYTES) return;
    const copy = new Uint8Array(to - from);
    copyBytes(bytes, from, to, copy, 0);
    this.#bytes[place] = copy;
    this.#sections[place] = section;
    this.#patience[place] = PATIENCE;
  }
}
