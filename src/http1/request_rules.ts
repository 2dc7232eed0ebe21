/** What a request head must satisfy beyond the grammar, whatever the configuration says. */

import { SLASH } from "../bytes/character.ts";
import { ConnectionOption, connectionOptions } from "./connection_options.ts";
import { expectsContinue } from "../http/expect.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";
import { Field, maskOf } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { HTTP_1_1 } from "../http/head.ts";
import { maxForwards } from "../http/max_forwards.ts";
import { targetFault } from "../http/target.ts";

const RARE = maskOf(Field.expect, Field.maxForwards);

/**
 * Checks host, target form and the fields a request can confuse recipients with. Framing is a matter
 * of `requestFraming`, and whether CONNECT or TRACE is served at all is one of configuration.
 *
 * @returns the first fault found, or null. No allocation for a request in origin form or in absolute form.
 * Sources: RFC 9112 §3.2 (host, target), RFC 9110 §7.6.1 (Connection), §7.6.2, §9.3.6, §9.3.8, §10.1.1.
 */
export function checkRequest(head: Head): Fault | null {
  const target = head.target;
  if (target.charCodeAt(0) !== SLASH || head.method === "CONNECT") {
    const fault = targetFault(head.method, target);
    if (fault !== null) return fault;
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
  if (head.section.hostIsValid) return null;
  if (!head.has(Field.host)) return head.version < HTTP_1_1 ? null : FAULTS.noHost;
  return head.isRepeated(Field.host) ? FAULTS.manyHosts : FAULTS.hostValue;
}

/** CONNECT and TRACE define no content; a CONNECT that announces any length is no honest client's. */
function isContentless(head: Head): boolean {
  if (head.has(Field.transferEncoding)) return false;
  if (!head.has(Field.contentLength)) return true;
  return head.method === "TRACE" && /^0{1,20}$/.test(head.joined(Field.contentLength) ?? "");
}

function rareFault(head: Head): Fault | null {
  if (head.has(Field.expect) && head.version >= HTTP_1_1 && !expectsContinue(head)) return FAULTS.expectation;
  const hops = head.method === "TRACE" || head.method === "OPTIONS";
  return hops && head.has(Field.maxForwards) && maxForwards(head) < 0 ? FAULTS.maxForwards : null;
}
