/** Comparing ranges of bytes without making views of them. */

/** Up to here a loop costs less than a call. */
const LOOP_BYTES = 48;

type Compare = (
  this: Uint8Array,
  target: Uint8Array,
  targetFrom: number,
  targetTo: number,
  from: number,
  to: number,
) => number;

/** The platform's own, which all three have and which takes any Uint8Array. */
const platformCompare = (Buffer.prototype as unknown as { compare: Compare }).compare;

/** Whether `a[0, length)` equals `b[from, from + length)`; both have so many bytes. */
export function equalBytes(a: Uint8Array, length: number, b: Uint8Array, from: number): boolean {
  if (length > LOOP_BYTES) {
    // Most that differ do so at the end, where lengths and dates are.
    const last = length - 5;
    if (a[last] !== b[from + last]) return false;
    return platformCompare.call(a, b, from, from + length, 0, length) === 0;
  }
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[from + i]) return false;
  }
  return true;
}
