/** A request as it goes to an endpoint. */

import type { BodyLength } from "./body_length.ts";
import type { ForwardedFields } from "./forwarded_fields.ts";
import type { Head } from "./head.ts";

export interface ForwardedRequest {
  /** As received: the method is the one that is sent. */
  readonly head: Head;
  /** Path and query, or "*", byte-exact. */
  readonly target: string;
  /** Host and port that are asked for; null = the received Host goes on in its place, among the fields. */
  readonly authority: string | null;
  readonly fields: ForwardedFields;
  readonly body: BodyLength;
  /** Protocols to switch to, lower case, separated by ", "; "" = none is asked for. */
  readonly upgrade: string;
  /** The client accepts a trailer section (RFC 9110 §10.1.4). */
  readonly acceptsTrailers: boolean;
}
