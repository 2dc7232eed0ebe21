/** Turns a configuration into the objects that serve it. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import { keyable } from "../../upstream/balance/keyable.ts";
import { ALL_POLICIES, FAILOVER_POLICIES } from "../../upstream/balance/policies.ts";
import type { Config, RouteConfig, ServerConfig, UpstreamConfig } from "../../config/values/config.ts";
import { withParentPasswords } from "../shared/parent_passwords.ts";
import { isOfParents, sharedParents } from "../../config/build_forward.ts";
import { type Addressed, renamed } from "../../config/renamed.ts";
import { SocketConnector } from "../../client/connector.ts";
import { IoTurn } from "../../conn/io_turn.ts";
import { downstreamOpener } from "../../conn/open_downstream.ts";
import { DateField } from "../../http/date_field.ts";
import { fieldSection } from "../../http/own_fields.ts";
import type { EndedExchange } from "../../exchange/ended_exchange.ts";
import type { ExchangeContext } from "../../exchange/exchange_context.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import { statusPhrase } from "../../http/status_phrase.ts";
import { LastForwarded } from "../../exchange/forward_request.ts";
import type { Tunnel } from "../../exchange/tunnel.ts";
import type { Route } from "../../gateway/route.ts";
import type { Snapshot } from "../../gateway/snapshot.ts";
import type { NamedUpstream } from "../../script/script_host.ts";
import type { Script } from "../../script/script.ts";
import type { ScriptSet } from "../../script/script_set.ts";
import { Router } from "../../gateway/router.ts";
import { TrustedPeers } from "../../gateway/trusted_peers.ts";
import { DEFAULT_LIMITS } from "../../http/limits.ts";
import { HttpDate } from "../../time/http_date.ts";
import type { Endpoint } from "../../upstream/endpoint.ts";
import { Upstream } from "../../upstream/upstream.ts";
import type { UpstreamObserver } from "../../upstream/upstream_observer.ts";
import type { UpstreamSettings } from "../../upstream/upstream_settings.ts";
import { OwnListeners } from "../../forward/own_listeners.ts";
import { clientsWithin, filesAside, refusedWithin } from "./descriptor_room.ts";
import { buildCredentials, type BuiltCredentials, NO_CREDENTIALS } from "./build_credentials.ts";
import { endpointSettings } from "./endpoint_settings.ts";
import { buildForward, type BuiltForward, configuredListeners } from "./forward_snapshot.ts";

/** Told what happens while the snapshot serves. */
export interface SnapshotObserver extends UpstreamObserver {
  exchangeDone(exchange: EndedExchange): void;
  tunnelOpened(tunnel: Tunnel): void;
  tunnelClosed(tunnel: Tunnel): void;
}

/** What other processes that serve the same configuration leave to this one. */
export interface Sharing {
  /** Slots held at first; null = all of `max_in_flight`. */
  readonly slots: ((upstream: string, endpoint: string) => number) | null;
  readonly upstream: Pick<UpstreamSettings, "slotSource" | "retryLeast">;
}

/** Bytes of a request's body that scripts get, however small `request_buffer` is. */
const LEAST_BODY_LIMIT = 64 * 1024;
/** For bodies in the hands of scripts where there is no upstream that says it. */
const SCRIPT_MEMORY = 64 * 1024 * 1024;

export const NOT_SHARED: Sharing = { slots: null, upstream: {} };

/**
 * What was built from one configuration. A reload discards it, so it refers to nothing of what it replaces: closures are
 * made by functions that are given only what these closures use. A closure keeps all variables of the function around it
 * that any closure of that function uses, and in JavaScriptCore every variable of an async function.
 */
export class BuiltSnapshot {
  readonly snapshot: Snapshot;
  /** In the order of the configuration. */
  readonly upstreams: readonly Upstream[];
  /** Null = no listener is one of a forward proxy. */
  readonly forward: BuiltForward | null;
  readonly credentials: BuiltCredentials;
  /** Names of upstreams that were there before and get other settings. */
  readonly changed: readonly string[];
  #wanted: readonly WantedSettings[];

