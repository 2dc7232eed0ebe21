/** What the forward proxy of a configuration goes by, built from it and from the files that it names. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import { ByteConnector } from "../../client/byte_connector.ts";
import { SocketConnector } from "../../client/connector.ts";
import { allParents, areShared } from "../../config/build_forward.ts";
import type { Config, ForwardConfig, UpstreamConfig } from "../../config/values/config.ts";
import type { IoTurn } from "../../conn/io_turn.ts";
import type { ConnectSettings } from "../../exchange/connect_exchange.ts";
import type { ExchangeContext } from "../../exchange/exchange_context.ts";
import type { UpstreamCredentials } from "../../exchange/login.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import type { ReasonCode } from "../../exchange/reason.ts";
import { LastForwarded } from "../../exchange/forward_request.ts";
import { ProxyAuth } from "../../forward/auth/proxy_auth.ts";
import { DestinationPolicy } from "../../forward/destination_policy.ts";
import { type DestinationRule, parseDestinationRule } from "../../forward/destination_rule.ts";
import { NoProxy } from "../../forward/no_proxy.ts";
import { pacDecisions, type PacSource } from "../../forward/pac_file.ts";
import type { ListeningAddress, OwnListeners } from "../../forward/own_listeners.ts";
import { DESTINATION_FAILURES, proxyPhrase } from "../../forward/proxy_phrases.ts";
import { ForwardRule } from "../../gateway/forward/forward_rule.ts";
import type { ForwardSnapshot, OriginTls } from "../../gateway/forward/forward_snapshot.ts";
import { TrustedPeers } from "../../gateway/trusted_peers.ts";
import { isLoopback } from "../../bytes/ip_address.ts";
import { fieldSection } from "../../http/own_fields.ts";
import type { Http1Limits } from "../../http/limits.ts";
import { derivedRuntime } from "../../resolve/derived_runtime.ts";
import { ALL_POLICIES } from "../../upstream/balance/policies.ts";
import { Destinations } from "../../upstream/destinations.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { UpstreamObserver } from "../../upstream/upstream_observer.ts";
import { proxyEndpoints, type WayParts, type WayPools } from "./forward_ways.ts";
import { forwardPaths, type Parents } from "./forward_paths.ts";
import type { BuiltCredentials } from "./build_credentials.ts";
import { endpointSettings } from "./endpoint_settings.ts";
import { usableTlsFiles } from "../shared/tls_files.ts";
import { usableForwardFiles } from "../shared/forward_files.ts";

/** Destinations come and go with what clients ask for: that one is down is told in their answers. */
const SILENT: UpstreamObserver = { endpointDown() {}, endpointUp() {} };

/**
 * Distinguishes the Sluices of a chain, which all have the same name unless they are given one: a request that comes back to
 * the one that it has passed goes round in circles.
 */
const INSTANCE = Array.from(
  crypto.getRandomValues(new Uint8Array(4)),
  (byte) => byte.toString(16).padStart(2, "0"),
)
  .join("");

const HOST_PASSES = { kind: "pass" } as const;

/** What a reload compares, and keeps where it is equal. */
export interface BuiltForward {
  readonly snapshot: ForwardSnapshot;
  /** Equal for equal rules and equal settings of destinations. */
  readonly destinationsKey: string;
  /** Where ways have connections that are for one destination each, by all that these were made from. */
  readonly pools: ReadonlyMap<string, WayPools>;
  /** What requests count for, by names of rules; those that are not there any more included. */
  readonly figures: Map<string, ForwardRule>;
  /** Equal for files that hold the same. */
  readonly authKey: string;
}

/**
 * @param exchange of requests that come in
 * @param own filled by the binding side with the addresses that are bound
 * @param before what serves now: its destinations go on if they may be reached as before, and so does what is known of passwords
 * @param sharedBy the upstream that shared parents are
 * @throws SystemError when a file of its users cannot be read or used
 */
export async function buildForward(
  runtime: Runtime,
  system: System,
  turn: IoTurn,
  config: Config,
  exchange: ExchangeContext,
  limits: Http1Limits,
  own: OwnListeners,
  before: BuiltForward | null,
  sharedBy: (name: string) => Upstream | null,
  credentials: BuiltCredentials,
): Promise<BuiltForward | null> {
  const { forward } = config;
  if (forward === null) return null;
  const { users, digestUsers, tokens, fingerprint } = await usableForwardFiles(system, forward);
  const authKey = JSON.stringify([users !== null, digestUsers !== null, tokens !== null, fingerprint]);
  const same = authKey === before?.authKey;
  const auth = users === null && digestUsers === null && tokens === null
    ? null
    : same
    ? before.snapshot.auth
    : new ProxyAuth({ users, digestUsers, tokens, digests: system.digests, clock: runtime.clock });
  const parents = new Map<string, Parents>();
  for (const config of allParents(forward)) {
    const { upstream } = config;
    const proxies = await endpointSettings(system, proxyEndpoints(config), null, credentials);
    parents.set(upstream.name, {
      config,
      shared: areShared(config) ? sharedBy(upstream.name) : null,
      proxies,
    });
  }
  const authorities = forward.https ? await originAuthorities(system, forward) : null;
  return built(
    runtime,
    turn,
    config,
    forward,
    exchange,
    limits,
    own,
    authKey,
    auth,
    before,
    parents,
    authorities,
    credentials,
  );
}

