/** Trailer sections on their way through (RFC 9110 §6.5). */

import { Field, MASKED_IDS, maskOf } from "./field.ts";
import { NO_FIELDS } from "./field_section.ts";
import type { ForwardedFields } from "./forwarded_fields.ts";
import type { Head } from "./head.ts";

/** Whether the client said `TE: trailers` (RFC 9110 §10.1.4). */
export function acceptsTrailers(head: Head): boolean {
  if (!head.has(Field.te)) return false;
  return /(?:^|,)[ \t]*trailers[ \t]*(?:$|[,;])/i.test(head.joined(Field.te) ?? "");
}

/**
 * The trailer fields that may be forwarded. Left out is everything a recipient could take for framing, routing, authentication,
 * content metadata or a control, should it merge trailers into the header section (RFC 9110 §6.5.1).
 */
export function forwardedTrailers(trailers: Head): ForwardedFields {
  return {
    from: trailers.section,
    dropMask: FORBIDDEN_TRAILER_MASK,
    dropNames: forbiddenNames(trailers),
    added: NO_FIELDS,
  };
}

/** All ids that can be in a mask but the few that only inform. */
const FORBIDDEN_TRAILER_MASK = ~maskOf(
  Field.server,
  Field.proxyStatus,
  Field.earlyData,
  Field.altSvc,
  Field.strictTransportSecurity,
);

/** Names that are in no mask. */
const FORBIDDEN_TRAILERS = new Set([
  "accept-ranges",
  "age",
  "authentication-info",
  "cache-control",
  "cookie",
  "expires",
  "idempotency-key",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "location",
  "origin",
  "pragma",
  "proxy-authentication-info",
  "range",
  "referer",
  "retry-after",
  "set-cookie",
  "user-agent",
  "vary",
  "warning",
]);

function forbiddenNames(trailers: Head): Set<string> | null {
  let names: Set<string> | null = null;
  for (let index = 0; index < trailers.count; index++) {
    const id = trailers.id(index);
    if (id !== Field.other && id < MASKED_IDS) continue;
    const name = trailers.name(index).toLowerCase();
    if (FORBIDDEN_TRAILERS.has(name) || name.startsWith("content-") || name.startsWith("sec-")) {
      (names ??= new Set()).add(name);
    }
  }
  return names;
}
