/** What requests on forward listeners are decided by. */

import type { ClientTls } from "../../../runtime/contract/contract.ts";
import type { OriginCredentials } from "../../credentials/origin_credentials.ts";
import type { ConnectSettings } from "../../exchange/connect_exchange.ts";
import type { ExchangeContext } from "../../exchange/exchange_context.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import type { RetryPolicy } from "../../exchange/retry.ts";
import type { DestinationPolicy } from "../../forward/destination_policy.ts";
import type { OwnListeners } from "../../forward/own_listeners.ts";
import type { RuleMatcher } from "../../forward/rule_conditions.ts";
import type { ForwardTarget } from "../../forward/forward_target.ts";
import type { ProxyAuth } from "../../forward/auth/proxy_auth.ts";
import type { Destinations } from "../../upstream/destinations.ts";
import type { TrustedPeers } from "../trusted_peers.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { ForwardRule } from "./forward_rule.ts";

/** By what requests are given to one of several parents; see `forward.balance`. */
export type ParentBalance =
  | "order"
  | "round_robin"
  | "least_conn"
  | "random"
  | "source_hash"
  | "user_hash"
  | "host_hash";

/** Where requests go that wait for their destination, or that a parent is asked for. */
export interface ForwardWay {
  readonly retry: RetryPolicy;
  readonly balance: ParentBalance;
  /** Where connections are for one destination each; empty where all requests share them. */
  readonly destinations: readonly Destinations[];
  /**
   * Where requests for a destination go.
   *
   * @returns null when there are too many destinations
   */
  settings(target: ForwardTarget, isTunnel: boolean): ExchangeSettings | null;
}

/**
 * - `deny`: 403 with this reason
 * - `direct`: the destination itself; held for by that way, null = as `held` says
 * - `parents`: by way of other proxies
 */
export type ForwardAction =
  | { readonly kind: "deny"; readonly reason: string }
  | { readonly kind: "direct"; readonly way: ForwardWay | null }
  | { readonly kind: "parents"; readonly way: ForwardWay };

/** A rule of the configuration. */
export interface SnapshotRule {
  readonly name: string;
  readonly matcher: RuleMatcher;
  readonly action: ForwardAction;
  /** What its requests count for. */
  readonly rule: ForwardRule;
}

/** @param host a key, see `DestinationHost` */
export type OriginTls = (host: string) => ClientTls;

/** What the proxy auto-configuration file is made of. */
export interface PacSettings {
  /** See `pacDecisions`. */
  readonly decisions: string;
  /** What clients reach us by, `host:port`; null = by the address in Host, if it is one of ours. */
  readonly host: string | null;
  readonly own: OwnListeners;
}

/** What a request goes by. */
export type DecidedRule = Pick<SnapshotRule, "name" | "action" | "rule">;

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
  /** The first that is for a request decides. */
  readonly rules: readonly SnapshotRule[];
  /** What decides about requests that none of them is for. @param host a key, see `DestinationHost` */
  byDefault(host: string, port: number): DecidedRule;
  /** How a direct destination is held for; null = not at all. */
  held(host: string, port: number): ForwardWay | null;
  /** The addresses of a name; none when it cannot be looked up. Never rejects. */
  lookUp(host: string): Promise<readonly string[]>;
  /** All that requests go by, each once. */
  readonly ways: readonly ForwardWay[];
  /** For origins of requests that are no tunnels; null = none. */
  readonly credentials: OriginCredentials | null;
  readonly maxTunnels: number;
  readonly pac: PacSettings;
  /** How TLS is spoken with an origin whose https:// URL a client asks for; null = it is not. */
  readonly originTls: OriginTls | null;
  /** What requests count for that no rule is for, or that are refused before. */
  readonly rule: ForwardRule;
  /** The same for those of rules, by name; rules of earlier configurations included, so that sums only grow. */
  readonly figures: ReadonlyMap<string, ForwardRule>;
  readonly settings: (destination: Upstream) => ExchangeSettings;
}

/** Those that are reached directly, and those by way of parents; empty where there is no forward proxy. */
export function allDestinations(forward: ForwardSnapshot | null): readonly Destinations[] {
  return forward === null ? [] : [
    forward.destinations,
    ...forward.ways.flatMap(({ destinations }) => destinations),
  ];
}