/** Whom certificates of origins are to be by; null = the platform's. @throws SystemError when the file cannot be used */
async function originAuthorities(system: System, { direct }: ForwardConfig): Promise<string | null> {
  const paths = { ca: direct.tls.caFile, cert: null, key: null };
  const { ca } = await usableTlsFiles(system, paths, (option) => `upstream_tls.${option}`);
  return ca;
}

function originTls(
  { https, direct: { tls: { verify } } }: ForwardConfig,
  ca: string | null,
): OriginTls | null {
  return https ? (serverName) => ({ serverName, verify, ca }) : null;
}

/** Not a part of `buildForward`, whose variables its closures would keep: `before` among them, and all that were before that. */
function built(
  runtime: Runtime,
  turn: IoTurn,
  config: Config,
  forward: ForwardConfig,
  exchange: ExchangeContext,
  limits: Http1Limits,
  own: OwnListeners,
  authKey: string,
  auth: ProxyAuth | null,
  before: BuiltForward | null,
  parents: ReadonlyMap<string, Parents>,
  authorities: string | null,
  credentials: BuiltCredentials,
): BuiltForward {
  const { direct } = forward;
  const onLoopback = !isReachable(config);
  const { allow, deny, ports, https } = forward;
  const destinationsKey = JSON.stringify([
    allow,
    deny,
    ports,
    onLoopback,
    limits,
    direct,
    https,
    authorities,
  ]);
  const same = destinationsKey === before?.destinationsKey ? before.snapshot : null;
  const policy = same?.policy ?? destinationPolicy(forward, onLoopback, own);
  const rule = before?.snapshot.rule ?? new ForwardRule(direct.name);
  const figures = before?.figures ?? new Map<string, ForwardRule>();
  const { pools, ...paths } = forwardPaths(forward, parents, {
    parts: {
      runtime,
      turn,
      limits,
      counted: { upstream: rule.destinations.counters, endpoint: rule.answers },
      direct: { requests: judged(runtime, policy, false), tunnels: judged(runtime, policy, true) },
      originTls: originTls(forward, authorities),
      settings: settingsWith(credentials),
      originKey: originKeys(credentials, forward),
    },
    key: destinationsKey,
    before: before?.pools ?? new Map(),
    rule,
    figures,
  });
  const via = `${exchange.forward.via}-${INSTANCE}`;
  const snapshot: ForwardSnapshot = {
    policy,
    auth,
    clients: forward.clients.length === 0 ? null : new TrustedPeers(forward.clients),
    destinations: same?.destinations ??
      destinations(judged(runtime, policy, false), turn, forward, limits, rule),
    exchange: {
      ...exchange,
      phrase,
      forward: { ...exchange.forward, via, outbound: true, last: new LastForwarded() },
    },
    retry: direct.retry,
    connect: connectSettings(judged(runtime, policy, true), turn, forward, via),
    ...paths,
    credentials: credentials.ofOrigins(forward.credentials),
    maxTunnels: forward.maxTunnels,
    originTls: originTls(forward, authorities),
    pac: { decisions: pacDecisions(pacSource(forward)), host: forward.pacHost, own },
    rule,
    figures,
    settings: (upstream) => exchangeSettings(upstream, direct),
  };
  return { snapshot, destinationsKey, pools, figures, authKey };
}

/** What browsers may do themselves. Who is held for comes to us. */
function pacSource({ rules, byDefault, noParent, allow, deny, holdDirect }: ForwardConfig): PacSource {
  return {
    rules: rules.map(({ conditions, action, holdMs }) => ({
      conditions,
      direct: action.kind === "direct" && (holdMs ?? 0) === 0,
    })),
    direct: byDefault === null ? [] : new NoProxy(noParent).entries,
    allow,
    ours: [...deny, ...holdDirect.map(({ destination }) => destination)],
  };
}

/** Settings with what credentials of ours the parents of a configuration are sent. */
function settingsWith(credentials: BuiltCredentials): WayParts["settings"] {
  const known = new Map<UpstreamConfig, UpstreamCredentials | null>();
  return (upstream, config) => {
    let own = known.get(config);
    if (own === undefined) known.set(config, own = credentials.ofUpstream(config));
    return { ...exchangeSettings(upstream, config), ...(own === null ? {} : { credentials: own }) };
  };
}

