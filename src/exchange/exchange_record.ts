/**
 * What is known about one exchange when it ends. The exchange fills it, the access log and the counters
 * read it; none keeps it. All fields exist from the start, in one order, so that all records have one
 * shape.
 */

import type { FieldSection } from "../http/field_section.ts";
import type { LogFields } from "./ended_exchange.ts";
import type { ReasonCode } from "./reason.ts";

export interface ExchangeRecord {
  /** Counter of this process, unique among its exchanges; printed as a number. */
  id: number;
  /** Wall-clock milliseconds since 1970 of the first byte of the request. */
  startedAtWallMs: number;
  /** IP literal of the client, "" for Unix sockets. */
  clientAddress: string;
  clientPort: number;
  /** The client connection is TLS. */
  tls: boolean;
  /** Scheme the client used, as far as we know it. */
  scheme: "http" | "https";
  /** The user of the proxy; "" = not known. */
  user: string;
  /** "" when the request line could not be parsed; target and host likewise. Untrusted, Latin-1. */
  method: string;
  target: string;
  host: string;
  /** Version of HTTP that the client used. */
  protocol: "1.0" | "1.1" | "2";
  /** Names out of the configuration; "" while undecided. */
  route: string;
  upstream: string;
  endpoint: string;
  /** Status sent to the client; 0 when none was. */
  status: number;
  requestHeadBytes: number;
  requestBodyBytes: number;
  responseBodyBytes: number;
  /** Bytes on the wire on the client's side, heads and framing included. */
  bytesIn: number;
  bytesOut: number;
  /** Endpoints tried, 0 when the request never left. */
  attempts: number;
  /** Those of them that answered a challenge with a credential of ours. */
  resubmissions: number;
  /** Credentials of ours that it was sent with; "" = none. */
  credential: string;
  /** The last attempt used a pooled connection. */
  reusedConnection: boolean;
  /** The exchange became a tunnel. */
  upgraded: boolean;
  /** "" when nothing failed. */
  reason: ReasonCode | "";
  /** Words for people about `reason`; may hold text of a peer, so it is escaped and cut when logged. */
  detail: string;
  /** Milliseconds, fractions allowed; 0 when the phase did not happen. */
  headMs: number;
  /** Reading a body that was buffered before the request took a slot. */
  bodyMs: number;
  /** Held and queued together. */
  waitMs: number;
  /** The part of `waitMs` during which no endpoint could be reached. */
  heldMs: number;
  connectMs: number;
  /** From the request being sent to the first byte of the response. */
  firstByteMs: number;
  totalMs: number;
  /** Only filled when the access log asks for them (`AccessLog.wantsAgent`); "" otherwise. */
  userAgent: string;
  referer: string;
  /** Where host, userAgent and referer come from; null when they were changed since, or come from nowhere. */
  section: FieldSection | null;
  /** What a script wants to be told; null = nothing. */
  logFields: LogFields | null;
}

/** A record of nothing yet. */
export function newExchangeRecord(): ExchangeRecord {
  return {
    id: 0,
    startedAtWallMs: 0,
    clientAddress: "",
    clientPort: 0,
    tls: false,
    scheme: "http",
    user: "",
    method: "",
    target: "",
    host: "",
    protocol: "1.1",
    route: "",
    upstream: "",
    endpoint: "",
    status: 0,
    requestHeadBytes: 0,
    requestBodyBytes: 0,
    responseBodyBytes: 0,
    bytesIn: 0,
    bytesOut: 0,
    attempts: 0,
    resubmissions: 0,
    credential: "",
    reusedConnection: false,
    upgraded: false,
    reason: "",
    detail: "",
    headMs: 0,
    bodyMs: 0,
    waitMs: 0,
    heldMs: 0,
    connectMs: 0,
    firstByteMs: 0,
    totalMs: 0,
    userAgent: "",
    referer: "",
    section: null,
    logFields: null,
  };
}
