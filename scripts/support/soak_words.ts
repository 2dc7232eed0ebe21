/** What the soak test's application and its clients agree on. */

import { Random } from "../../test/contract/pattern.ts";

/** A stream takes about half a second. */
export const STREAM_CHUNKS = 20;

export function streamChunk(id: string, at: number): string {
  return `${id}:${at};`;
}

const BLOCK_LENGTH = 65_521;
const random = new Random(1);
const BLOCK = Array.from({ length: BLOCK_LENGTH }, () => String.fromCharCode(32 + random.below(95))).join("");

/**
 * 200 KB to 1.2 MB, many times what a socket takes at once. After the id there is a random block of prime length over and
 * over, so that whatever is lost, doubled or changes places is seen.
 */
export function largeText(id: string): string {
  const length = 200_000 + (Number(id.split("-").at(-1)) % 97) * 9973;
  return (id + BLOCK.repeat(Math.ceil(length / BLOCK_LENGTH))).slice(0, length);
}

export function wholeStream(id: string): string {
  return Array.from({ length: STREAM_CHUNKS }, (_, at) => streamChunk(id, at)).join("");
}
