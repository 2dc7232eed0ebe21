/** What a gateway decides by, and what it tells of what it has decided. */

import type { Address, SocketError } from "../../runtime/contract/contract.ts";
import type { ExchangeContext } from "../exchange/exchange_context.ts";
import type { OpenDownstream } from "../http/downstream_stream.ts";
import type { ConnectionLimits } from "../server/connection_set.ts";
import type { ForwardSnapshot } from "./forward/forward_snapshot.ts";
import type { Route } from "./route.ts";
import type { Script } from "../script/script.ts";
import type { ScriptFaults } from "../script/script_faults.ts";
import type { LocalAnswer, NamedUpstream } from "../script/script_host.ts";
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
  /** Null = there are none. */
  readonly scripts: SnapshotScripts | null;
  /** By name, for scripts: those of an earlier configuration, too, which may have requests under way. */
  readonly upstreams: ReadonlyMap<string, NamedUpstream>;
  /** Bytes of a request's body that scripts get at most unless they say otherwise. */
  readonly scriptBodyBytes: number;
  /** Bytes of all bodies together that are in the hands of scripts. */
  readonly scriptMemoryBytes: number;
}

/** Scripts of a configuration. */
export interface SnapshotScripts {
  /** Asked before the routes; null = none is. */
  readonly global: Script | null;
  readonly faults: ScriptFaults;
}

/** Told what happens; must not call back. */
export interface GatewayObserver {
  /** Will ask connections for their clients' ports, also when they have ended. */
  readonly wantsPorts?: boolean;
  answeredLocally(answer: LocalAnswer): void;
  /** The number of a request that will be told of: absent = there are none. */
  takeNumber?(): number;
  acceptFailed(address: Address, error: SocketError): void;
}
