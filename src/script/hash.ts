/** What scripts hash by. */

import { hashText } from "../bytes/hash.ts";

/** 32 bits of a text, the same on every platform and in every release. For spreading, not for secrets. */
export function hash(text: string): number {
  return hashText(text);
}
