/** What is told of an exchange once it has ended: to the access log, the counters and the watchers of events. */

import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { Head } from "../http/head.ts";
import type { Counted } from "../upstream/counters.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { ReasonCode } from "./reason.ts";
import type { RetryPolicy } from "./retry.ts";

/** Names (small letters, digits and "_") and what is said under them. */
export type LogFields = Readonly<Record<string, string | number>>;

/** Lent for the call. Times are milliseconds, those of day on the monotonic clock. */
export interface EndedExchange {
  /** Its number, where somebody has asked for it already; absent or 0 = nobody has. */
  readonly id?: number;
  /** What a script wants to be told of it in the access log; absent or null = nothing. */
  readonly logFields?: LogFields | null;
  /** Where it went, for logs and counters. */
  readonly source: Counted;
  /** Null where nothing is sent again. */
  readonly retry: RetryPolicy | null;
  readonly client: DownstreamStream;
  readonly head: Head;
  /** For logs and counters. */
  readonly route: Counted;
  /** The user of the proxy; "" = not known. */
  readonly user: string;
  /** Status sent to the client, 0 when none was. */
  readonly status: number;
  /** "" when nothing failed. */
  readonly reason: ReasonCode | "";
  readonly detail: string;
  /** Endpoints tried, 0 when the request never left. */
  readonly attempts: number;
  /** Those of them that answered a challenge with a credential of ours. */
  readonly resubmissions: number;
  /** Credentials of ours that it was sent with, by name, separated by commas; "" = none. */
  readonly credential: string;
  /** Those that it is sent with if it is asked for them. */
  readonly offeredCredential: string;
  /** The last endpoint tried, "" when there was none. */
  readonly endpointName: string;
  readonly reusedConnection: boolean;
  /** Bytes of the request body, or what a tunnel got from the client. */
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  /** Bytes that the client's connection had been given before this request. */
  readonly offeredBefore: number;
  /** The first byte of the request. */
  readonly beganAt: number;
  readonly endedAt: number;
  readonly headMs: number;
  /** What it took to read a body that was needed whole. */
  readonly bodyMs: number;
  /** Held and queued. */
  readonly waitMs: number;
  /** The part of it during which no request could be served. */
  readonly heldMs: number;
  readonly connectMs: number;
  readonly firstByteMs: number;
  /** The endpoint that has begun to answer; null when none has. */
  readonly answeredBy: Endpoint | null;
  /** It became a tunnel. */
  readonly upgraded: boolean;
  /** Its connection is or was its client's own: see pins.ts. */
  readonly pinned: boolean;
}
