/** What a request head must satisfy beyond the grammar, whatever the configuration says. */

import { DIGIT_0, DIGIT_9, SLASH } from "../bytes/character.ts";
import { ConnectionOption, connectionOptions } from "./connection_options.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { TABLE_STRIDE } from "../http/head.ts";
import { isAuthority, parseTarget } from "../http/target.ts";
import { equalsIgnoringCase } from "../bytes/text.ts";

const RARE = (1 << Field.expect) | (1 << Field.maxForwards);

/**
 * Checks host, target form and the fields a request can confuse recipients with. Framing is a matter
 * of `requestFraming`, and whether CONNECT or TRACE is served at all is one of configuration.
 *
 * @returns the first fault found, or null. No allocation for a request in origin form.
 * Sources: RFC 9112 §3.2 (host, target), RFC 9110 §7.6.1 (Connection), §7.6.2, §9.3.6, §9.3.8, §10.1.1.
 */
export function checkRequest(head: Head): Fault | null {
  const target = head.target;
  if (target.charCodeAt(0) !== SLASH || head.method === "CONNECT") {
    const parsed = parseTarget(head.method, target);
    if ("kind" in parsed) return parsed;
  }
  const fault = hostFault(head);
  if (fault !== null) return fault;
  if (head.has(Field.connection)) {
    const options = connectionOptions(head);
    if ((options & ConnectionOption.malformed) !== 0) return FAULTS.connectionValue;
    if ((options & ConnectionOption.framing) !== 0) return FAULTS.nominatedFraming;
  }
  if (head.method === "CONNECT" || head.method === "TRACE") {
    if (!isContentless(head)) return FAULTS.contentNotAllowed;
  }
  return (head.known & RARE) === 0 ? null : rareFault(head);
}

function hostFault(head: Head): Fault | null {
  if (head.section.hostIsValid === 1) return null;
  const index = head.first(Field.host);
  if (index < 0) return head.minor === 0 ? null : FAULTS.noHost;
  if (head.isRepeated(Field.host)) return FAULTS.manyHosts;
  const { section } = head;
  if (section.hostIsValid < 0) {
    const table = section.table;
    const at = index * TABLE_STRIDE;
    // An empty host is for targets that have no authority (RFC 9110 §7.2); every http one has.
    section.hostIsValid = isAuthority(section.text, table[at + 2] as number, table[at + 3] as number) ? 1 : 0;
  }
  return section.hostIsValid === 1 ? null : FAULTS.hostValue;
}

/** CONNECT and TRACE define no content; a CONNECT that announces any length is no honest client's. */
function isContentless(head: Head): boolean {
  if (head.has(Field.transferEncoding)) return false;
  if (!head.has(Field.contentLength)) return true;
  return head.method === "TRACE" && /^0{1,20}$/.test(head.joined(Field.contentLength) ?? "");
}

function rareFault(head: Head): Fault | null {
  if (head.has(Field.expect) && head.minor === 1 && !expectsContinue(head)) return FAULTS.expectation;
  const hops = head.method === "TRACE" || head.method === "OPTIONS";
  return hops && head.has(Field.maxForwards) && maxForwards(head) < 0 ? FAULTS.maxForwards : null;
}

/**
 * Whether the request waits for 100 (Continue): one Expect line with the one value there is, in any
 * case. An HTTP/1.0 request never does, whatever it says (RFC 9110 §10.1.1). To be forwarded in our own
 * spelling: unusual ones have been used to make two hops disagree about who waits for whom.
 */
export function expectsContinue(head: Head): boolean {
  const index = head.first(Field.expect);
  if (index < 0 || head.minor === 0 || head.isRepeated(Field.expect)) return false;
  const value = head.value(index);
  return value.length === 12 && equalsIgnoringCase(value, 0, "100-continue");
}

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
