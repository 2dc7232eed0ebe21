/** What a request in a script's hands needs of the gateway around it. */

import type { Clock } from "../../runtime/contract/contract.ts";
import type { ExchangeContext } from "../exchange/exchange_context.ts";
import type { ExchangeSettings } from "../exchange/exchange_settings.ts";
import type { LogFields } from "../exchange/ended_exchange.ts";
import type { ReasonCode } from "../exchange/reason.ts";
import type { RetryPolicy } from "../exchange/retry.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import type { Counted } from "../upstream/counters.ts";
import type { OnwardPlan } from "./onward_plan.ts";

/** A request that was answered here. `head` is null when it could not be parsed. */
export interface LocalAnswer {
  readonly client: DownstreamStream;
  readonly head: Head | null;
  /** Null when it matched none, or was not looked for. */
  readonly route: Counted | null;
  readonly status: number;
  readonly reason: ReasonCode | "";
  readonly detail: string;
  readonly offeredBefore: number;
  /** Its number, where somebody has asked for it already; absent or 0 = nobody has. */
  readonly id?: number;
  /** What a script wants to be told of it in the access log; absent or null = nothing. */
  readonly logFields?: LogFields | null;
}

/** A failure that is answered here. */
export interface Refusal {
  readonly reason: ReasonCode;
  /** For the log, and for Proxy-Status and the body. */
  readonly detail: string;
  readonly status: number;
  readonly phrase?: string;
  readonly fields?: FieldSection;
}

/** An upstream that scripts may name. */
export interface NamedUpstream {
  readonly settings: ExchangeSettings;
  readonly retry: RetryPolicy;
  /** For logs and counters of requests that a script sends there. */
  readonly counted: Counted;
}

/** A request as it goes on. */
export interface Onward {
  /** The client's, or that of whoever stands between it and the exchange. */
  readonly stream: DownstreamStream;
  readonly context: ExchangeContext;
  /** As received. */
  readonly head: Head;
  /** What is sent instead, where a script has changed it. */
  readonly sent: Head;
  /** Path and query. */
  readonly target: string;
  /** Host and port that are asked for, "" for none. */
  readonly authority: string;
  readonly how: OnwardPlan;
  /** Its number, if somebody has asked for it, else 0. */
  readonly number: number;
  /** Bytes that this script and those before it have of the body. */
  readonly bodyBytes: number;
}

/** Of one configuration. */
export interface ScriptHost {
  readonly clock: Clock;
  readonly context: ExchangeContext;
  /** Bytes of a request's body that scripts get at most unless they say otherwise. */
  readonly bodyLimit: number;
  /** Bytes of bodies that scripts have, of all requests together, and how many there may be. */
  bodyBytes: number;
  readonly bodyMemory: number;
  /** @returns null when there is none of that name */
  upstream(name: string): NamedUpstream | null;
  /** To an upstream. */
  send(request: Onward, upstream: NamedUpstream, route: Counted | null): void;
  /** Sends a copy to an upstream, whose answer is dropped. @param body null = there is none */
  mirror(request: Onward, upstream: NamedUpstream, body: Uint8Array | null): void;
  /** Answers with a failure, which the caller tells of. */
  refuse(client: DownstreamStream, head: Head, refusal: Refusal): void;
  /** Tells of a request that was answered here. */
  answered(answer: LocalAnswer): void;
  /** Number of the request that is told of by it. */
  takeNumber(): number;
}