  constructor(
    snapshot: Snapshot,
    upstreams: readonly Upstream[],
    forward: BuiltForward | null,
    credentials: BuiltCredentials,
    wanted: readonly WantedSettings[],
  ) {
    this.snapshot = snapshot;
    this.forward = forward;
    this.credentials = credentials;
    this.upstreams = upstreams;
    this.changed = wanted.map(({ upstream }) => upstream.name);
    this.#wanted = wanted;
  }

  /**
   * Gives upstreams that were there before their new settings. To be called once, when the snapshot is put in use.
   *
   * @returns endpoints that are not used any more; they may still have requests
   */
  apply(): readonly Endpoint[] {
    const wanted = this.#wanted;
    this.#wanted = [];
    return wanted.flatMap(({ upstream, settings }) => upstream.reconfigure(settings));
  }
}

/** Settings for an upstream that serves with others now. */
interface WantedSettings {
  readonly upstream: Upstream;
  readonly settings: UpstreamSettings;
}

/**
 * Builds everything but the listeners; opens nothing, and changes nothing of what serves.
 *
 * @param turn the process's; default: a new one
 * @param before what serves now: upstreams of the same name, or of the same addresses, go on
 * @param retired what no route leads to any more: upstreams that are not there otherwise, and of the same addresses, go on
 * @param own what is listened on; default: what the configuration tells
 * @param scripts of this configuration, loaded and started; null = it has none
 * @throws SystemError when a secret, or a file of `upstream_tls` or of who may use the forward proxy, cannot be read or used
 */
export async function buildSnapshot(
  runtime: Runtime,
  system: System,
  given: Config,
  observer: SnapshotObserver,
  sharing: Sharing = NOT_SHARED,
  turn: IoTurn = new IoTurn(runtime),
  before: BuiltSnapshot | null = null,
  retired: readonly Upstream[] = [],
  own: OwnListeners = configuredOwn(system, given),
  scripts: ScriptSet | null = null,
): Promise<BuiltSnapshot> {
  const config = await withParentPasswords(system, given);
  const { server } = config;
  const credentials = await buildCredentials(
    runtime,
    system,
    config.credentials,
    before?.credentials ?? NO_CREDENTIALS,
  );
  const connector = new SocketConnector(runtime, turn);
  const limits = turn.codec.sharedLimits({
    ...DEFAULT_LIMITS,
    maxHeadBytes: server.maxHeadBytes,
    maxTargetBytes: server.maxTargetBytes,
    maxFields: server.maxFields,
    lenientTargets: server.lenientTarget,
  });
  const upstreamLimits = turn.codec.sharedLimits({ ...limits, lenientResponses: server.lenientUpstream });
  const settings = new Map<string, ExchangeSettings>();
  const upstreams: Upstream[] = [];
  const changed: WantedSettings[] = [];
  const parents = new Set(sharedParents(config.forward));
  const same = sameUpstreams(before?.upstreams ?? [], retired, config.upstreams);
  for (const upstream of config.upstreams) {
    const policy = (parents.has(upstream) ? FAILOVER_POLICIES : ALL_POLICIES)[upstream.policy];
    const wanted: UpstreamSettings = {
      name: upstream.name,
      endpoints: await endpointSettings(system, upstream, sharing.slots, credentials),
      // Parents are tried in the order of their own policy, which knows what a request avoids.
      policy: scripts === null || parents.has(upstream) ? policy : keyable(policy),
      holdMs: upstream.holdMs,
      holdIntervalMs: upstream.holdIntervalMs,
      queueSize: upstream.queue.size,
      queueBytes: upstream.queue.bytes,
      queueTimeoutMs: upstream.queue.timeoutMs,
      connectTimeoutMs: upstream.connectTimeoutMs,
      limits: upstreamLimits,
      ...sharing.upstream,
    };
    const known = same.get(upstream.name);
    const built = known ?? new Upstream(runtime, connector, wanted, observer);
    if (known !== undefined && !sameSettings(known.settings, wanted)) {
      changed.push({ upstream: known, settings: wanted });
    }
    upstreams.push(built);
    settings.set(upstream.name, exchangeSettings(built, upstream, credentials));
  }
  const exchange = exchangeContext(runtime, turn, server, observer);
  const forward = await buildForward(
    runtime,
    system,
    turn,
    config,
    exchange,
    upstreamLimits,
    own,
    before?.forward ?? null,
    (name) => upstreams.find((upstream) => upstream.name === name) ?? null,
    credentials,
  );
  const snapshot: Snapshot = {
    router: new Router(config.routes.map((route) => builtRoute(route, settings, config.upstreams, scripts))),
    exchange,
    open: downstreamOpener(turn, {
      headTimeoutMs: server.headTimeoutMs,
      bodyIdleTimeoutMs: server.bodyIdleTimeoutMs,
      keepAliveTimeoutMs: server.keepAliveTimeoutMs,
      servesHalfClosed: server.clientHalfClose === "finish",
      limits,
    }),
    trusted: new TrustedPeers(server.trustedProxies),
    rejectUnderscored: server.underscoreFields === "reject",
    forward: forward?.snapshot ?? null,
    scripts,
    upstreams: namedUpstreams(config, settings),
    scriptBodyBytes: Math.max(
      LEAST_BODY_LIMIT,
      ...config.upstreams.map(({ requestBufferBytes }) => requestBufferBytes),
    ),
    scriptMemoryBytes: config.upstreams.length === 0
      ? SCRIPT_MEMORY
      : Math.max(...config.upstreams.map(({ queue }) => queue.bytes)),
    maxConnections: Math.min(
      server.maxConnections,
      clientsWithin(
        system.descriptorLimit,
        filesAside(system.descriptorLimit, config, sharing.slots === null),
      ),
    ),
    maxRefused: refusedWithin(system.descriptorLimit),
  };
  return new BuiltSnapshot(snapshot, upstreams, forward, credentials, changed);
}

