/** A parent proxy's refusal of a CONNECT, as the client gets it. */

import { plainChallenges } from "../http/connection_auth.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { Field } from "../http/field.ts";
import { ownFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import { fieldSection, joinedSections } from "../http/own_fields.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import { viaField } from "./forward_response.ts";
import type { StoredReply } from "./stored_reply.ts";

/** What is passed on of it, beside its status, its phrase and its body. */
const PASSED_ON = ["Content-Type", "Retry-After", "Proxy-Status"] as const;

/**
 * Sends head and body; the caller ends the answer.
 *
 * @param challenges of the parent are for the client
 * @param close no further request is taken: challenges that hold for this connection are left out
 */
export function sendRefusal(
  client: DownstreamStream,
  context: ExchangeContext,
  { head, length, bytes }: StoredReply,
  challenges: boolean,
  close: boolean,
): void {
  const passedOn = PASSED_ON.flatMap((name) => {
    const value = head.find(name.toLowerCase());
    return value === null ? [] : [[name, value] as const];
  });
  const asked = challenges ? challengeLines(head, close) : [];
  const fields = joinedSections(context.date(), fieldSection(...passedOn, ...asked));
  client.sendHead(
    head.status,
    head.reason,
    ownFields(fields, viaField(head, context.forward)),
    length,
    close,
  );
  client.sendBody(bytes, 0, length);
}

/** Each on a line of its own, as they came. */
function challengeLines(head: Head, close: boolean): (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = [];
  for (let index = 0; index < head.count; index++) {
    if (head.id(index) !== Field.proxyAuthenticate) continue;
    const value = close ? plainChallenges(head.value(index)) : head.value(index);
    if (value !== "") lines.push(["Proxy-Authenticate", value]);
  }
  return lines;
}
