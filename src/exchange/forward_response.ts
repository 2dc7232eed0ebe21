/** The fields of a response as they go to the client: less what concerns the hop. */

import { type BodyLength, UNKNOWN_LENGTH } from "../http/body_length.ts";
import { Field, maskOf } from "../http/field.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { type Head, versionText } from "../http/head.ts";
import { fieldSection, joinedSections } from "../http/own_fields.ts";
import type { ForwardSettings } from "./forward_request.ts";

/** Fields of the hop, and the framing, which the sender writes (RFC 9110 §7.6.1). */
const HOP_MASK = maskOf(
  Field.connection,
  Field.contentLength,
  Field.transferEncoding,
  Field.keepAlive,
  Field.proxyConnection,
  Field.te,
  Field.trailer,
  Field.upgrade,
  Field.proxyAuthenticate,
  Field.proxyAuthenticationInfo,
);
const LENGTH_MASK = maskOf(Field.contentLength);
const TRAILER_MASK = maskOf(Field.trailer);

/**
 * The fields of a final response.
 *
 * @param body of the response that was received. A known length keeps the Content-Length in its place: the codec has
 *   made it the one form we would write. Without a body it is kept too, it then describes what another
 *   method or a condition would have given (RFC 9110 §8.6), except for 204
 * @param date the Date field, for an origin that sent none (RFC 9110 §6.6.1)
 * @param trailers the trailer section will be forwarded, so its announcement is
 */
export function responseFields(
  head: Head,
  body: BodyLength,
  date: () => FieldSection,
  trailers: boolean,
  settings: ForwardSettings,
): ForwardedFields {
  let mask = HOP_MASK;
  if (body !== UNKNOWN_LENGTH && head.status !== 204) mask &= ~LENGTH_MASK;
  if (trailers) mask &= ~TRAILER_MASK;
  const via = settings.outbound ? viaField(head, settings) : NO_FIELDS;
  return fieldsBut(mask, head, head.has(Field.date) ? via : joinedSections(date(), via));
}

/** Via of a response that a proxy passes on, which a gateway may leave out (RFC 9110 §7.6.3). One object while it is the same. */
export function viaField({ version }: Head, { via, last }: ForwardSettings): FieldSection {
  if (last.via !== null && last.viaVersion === version) return last.via;
  last.viaVersion = version;
  return last.via = fieldSection(["Via", versionText(version) + " " + via]);
}

/** The fields of an interim response, or of a switch: that it is one, the sender says. */
export function interimFields(head: Head, settings: ForwardSettings): ForwardedFields {
  return fieldsBut(HOP_MASK, head, settings.outbound ? viaField(head, settings) : NO_FIELDS);
}

function fieldsBut(dropMask: number, { section }: Head, added: FieldSection): ForwardedFields {
  const { memo } = section;
  if (memo === null) return { from: section, dropMask, dropNames: section.hopNames, added };
  // The cast: nothing else is ever put there.
  const forwarded = memo.forwarded as ForwardedFields | null;
  if (forwarded !== null && forwarded.dropMask === dropMask && forwarded.added === added) return forwarded;
  const fields = { from: section, dropMask, dropNames: section.hopNames, added };
  memo.forwarded = fields;
  return fields;
}
