/** What a gateway decides by, and what it tells of what it has decided. */

import type { Address, SocketError } from "../../runtime/contract/contract.ts";
import type { ExchangeContext } from "../exchange/exchange_context.ts";
import type { ExchangeSettings } from "../exchange/exchange_settings.ts";
import type { ReasonCode } from "../exchange/reason.ts";
import type { RetryPolicy } from "../exchange/retry.ts";
import type { DownstreamStream, OpenDownstream } from "../http/downstream_stream.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import type { ConnectionLimits } from "../server/connection_set.ts";
import type { Counted } from "../upstream/counters.ts";
import type { RouteMatch, Router } from "./router.ts";
import type { TrustedPeers } from "./trusted_peers.ts";

/** Where a route leads. */
export type RouteTarget =
  | { readonly kind: "upstream"; readonly settings: ExchangeSettings; readonly retry: RetryPolicy }
  | {
    readonly kind: "respond";
    readonly status: number;
    readonly phrase: string;
    /** Without Date and framing. */
    readonly fields: FieldSection;
    /** The body's bytes as Latin-1. */
    readonly body: string;
  };

export interface Route extends RouteMatch, Counted {
  readonly name: string;
  readonly target: RouteTarget;
}

/** What requests are decided by. Immutable; a reload makes a new one and swaps it in. */
export interface Snapshot extends ConnectionLimits {
  readonly router: Router<Route>;
  readonly exchange: ExchangeContext;
  readonly open: OpenDownstream;
  readonly trusted: TrustedPeers;
  readonly rejectUnderscored: boolean;
}

/** A request that was answered here. `head` is null when it could not be parsed. */
export interface LocalAnswer {
  readonly client: DownstreamStream;
  readonly head: Head | null;
  /** Null when it matched none, or was not looked for. */
  readonly route: Route | null;
  readonly status: number;
  readonly reason: ReasonCode | "";
  readonly detail: string;
  readonly offeredBefore: number;
}

/** Told what happens; must not call back. */
export interface GatewayObserver {
  /** Will ask connections for their clients' ports, also when they have ended. */
  readonly wantsPorts?: boolean;
  answeredLocally(answer: LocalAnswer): void;
  acceptFailed(address: Address, error: SocketError): void;
}
