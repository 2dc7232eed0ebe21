/** Where the body of a message ends: RFC 9112 §6.3, refusing whatever two readers could see differently. */

import { type BodyLength, NO_BODY, UNKNOWN_LENGTH } from "../http/body_length.ts";
import { LENGTH_TOO_LARGE } from "../http/content_length.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";
import { Field, maskOf } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { HTTP_1_1, TABLE_STRIDE } from "../http/head.ts";
import { equalsIgnoringCase, isToken, trimOws } from "../bytes/text.ts";

/** How a body is delimited: no body, Content-Length, chunked, or by the end of the connection. */
export type BodyKind = "none" | "length" | "chunked" | "close";

const LENGTH = maskOf(Field.contentLength);
const LENGTH_OR_CODING = LENGTH | maskOf(Field.transferEncoding);
const CHUNKED = "chunked";
const IDENTITY = "identity";

/**
 * Decides where the body of a request ends.
 *
 * @returns the framing ("none", "length" or "chunked"; never "close", RFC 9112 §6.3 rule 6), or a
 *   fault. Refused although the RFC would allow to repair it: both length and coding (§6.1, §11.2),
 *   equal repeated lengths (§6.3 rule 5).
 *   Nothing is allocated; one mask test when neither field is present.
 */
export function requestFraming(head: Head): BodyKind | Fault {
  const framed = head.known & LENGTH_OR_CODING;
  if (framed === 0) return "none";
  if (framed === LENGTH_OR_CODING) return FAULTS.lengthAndCoding;
  if (framed === LENGTH) return lengthFraming(head);
  return codingFault(head) ?? "chunked";
}

/**
 * Decides where the body of a response ends.
 *
 * @param requestMethod method of the request that is answered
 * @returns the framing, or a fault. "close" means that the connection cannot be used again. Interim
 *   responses, 204, 304, any answer to HEAD and a 2xx to CONNECT have no body (rules 1 and 2); the
 *   Content-Length of a 304 or an answer to HEAD describes another message, but is forwarded and so
 *   has to be valid. Refused although the RFC would repair it: both length and coding, and a coding
 *   other than chunked: rule 4 reads such a body to the end of the connection, but we cannot decode
 *   it, and passing it on without its Transfer-Encoding would damage it. `identity` (RFC 2616) is none.
 */
export function responseFraming(head: Head, requestMethod: string): BodyKind | Fault {
  const { status } = head;
  const kind = messageFraming(head);
  if (requestMethod === "CONNECT" && status >= 200 && status < 300) return "none";
  const bodiless = status === 304 || requestMethod === "HEAD";
  return bodiless && typeof kind === "string" ? "none" : kind;
}

/** The framing that the head alone tells of: equal heads are one object, whatever was asked. */
function messageFraming(head: Head): BodyKind | Fault {
  if (head.status < 200 || head.status === 204) return "none";
  const framed = head.known & LENGTH_OR_CODING;
  if (framed === LENGTH_OR_CODING) return FAULTS.lengthAndCoding;
  if (framed === LENGTH) return lengthFraming(head);
  if (framed === 0 || isIdentity(head)) return "close";
  return codingFault(head) ?? "chunked";
}

function lengthFraming(head: Head): BodyKind | Fault {
  if (head.isRepeated(Field.contentLength)) return FAULTS.manyLengths;
  const length = head.section.contentLength;
  if (length < 0) return length === LENGTH_TOO_LARGE ? FAULTS.lengthTooLarge : FAULTS.lengthValue;
  return "length";
}

/** The length of a body that is framed so. @param kind what the framing functions gave for `head` */
export function bodyLength(kind: BodyKind, head: Head): BodyLength {
  if (kind === "length") return head.section.contentLength;
  return kind === "none" ? NO_BODY : UNKNOWN_LENGTH;
}

function isIdentity(head: Head): boolean {
  return !head.isRepeated(Field.transferEncoding) && codingIs(head, IDENTITY);
}

/** Null when Transfer-Encoding is exactly one "chunked". */
function codingFault(head: Head): Fault | null {
  // RFC 9112 §6.1: in a message of HTTP/1.0 the framing is faulty (compare CVE-2026-2835).
  if (head.version < HTTP_1_1) return FAULTS.codingInOldVersion;
  if (head.isRepeated(Field.transferEncoding)) return FAULTS.manyCodings;
  if (codingIs(head, CHUNKED)) return null;
  return endsInChunked(head) ? FAULTS.unknownCoding : FAULTS.codingValue;
}

/**
 * Whether the value is a clean list of different codings with chunked at the end: the length is known
 * then, only the codings before it are not (501, §6.1); everything else is 400 (§6.3 rule 4).
 */
function endsInChunked(head: Head): boolean {
  const codings = (head.valueOf(Field.transferEncoding) ?? "").toLowerCase().split(",");
  const names = codings.map((coding) => trimOws(coding));
  return names.every((name) => isToken(name)) && names.indexOf(CHUNKED) === names.length - 1;
}

function codingIs(head: Head, coding: string): boolean {
  const at = head.first(Field.transferEncoding) * TABLE_STRIDE;
  const from = head.table[at + 2] as number;
  const to = head.table[at + 3] as number;
  return to - from === coding.length && equalsIgnoringCase(head.text, from, coding);
}
