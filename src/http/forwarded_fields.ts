/** The fields of a message that is sent: what is passed on of a received one, and what is added. */

import { type FieldSection, NO_FIELDS } from "./field_section.ts";

/**
 * Neither of its parts depends on a wire version: HTTP/1 writes lines, HTTP/2 writes HPACK. Framing and what concerns
 * the connection (Connection, TE, Upgrade) is in neither; the sending stream adds it.
 */
export interface ForwardedFields {
  /** As received; sent in their order and spelling, before those added. */
  readonly from: FieldSection;
  /** Mask (`maskOf`) of the fields that are not passed on; bit 0 has no effect. */
  readonly dropMask: number;
  /** Lower-case names of further fields that are not passed on, or null. */
  readonly dropNames: ReadonlySet<string> | null;
  readonly added: FieldSection;
}

/** Fields of a message of our own. */
export function ownFields(first: FieldSection, second: FieldSection = NO_FIELDS): ForwardedFields {
  return { from: first, dropMask: 0, dropNames: null, added: second };
}

export const NO_FORWARDED_FIELDS: ForwardedFields = ownFields(NO_FIELDS);