function namedUpstreams(
  { upstreams }: Config,
  settings: ReadonlyMap<string, ExchangeSettings>,
): ReadonlyMap<string, NamedUpstream> {
  const named = new Map<string, NamedUpstream>();
  for (const { name, retry } of upstreams) {
    const use = settings.get(name);
    if (use !== undefined) {
      named.set(name, { settings: use, retry, counted: { name: "script", counters: null } });
    }
  }
  return named;
}

function configuredOwn(system: System, config: Config): OwnListeners {
  return new OwnListeners(configuredListeners(config), () => system.interfaceAddresses());
}

/** Not a part of `buildSnapshot`, whose variables its closures would keep. */
function exchangeContext(
  { clock }: Runtime,
  turn: IoTurn,
  server: ServerConfig,
  observer: SnapshotObserver,
): ExchangeContext {
  const date = new DateField(new HttpDate(clock));
  const { via, underscoreFields, maxBodyBytes, upgrades } = server;
  return {
    turn,
    forward: {
      via,
      dropUnderscored: underscoreFields === "drop",
      outbound: false,
      last: new LastForwarded(),
    },
    maxBodyBytes,
    upgrades,
    date: () => date.section(),
    later: (ms, fire) => {
      clock.setTimer(ms, () => {
        turn.begin();
        fire();
        turn.end();
      }, true);
    },
    exchangeDone: (done) => observer.exchangeDone(done),
    tunnelOpened: (tunnel) => observer.tunnelOpened(tunnel),
    tunnelClosed: (tunnel) => observer.tunnelClosed(tunnel),
  };
}