function originKeys(credentials: BuiltCredentials, forward: ForwardConfig): WayParts["originKey"] {
  const origins = credentials.ofOrigins(forward.credentials);
  return (host, port) => origins?.connectionKeyOf(host, port) ?? "";
}

function exchangeSettings(upstream: Upstream, config: UpstreamConfig): ExchangeSettings {
  return {
    upstream,
    requestBufferBytes: config.requestBufferBytes,
    slotsLimited: false,
    firstByteTimeoutMs: config.firstByteTimeoutMs,
    bodyIdleTimeoutMs: config.bodyIdleTimeoutMs,
    tunnelIdleTimeoutMs: config.tunnelIdleTimeoutMs,
    bodyRate: config.bodyRate,
    hostHeader: HOST_PASSES,
  };
}

function destinations(
  runtime: Runtime,
  turn: IoTurn,
  { direct }: ForwardConfig,
  limits: Http1Limits,
  rule: ForwardRule,
): Destinations {
  return new Destinations(runtime, new SocketConnector(runtime, turn), {
    name: direct.name,
    counted: { upstream: rule.destinations.counters, endpoint: rule.answers },
    upstream: {
      policy: ALL_POLICIES[direct.policy],
      holdMs: direct.holdMs,
      holdIntervalMs: direct.holdIntervalMs,
      queueSize: direct.queue.size,
      queueBytes: direct.queue.bytes,
      queueTimeoutMs: direct.queue.timeoutMs,
      connectTimeoutMs: direct.connectTimeoutMs,
      limits,
    },
    pool: direct.pool,
  }, SILENT);
}

function connectSettings(
  runtime: Runtime,
  turn: IoTurn,
  { direct }: ForwardConfig,
  via: string,
): ConnectSettings {
  return {
    connector: new ByteConnector(runtime, turn),
    connectTimeoutMs: direct.connectTimeoutMs,
    tunnelIdleTimeoutMs: direct.tunnelIdleTimeoutMs,
    fields: fieldSection(["Via", `1.1 ${via}`]),
    phrase,
  };
}

function phrase(status: number, reason: ReasonCode, detail: string): string {
  return proxyPhrase(status, wordsOf(reason, detail));
}

function wordsOf(reason: string, detail: string): string {
  const known: Readonly<Record<string, { readonly words: string }>> = DESTINATION_FAILURES;
  if (reason === "destination_ip_prohibited") return detail.replace(/^.*?: /, "");
  if (reason === "proxy_configuration_error" && detail !== "") return detail;
  return known[reason]?.words ?? reason.replaceAll("_", " ");
}

/** The runtime, whose dials go where the policy lets them. */
function judged(runtime: Runtime, policy: DestinationPolicy, isTunnel: boolean): Runtime {
  return derivedRuntime(runtime, {
    dial: (options, events) => {
      const { address } = options;
      if (address.kind === "unix") return runtime.dial(options, events);
      const destination = { host: address.host, port: address.port, isTunnel, user: null };
      const prohibits = (literal: string): string | null => {
        const verdict = policy.judgeAddress(literal, destination);
        return verdict.allowed ? null : verdict.words;
      };
      return runtime.dial({ ...options, prohibits }, events);
    },
  });
}

/** Whether others than this machine reach the proxy. */
function isReachable(config: Config): boolean {
  return config.listen.some((listener) =>
    listener.forward && listener.address.kind === "tcp" && !isLoopback(listener.address.host)
  );
}

/** Where the configuration says that it is listened on; ports that are chosen by the system are left out. */
export function configuredListeners(config: Config): readonly ListeningAddress[] {
  const addresses = config.listen.map(({ address }) => address);
  if (config.admin !== null) addresses.push(config.admin.address);
  return addresses.filter((address) => address.kind === "tcp");
}

function destinationPolicy(
  forward: ForwardConfig,
  onLoopback: boolean,
  own: OwnListeners,
): DestinationPolicy {
  return new DestinationPolicy({
    lists: { allow: rules(forward.allow), deny: rules(forward.deny) },
    userLists: new Map(),
    connectPorts: forward.ports === null ? null : portsOf(forward.ports),
    onLoopback,
    own,
  });
}

/** The configuration has checked them. */
function rules(texts: readonly string[]): readonly DestinationRule[] {
  return texts.map(parseDestinationRule).flatMap((result) => result.kind === "ok" ? [result.rule] : []);
}

function portsOf(ranges: readonly (readonly [first: number, last: number])[]): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const [first, last] of ranges) for (let port = first; port <= last; port++) ports.add(port);
  return ports;
}
