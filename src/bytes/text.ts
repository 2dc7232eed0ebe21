/** Small questions about parts of Latin-1 text, answered without cutting the part out. */

import { HEX_VALUE, HTAB, NO_DIGIT, SP, TOKEN } from "./character.ts";

/** Whether `text` has `lowerCase` at `from`, in any case; `lowerCase` holds no upper-case letter. */
export function equalsIgnoringCase(text: string, from: number, lowerCase: string): boolean {
  for (let i = 0; i < lowerCase.length; i++) {
    const wanted = lowerCase.charCodeAt(i);
    const code = text.charCodeAt(from + i);
    if (code !== wanted && ((code | 0x20) !== wanted || code < 0x41 || code > 0x5a)) return false;
  }
  return true;
}

/** Whether the whole of `text` is a token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  if (text === "") return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f || TOKEN[code] === 0) return false;
  }
  return true;
}

/** Cuts SP and HTAB off both ends, and nothing else: `trim` would eat VT, FF, NBSP and more. */
export function trimOws(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isOws(text.charCodeAt(from))) from++;
  while (to > from && isOws(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/** Whether the character is SP or HTAB. */
export function isOws(code: number): boolean {
  return code === SP || code === HTAB;
}

/** Value of the hexadecimal digit at `at`, NO_DIGIT when there is none. */
export function hexValueAt(text: string, at: number): number {
  return HEX_VALUE[text.charCodeAt(at)] ?? NO_DIGIT;
}
