/** What the soak test's application and its clients agree on. */

/** A stream takes about half a second. */
export const STREAM_CHUNKS = 20;

export function streamChunk(id: string, at: number): string {
  return `${id}:${at};`;
}

export function wholeStream(id: string): string {
  return Array.from({ length: STREAM_CHUNKS }, (_, at) => streamChunk(id, at)).join("");
}
