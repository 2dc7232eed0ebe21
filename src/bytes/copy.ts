/** Copying a range of bytes without making a view of it. */

/** Up to here a loop costs less than a call. */
const LOOP_BYTES = 24;

type Copy = (this: Uint8Array, target: Uint8Array, at: number, from: number, to: number) => number;

/** The platform's own, which all three have and which takes any Uint8Array. */
const platformCopy = (Buffer.prototype as unknown as { copy: Copy }).copy;

/** Copies `source[from, to)` to `target[at, …)`, which has the room. */
export function copyBytes(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): void {
  if (to - from > LOOP_BYTES) {
    platformCopy.call(source, target, at, from, to);
    return;
  }
  for (let i = from, k = at; i < to; i++, k++) target[k] = source[i] as number;
}
