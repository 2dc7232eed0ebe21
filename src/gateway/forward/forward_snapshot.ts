/** What requests on forward listeners are decided by. */

import type { OriginCredentials } from "../../credentials/origin_credentials.ts";
import type { ConnectSettings } from "../../exchange/connect_exchange.ts";
import type { ExchangeContext } from "../../exchange/exchange_context.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import type { RetryPolicy } from "../../exchange/retry.ts";
import type { DestinationPolicy } from "../../forward/destination_policy.ts";
import type { ForwardTarget } from "../../forward/forward_target.ts";
import type { ProxyAuth } from "../../forward/auth/proxy_auth.ts";
import type { Destinations } from "../../upstream/destinations.ts";
import type { TrustedPeers } from "../trusted_peers.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { ForwardRule } from "./forward_rule.ts";

export interface ForwardParents {
  readonly retry: RetryPolicy;
  /** Where connections are for one destination each; empty where all requests share them. */
  readonly destinations: readonly Destinations[];
  /** Whether the destination is reached without one. */
  skips(host: string, port: number): boolean;
  /**
   * Where requests for a destination go.
   *
   * @returns null when there are too many destinations
   */
  settings(target: ForwardTarget, isTunnel: boolean): ExchangeSettings | null;
}

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
  /** Who is asked instead of the destination; null = nobody. */
  readonly parents: ForwardParents | null;
  /** For origins of requests that are no tunnels; null = none. */
  readonly credentials: OriginCredentials | null;
  readonly maxTunnels: number;
  /** What requests count for. */
  readonly rule: ForwardRule;
  settings(destination: Upstream): ExchangeSettings;
}

/** Those that are reached directly, and those by way of parents; empty where there is no forward proxy. */
export function allDestinations(forward: ForwardSnapshot | null): readonly Destinations[] {
  return forward === null ? [] : [forward.destinations, ...forward.parents?.destinations ?? []];
}
