/** Expect: 100-continue (RFC 9110 §10.1.1). */

import { equalsIgnoringCase } from "../bytes/text.ts";
import { Field } from "./field.ts";
import { type Head, HTTP_1_1 } from "./head.ts";

/**
 * Whether the request waits for 100 (Continue): one Expect line with the one value there is, in any
 * case. An HTTP/1.0 request never does, whatever it says (RFC 9110 §10.1.1). To be forwarded in our own
 * spelling: unusual ones have been used to make two hops disagree about who waits for whom.
 */
export function expectsContinue(head: Head): boolean {
  const index = head.first(Field.expect);
  if (index < 0 || head.version < HTTP_1_1 || head.isRepeated(Field.expect)) return false;
  const value = head.value(index);
  return value.length === 12 && equalsIgnoringCase(value, 0, "100-continue");
}
