/** What the parents of a configuration come to: where requests for a destination go. */

import type { Runtime } from "../../../runtime/contract/contract.ts";
import { ChainedConnector } from "../../client/chained_connector.ts";
import { SocketConnector } from "../../client/connector.ts";
import type { ForwardConfig, ParentConfig, UpstreamConfig } from "../../config/values/config.ts";
import type { IoTurn } from "../../conn/io_turn.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import type { ForwardTarget } from "../../forward/forward_target.ts";
import { NoProxy } from "../../forward/no_proxy.ts";
import type { ForwardParents } from "../../gateway/forward/forward_snapshot.ts";
import type { Http1Limits } from "../../http/limits.ts";
import { ALL_POLICIES } from "../../upstream/balance/policies.ts";
import {
  type DestinationEndpoint,
  Destinations,
  type DestinationSettings,
} from "../../upstream/destinations.ts";
import type { EndpointSettings } from "../../upstream/endpoint_settings.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { UpstreamObserver } from "../../upstream/upstream_observer.ts";

/** Destinations come and go with what clients ask for. */
const SILENT: UpstreamObserver = { endpointDown() {}, endpointUp() {} };

export interface ParentsParts {
  /** Its dials go to parents. */
  readonly runtime: Runtime;
  readonly turn: IoTurn;
  readonly limits: Http1Limits;
  readonly counted: DestinationSettings["counted"];
  /** Dials of requests and of tunnels that go to destinations directly. */
  readonly direct: { readonly requests: Runtime; readonly tunnels: Runtime };
  readonly settings: (upstream: Upstream, config: UpstreamConfig) => ExchangeSettings;
  /** Of the reuse key of connections that lead to an origin; "" = anybody's requests may go on them. */
  readonly originKey: (host: string, port: number) => string;
}

/** All requests share one upstream. */
export function sharedByAll(forward: ForwardConfig, settings: ExchangeSettings): ForwardParents {
  const failsOver = { ...settings, failsOver: true };
  return { ...common(forward), destinations: [], settings: () => failsOver };
}

/**
 * Each destination has an upstream of its own, whose endpoints are the parents.
 *
 * @param proxies the HTTP proxies among them
 */
export function byDestination(
  forward: ForwardConfig,
  proxies: readonly EndpointSettings[],
  parts: ParentsParts,
): ForwardParents {
  const { byParent, parents } = forward;
  const requests = destinations(parts, byParent, parts.direct.requests, holdMs(forward));
  const tunnels = destinations(parts, byParent, parts.direct.tunnels, holdMs(forward));
  return {
    ...common(forward),
    destinations: [requests, tunnels],
    settings: (target, isTunnel) => {
      const { host, port } = target;
      const upstream = (isTunnel ? tunnels : requests).byWayOf(
        `${host}:${port}`,
        () => parents.map((parent) => endpointTo(target, parent, proxies, parts.originKey(host, port))),
      );
      return upstream === null ? null : { ...parts.settings(upstream, byParent), failsOver: true };
    },
  };
}

/** Nobody wants to wait for a name that is misspelt; who has put the destination itself in the list, asks it last. */
function holdMs({ byParent, parents }: ForwardConfig): number {
  return parents.some(({ kind }) => kind === "direct") ? 0 : byParent.holdMs;
}

function common({ byParent, noParent }: ForwardConfig): Pick<ForwardParents, "retry" | "skips"> {
  const direct = new NoProxy(noParent);
  return { retry: byParent.retry, skips: (host, port) => direct.has(host, port) };
}

function destinations(
  { runtime, turn, limits, counted }: ParentsParts,
  config: UpstreamConfig,
  direct: Runtime,
  holdMs: number,
): Destinations {
  const connector = new ChainedConnector(
    new SocketConnector(direct, turn),
    new SocketConnector(runtime, turn),
  );
  return new Destinations(runtime, connector, {
    name: config.name,
    counted,
    upstream: {
      policy: ALL_POLICIES[config.policy],
      holdMs,
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

function endpointTo(
  { host, port, authority }: ForwardTarget,
  parent: ParentConfig,
  proxies: readonly EndpointSettings[],
  credentials: string,
): DestinationEndpoint {
  const { name } = parent;
  const plain = { scheme: "http" as const, tls: null, credentials };
  if (parent.kind === "direct") {
    const key = { ...plain, address: { kind: "tcp" as const, host, port }, proxyChain: [] };
    return { name, key, hostField: authority };
  }
  if (parent.kind === "socks") {
    const { address, resolves, user, password } = parent;
    const login = user === null ? null : { user, password: password ?? "" };
    const key = { ...plain, address, proxyChain: [name], socks: { host, port, resolves, login } };
    return { name, key, hostField: authority };
  }
  // The cast: there is one for each of this kind.
  const { key, proxy } = proxies.find((proxy) => proxy.name === name) as EndpointSettings;
  return {
    name,
    key: { ...key, proxyChain: [name] },
    hostField: authority,
    ...(proxy === undefined ? {} : { proxy }),
  };
}
