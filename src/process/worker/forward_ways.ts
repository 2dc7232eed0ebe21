/** What parents, and holding for direct destinations, come to: where requests for a destination go. */

import type { ClientTls, Runtime } from "../../../runtime/contract/contract.ts";
import { ChainedConnector } from "../../client/chained_connector.ts";
import { SocketConnector } from "../../client/connector.ts";
import type {
  EndpointConfig,
  ParentConfig,
  ParentsConfig,
  ProxyParentConfig,
  UpstreamConfig,
} from "../../config/values/config.ts";
import type { IoTurn } from "../../conn/io_turn.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import type { ForwardTarget } from "../../forward/forward_target.ts";
import { destinationOwner } from "../../gateway/forward/forward_departures.ts";
import type { ForwardWay, OriginTls } from "../../gateway/forward/forward_snapshot.ts";
import type { Http1Limits } from "../../http/limits.ts";
import { FAILOVER_POLICIES } from "../../upstream/balance/policies.ts";
import {
  type DestinationEndpoint,
  Destinations,
  type DestinationSettings,
} from "../../upstream/destinations.ts";
import type { EndpointSettings } from "../../upstream/endpoint_settings.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { UpstreamObserver } from "../../upstream/upstream_observer.ts";
import { keyBy } from "./endpoint_settings.ts";

/** Destinations come and go with what clients ask for. */
const SILENT: UpstreamObserver = { endpointDown() {}, endpointUp() {} };

export interface WayParts {
  /** Its dials go to parents. */
  readonly runtime: Runtime;
  readonly turn: IoTurn;
  readonly limits: Http1Limits;
  readonly counted: DestinationSettings["counted"];
  /** Dials of requests and of tunnels that go to destinations directly. */
  readonly direct: { readonly requests: Runtime; readonly tunnels: Runtime };
  readonly originTls: OriginTls | null;
  /** Of the reuse key of connections that lead to an origin; "" = anybody's requests may go on them. */
  readonly originKey: (host: string, port: number) => string;
  readonly settings: (upstream: Upstream, config: UpstreamConfig) => ExchangeSettings;
}

/** Where the connections of a way are, those of requests and those of tunnels: what a reload keeps of it. */
export interface WayPools {
  readonly requests: Destinations;
  readonly tunnels: Destinations;
}

/** @param config of the upstreams that destinations get */
export function wayPools(config: UpstreamConfig, parts: WayParts): WayPools {
  return {
    requests: destinations(parts, config, parts.direct.requests),
    tunnels: destinations(parts, config, parts.direct.tunnels),
  };
}

/** All requests share one upstream. */
export function sharedByAll(config: ParentsConfig, settings: ExchangeSettings): ForwardWay {
  const { upstream, balance } = config;
  const failsOver = { ...settings, failsOver: true, passesLogin: passesLogin(config) };
  return { retry: upstream.retry, balance, destinations: [], settings: () => failsOver };
}

/**
 * Each destination has an upstream of its own, whose endpoints are the parents.
 *
 * @param proxies the HTTP proxies among them
 */
export function byDestination(
  whole: ParentsConfig,
  proxies: readonly EndpointSettings[],
  parts: WayParts,
  { requests, tunnels }: WayPools,
): ForwardWay {
  const { parents, balance, upstream: config } = whole;
  const passes = passesLogin(whole);
  return {
    retry: config.retry,
    balance,
    destinations: [requests, tunnels],
    settings: (target, isTunnel) => {
      const destinations = isTunnel ? tunnels : requests;
      const credentials = parts.originKey(target.host, target.port);
      const upstream = destinations.known(target.destination, credentials, parts.turn.now) ??
        destinations.make(
          destinationOwner(target, credentials),
          parents.map((parent) => endpointTo(target, parent, proxies, parts)),
        );
      return upstream === null
        ? null
        : { ...parts.settings(upstream, config), failsOver: true, passesLogin: passes };
    },
  };
}

function passesLogin({ parents }: ParentsConfig): boolean {
  return parents.some((parent) => parent.kind !== "direct" && parent.passesLogin);
}

/** Direct destinations that requests are held for, as if each were its own parent. @param direct how they are reached */
export function heldDirect(direct: UpstreamConfig, holdMs: number): ParentsConfig {
  const upstream: UpstreamConfig = { ...direct, holdMs, policy: "first_up" };
  return { parents: [{ kind: "direct", name: "direct" }], balance: "order", upstream };
}

function destinations(
  { runtime, turn, limits, counted }: WayParts,
  config: UpstreamConfig,
  direct: Runtime,
): Destinations {
  const connector = new ChainedConnector(
    new SocketConnector(direct, turn),
    new SocketConnector(runtime, turn),
  );
  return new Destinations(runtime, connector, {
    name: config.name,
    counted,
    upstream: {
      policy: FAILOVER_POLICIES[config.policy],
      holdMs: config.holdMs,
      holdIntervalMs: config.holdIntervalMs,
      queueSize: config.queue.size,
      queueBytes: config.queue.bytes,
      queueTimeoutMs: config.queue.timeoutMs,
      connectTimeoutMs: config.connectTimeoutMs,
      limits,
    },
    pool: config.pool,
  }, SILENT);
}

/** How TLS is spoken with a proxy that leads to a SOCKS one. */
function tlsOf(proxies: readonly EndpointSettings[], via: ProxyParentConfig): ClientTls | null {
  return proxies.find(({ name }) => name === viaEndpoint(via))?.key.tls ?? null;
}

/** The endpoints of parents that are HTTP proxies, and of HTTP proxies that lead to SOCKS ones. */
export function proxyEndpoints({ parents, upstream }: ParentsConfig): UpstreamConfig {
  const ways = parents.flatMap((parent): EndpointConfig[] => {
    if (parent.kind !== "socks" || parent.via?.kind !== "http") return [];
    const { address, scheme } = parent.via;
    return [{ name: viaEndpoint(parent.via), address, scheme, weight: 1 }];
  });
  return ways.length === 0 ? upstream : { ...upstream, endpoints: [...upstream.endpoints, ...ways] };
}

/** No parent is named so. */
function viaEndpoint({ name }: ProxyParentConfig): string {
  return `via ${name}`;
}

function endpointTo(
  { scheme, host, port, authority }: ForwardTarget,
  parent: ParentConfig,
  proxies: readonly EndpointSettings[],
  { originTls, originKey }: Pick<WayParts, "originTls" | "originKey">,
): DestinationEndpoint {
  const { name } = parent;
  const plain = { scheme: "http" as const, tls: null, credentials: originKey(host, port) };
  if (parent.kind === "direct") {
    const secure = scheme === "https" ? { scheme, tls: originTls?.(host) ?? null } : {};
    const key = { ...plain, ...secure, address: { kind: "tcp" as const, host, port }, proxyChain: [] };
    return { name, key, hostField: authority, weight: 1 };
  }
  const { weight } = parent;
  if (parent.kind === "socks") {
    const { address, resolves, user, password } = parent;
    const login = user === null ? null : { user, password: password ?? "" };
    const { via } = parent;
    const key = {
      ...plain,
      address,
      socks: { host, port, resolves, login },
      ...(via === null ? {} : keyBy(via, address, tlsOf(proxies, via), null)),
      proxyChain: [name],
    };
    return { name, key, hostField: authority, weight };
  }
  // The cast: there is one for each of this kind.
  const { key, proxy } = proxies.find((proxy) => proxy.name === name) as EndpointSettings;
  return {
    name,
    key: { ...key, proxyChain: [name] },
    hostField: authority,
    weight,
    ...(proxy === undefined ? {} : { proxy }),
  };
}
