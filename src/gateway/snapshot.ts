/** What a gateway decides by, and what it tells of what it has decided. */

import type { Address, SocketError } from "../../runtime/contract/contract.ts";
import type { ExchangeContext } from "../exchange/exchange_context.ts";
import type { ReasonCode } from "../exchange/reason.ts";
import type { DownstreamStream, OpenDownstream } from "../http/downstream_stream.ts";
import type { Head } from "../http/head.ts";
import type { ConnectionLimits } from "../server/connection_set.ts";
import type { ForwardSnapshot } from "./forward/forward_snapshot.ts";
import type { Route } from "./route.ts";
import type { Counted } from "../upstream/counters.ts";
import type { Router } from "./router.ts";
import type { TrustedPeers } from "./trusted_peers.ts";

/** What requests are decided by. Immutable; a reload makes a new one and swaps it in. */
export interface Snapshot extends ConnectionLimits {
  readonly router: Router<Route>;
  readonly exchange: ExchangeContext;
  readonly open: OpenDownstream;
  readonly trusted: TrustedPeers;
  readonly rejectUnderscored: boolean;
  /** Null = no listener is one of a forward proxy. */
  readonly forward: ForwardSnapshot | null;
}

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
}

/** Told what happens; must not call back. */
export interface GatewayObserver {
  /** Will ask connections for their clients' ports, also when they have ended. */
  readonly wantsPorts?: boolean;
  answeredLocally(answer: LocalAnswer): void;
  acceptFailed(address: Address, error: SocketError): void;
}
