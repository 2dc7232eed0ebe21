/** The value of Content-Length (RFC 9110 §8.6). */

import { DIGIT_0, DIGIT_9 } from "../bytes/character.ts";

/** Instead of a length: not a number of only digits, more than 2^53 - 1, or no such field. */
export const LENGTH_MALFORMED = -1;
export const LENGTH_TOO_LARGE = -2;
export const LENGTH_ABSENT = -3;

/** 20 digits hold every number of 64 bits, also when it is padded with zeros. */
const MAX_LENGTH_DIGITS = 20;

/** The number in `text[from, to)`: 0 to 2^53 - 1, or one of the negative constants. */
export function contentLengthOf(text: string, from: number, to: number): number {
  if (from === to) return LENGTH_MALFORMED;
  let length = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code < DIGIT_0 || code > DIGIT_9) return LENGTH_MALFORMED;
    length = length * 10 + (code - DIGIT_0);
  }
  return to - from > MAX_LENGTH_DIGITS || length > Number.MAX_SAFE_INTEGER ? LENGTH_TOO_LARGE : length;
}

/** Where the number in `text[from, to)` begins without the zeros that pad it; one digit stays. */
export function withoutPadding(text: string, from: number, to: number): number {
  let first = from;
  while (first < to - 1 && text.charCodeAt(first) === DIGIT_0) first++;
  return first;
}
