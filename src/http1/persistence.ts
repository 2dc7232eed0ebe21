/** Whether a connection may carry another message after this one (RFC 9112 §9.3). */

import { ConnectionOption, connectionOptions } from "./connection_options.ts";
import { Field } from "../http/field.ts";
import type { BodyKind } from "./framing.ts";
import { type Head, HTTP_1_1 } from "../http/head.ts";

const NO_MORE = ConnectionOption.close | ConnectionOption.malformed;

/**
 * Whether the client wants to go on after this request: HTTP/1.1 unless it says "close"; HTTP/1.0 only
 * if it says "keep-alive" (§9.3 forbids that to a proxy because old intermediaries pass the option on
 * blindly; a gateway talks to the client itself, and benchmarks and monitors still ask for it).
 */
export function requestPersists(head: Head): boolean {
  return persists(head);
}

/** Whether the origin server's connection may be used again after this response, framed as `kind`. */
export function responsePersists(head: Head, kind: BodyKind): boolean {
  return kind !== "close" && head.status !== 101 && persists(head);
}

function persists(head: Head): boolean {
  if (!head.has(Field.connection)) return head.version >= HTTP_1_1;
  const options = connectionOptions(head);
  if ((options & NO_MORE) !== 0) return false;
  return head.version >= HTTP_1_1 || (options & ConnectionOption.keepAlive) !== 0;
}