/** By name what goes on as it. */
function sameUpstreams(
  serving: readonly Upstream[],
  retired: readonly Upstream[],
  after: readonly UpstreamConfig[],
): ReadonlyMap<string, Upstream> {
  const same = new Map(serving.map((upstream) => [upstream.name, upstream]));
  for (const [name, { upstream }] of renamed(serving.map(addressed), after)) same.set(name, upstream);
  const others = after.filter(({ name }) => !same.has(name));
  // A name that was taken away and put back is found by its addresses as well.
  const left = retired.filter(({ name }) => !isOfParents(name))
    .map((upstream, at) => ({ ...addressed(upstream), name: `\n${at}` }));
  for (const [name, { upstream }] of renamed(left, others)) same.set(name, upstream);
  return same;
}

function addressed(upstream: Upstream): Addressed & { readonly upstream: Upstream } {
  return {
    upstream,
    name: upstream.name,
    endpoints: upstream.endpoints.map(({ settings }) => ({ address: settings.key.address })),
  };
}

/** Slots are no setting: they come and go. */
function sameSettings(a: UpstreamSettings, b: UpstreamSettings): boolean {
  const text = (settings: UpstreamSettings) =>
    JSON.stringify({ ...settings, slotSource: null }, (name, value) => name === "slots" ? undefined : value);
  return a.policy === b.policy && text(a) === text(b);
}

function exchangeSettings(
  upstream: Upstream,
  config: UpstreamConfig,
  credentials: BuiltCredentials,
): ExchangeSettings {
  const own = credentials.ofUpstream(config);
  return {
    upstream,
    requestBufferBytes: config.requestBufferBytes,
    slotsLimited: config.maxInFlight > 0,
    firstByteTimeoutMs: config.firstByteTimeoutMs,
    bodyIdleTimeoutMs: config.bodyIdleTimeoutMs,
    tunnelIdleTimeoutMs: config.tunnelIdleTimeoutMs,
    bodyRate: config.bodyRate,
    hostHeader: config.hostHeader,
    ...(own === null ? {} : { credentials: own }),
  };
}

function builtRoute(
  route: RouteConfig,
  settings: ReadonlyMap<string, ExchangeSettings>,
  upstreams: readonly UpstreamConfig[],
  scripts: ScriptSet | null,
): Route {
  const { host, path, name, target } = route;
  const script = route.script === null ? null : scriptOf(route.script, scripts);
  if (target.kind === "handle") {
    const handler = scriptOf(target.file, scripts);
    return { host, path, name, counters: null, script, target: { kind: "handle", script: handler } };
  }
  if (target.kind === "respond") {
    const { status, body, headers } = target.respond;
    const typed = headers.some(([field]) => field.toLowerCase() === "content-type");
    const type: readonly [string, string] = ["Content-Type", "text/plain; charset=utf-8"];
    return {
      host,
      path,
      name,
      counters: null,
      script,
      target: {
        kind: "respond",
        status,
        phrase: statusPhrase(status),
        fields: fieldSection(...headers, ...(typed || body === "" ? [] : [type])),
        body: utf8AsLatin1(body),
      },
    };
  }
  const upstream = upstreams.find((candidate) => candidate.name === target.upstream);
  const use = settings.get(target.upstream);
  if (upstream === undefined || use === undefined) {
    throw new Error(`route ${name}: no upstream ${target.upstream}`);
  }
  return {
    host,
    path,
    name,
    counters: null,
    script,
    target: { kind: "upstream", settings: use, retry: target.retry ?? upstream.retry },
  };
}

/** What is built without any, for a look at the routes, has none to load. */
function scriptOf(file: string, scripts: ScriptSet | null): Script {
  if (scripts === null) throw new Error(`the script ${file} has not been loaded`);
  return scripts.of(file);
}

/** The UTF-8 bytes of a text, one character each. */
function utf8AsLatin1(text: string): string {
  let latin1 = "";
  for (const byte of new TextEncoder().encode(text)) latin1 += String.fromCharCode(byte);
  return latin1;
}
