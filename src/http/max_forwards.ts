/** Max-Forwards (RFC 9110 §7.6.2). */

import { DIGIT_0, DIGIT_9 } from "../bytes/character.ts";
import { Field } from "./field.ts";
import type { Head } from "./head.ts";

/** The hops that a TRACE or OPTIONS request may still go: a number, or -1 when malformed or absent. */
export function maxForwards(head: Head): number {
  if (head.isRepeated(Field.maxForwards)) return -1;
  const value = head.valueOf(Field.maxForwards) ?? "";
  if (value.length === 0 || value.length > 9) return -1;
  let hops = 0;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < DIGIT_0 || code > DIGIT_9) return -1;
    hops = hops * 10 + (code - DIGIT_0);
  }
  return hops;
}
