/** The fields of a response as they go to the client: less what concerns the hop. */

import { ConnectionOption, connectionOptions, namedOptions } from "../http1/connection_options.ts";
import { keptFields } from "../http1/encode.ts";
import { Field } from "../http/field.ts";
import type { BodyKind } from "../http1/framing.ts";
import type { Head } from "../http/head.ts";

/** Fields of the hop, and the framing, which the sender writes (RFC 9110 §7.6.1). */
const HOP_MASK = (1 << Field.connection) | (1 << Field.contentLength) | (1 << Field.transferEncoding) |
  (1 << Field.keepAlive) | (1 << Field.proxyConnection) | (1 << Field.te) | (1 << Field.trailer) |
  (1 << Field.upgrade) | (1 << Field.proxyAuthenticate);

/**
 * Builds the field lines of a final response.
 *
 * @param kind framing of the body that was received. "length" keeps the Content-Length in its place: the
 *   codec has made it the one form we would write. "none" keeps it too, it then describes what another
 *   method or a condition would have given (RFC 9110 §8.6), except for 204
 * @param date value for Date when the origin sent none (RFC 9110 §6.6.1)
 * @param trailers the trailer section will be forwarded, so its announcement is
 */
export function responseFields(head: Head, kind: BodyKind, date: string, trailers: boolean): string {
  let mask = HOP_MASK;
  if (kind === "none" && head.status !== 204) mask &= ~(1 << Field.contentLength);
  else if (kind === "length") mask &= ~(1 << Field.contentLength);
  if (trailers) mask &= ~(1 << Field.trailer);
  const kept = keptFields(head, mask, namedFields(head));
  return head.has(Field.date) ? kept : kept + "Date: " + date + "\r\n";
}

/** The fields of an interim response. */
export function interimFields(head: Head): string {
  return keptFields(head, HOP_MASK, namedFields(head));
}

/** The fields of a 101: the switch itself is the hop's business and passes through, checked before. */
export function switchFields(head: Head): string {
  const kept = keptFields(head, HOP_MASK, namedFields(head));
  return kept + "Connection: Upgrade\r\nUpgrade: " + (head.joined(Field.upgrade) ?? "") + "\r\n";
}

function namedFields(head: Head): ReadonlySet<string> | null {
  if (!head.has(Field.connection)) return null;
  return (connectionOptions(head) & ConnectionOption.other) === 0 ? null : namedOptions(head);
}
