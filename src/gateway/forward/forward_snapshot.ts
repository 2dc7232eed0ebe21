/** What requests on forward listeners are decided by. */

import type { ConnectSettings } from "../../exchange/connect_exchange.ts";
import type { ExchangeContext } from "../../exchange/exchange_context.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import type { RetryPolicy } from "../../exchange/retry.ts";
import type { DestinationPolicy } from "../../forward/destination_policy.ts";
import type { ProxyAuth } from "../../forward/auth/proxy_auth.ts";
import type { Destinations } from "../../upstream/destinations.ts";
import type { TrustedPeers } from "../trusted_peers.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { ForwardRule } from "./forward_rule.ts";

export interface ForwardSnapshot {
  readonly policy: DestinationPolicy;
  /** Null = clients need not authenticate. */
  readonly auth: ProxyAuth | null;
  /** Clients that need not authenticate; null = all, if `auth` is null as well. */
  readonly clients: TrustedPeers | null;
  readonly destinations: Destinations;
  readonly exchange: ExchangeContext;
  readonly retry: RetryPolicy;
  readonly connect: ConnectSettings;
  readonly maxTunnels: number;
  /** What requests count for. */
  readonly rule: ForwardRule;
  settings(destination: Upstream): ExchangeSettings;
}
