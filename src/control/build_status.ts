/** From what the supervisor knows to what `sluice status` says. */

import { scriptFiles } from "../config/build_scripts.ts";
import type { Address } from "../../runtime/contract/contract.ts";
import { printBound } from "../config/values/address.ts";
import type { Config, ForwardConfig, UpstreamConfig } from "../config/values/config.ts";
import { REASON_CODES, type ReasonCode } from "../exchange/reason.ts";
import { stateFields } from "../observe/former_words.ts";
import { LATENCY_BUCKETS_MS } from "../upstream/counters.ts";
import {
  addReports,
  answersOf,
  type EndpointReport,
  type Report,
  totalsOf,
  underWay,
  type UpstreamReport,
} from "../process/worker/report.ts";
import type { KnownWorker } from "../process/supervisor/worker_handle.ts";
import type {
  BackendStatus,
  CredentialStatus,
  EndpointStatus,
  ForwardStatus,
  PauseStatus,
  Status,
  UpstreamStatus,
} from "../process/worker/status.ts";

export interface Known {
  readonly version: string;
  readonly runtime: string;
  readonly pid: number;
  readonly state: Status["state"];
  /** Wall-clock milliseconds since 1970, as are all times here. */
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly generation: number;
  readonly configLoadedAt: number;
  readonly config: Config;
  /** What is bound, in the order of `config.listen`; empty before. */
  readonly addresses: readonly Address[];
  /** Of the supervisor's own process. */
  readonly residentBytes: number;
  /** By index. */
  readonly workers: readonly KnownWorker[];
  /** The process whose place we have taken, while it drains, and what it told last. */
  readonly elder: { readonly pid: number; readonly report: Report } | null;
  /** It has left something unanswered for too long. */
  readonly elderSilent: boolean;
  /** Sums of workers that are gone. */
  readonly gone: Report;
  /** By upstream. */
  readonly paused: ReadonlyMap<string, PauseStatus>;
  readonly children: ReadonlyMap<string, BackendStatus>;
}

export function buildStatus(known: Known): Status {
  const { config, workers, elder } = known;
  // What the workers say of an endpoint is newer than what the process before us says.
  const before = elder === null ? known.gone : addReports(known.gone, elder.report);
  const sum = workers.reduce((all, { report }) => addReports(all, report), before);
  const upstreams = new Map(sum.upstreams.map((upstream) => [upstream.name, upstream]));
  const routes = new Map(sum.routes.map((route) => [route.name, route]));
  const inOneProcess = workers.some(({ pid }) => pid === known.pid);
  return {
    version: known.version,
    pid: known.pid,
    runtime: known.runtime,
    state: known.state,
    started: iso(known.startedAt),
    uptime_ms: Math.round(known.uptimeMs),
    generation: known.generation,
    config_loaded: iso(known.configLoadedAt),
    listeners: printBound(config.listen, known.addresses),
    connections: sum.connections,
    tunnels: sum.tunnels,
    resident_bytes: sum.residentBytes + (inOneProcess ? 0 : known.residentBytes),
    totals: sum.totals,
    latency_bounds_ms: LATENCY_BUCKETS_MS,
    reasons: Object.fromEntries(REASON_CODES.map((code) => [code, sum.reasons[code] ?? 0])) as Record<
      ReasonCode,
      number
    >,
    workers: workers.map(({ pid, state, restarts, report, sockets }, index) => ({
      worker: index + 1,
      pid,
      state,
      connections: report.connections,
      resident_bytes: report.residentBytes,
      restarts,
      sockets,
    })),
    predecessor: elder === null ? null : {
      pid: elder.pid,
      answers: !known.elderSilent,
      connections: elder.report.connections,
      in_flight: underWay(elder.report).inFlight,
      waiting: underWay(elder.report).waiting,
    },
    upstreams: config.upstreams.map((upstream) =>
      upstreamStatus(known, upstream, upstreams.get(upstream.name) ?? null)
    ),
    routes: config.routes.map(({ name, target }) => ({
      name,
      upstream: target.kind === "upstream" ? target.upstream : "",
      totals: routes.get(name)?.totals ?? totalsOf(null),
    })),
    ...(config.credentials.length === 0 ? {} : { credentials: credentialsOf(config, sum) }),
    ...(config.forward === null ? {} : { forward: forwardStatus(known, config.forward, sum) }),
    ...(config.script === null
      ? {}
      : { scripts: (sum.scripts ?? []).filter(({ name }) => scriptFiles(config).includes(name)) }),
    recent_failures: sum.failures.map((failure) => ({ ...failure, at: iso(failure.at) })),
  };
}

/** Those of the configuration, in its order. */
function credentialsOf({ credentials }: Config, report: Report): CredentialStatus[] {
  return credentials.map(({ name }) =>
    report.credentials?.find((each) => each.name === name) ?? { name, used: 0, challenged: 0, rejected: 0 }
  );
}

/** What the rules answer by. */
const DENIALS: readonly ReasonCode[] = [
  "http_request_denied",
  "destination_ip_prohibited",
  "proxy_loop_detected",
];

function forwardStatus(
  { config, addresses }: Known,
  { maxTunnels, rules }: ForwardConfig,
  { forward }: Report,
): ForwardStatus {
  const bound = printBound(config.listen, addresses);
  const reasons = forward?.reasons ?? {};
  return {
    listeners: bound.filter((_, at) => config.listen[at]?.forward === true),
    tunnels: forward?.tunnels ?? 0,
    max_tunnels: maxTunnels,
    tunnels_begun: forward?.tunnelsBegun ?? 0,
    destinations: forward?.destinations ?? 0,
    idle: forward?.idle ?? 0,
    in_flight: forward?.inFlight ?? 0,
    waiting: forward?.waiting ?? 0,
    denied: Object.fromEntries(DENIALS.map((code) => [code, reasons[code] ?? 0])),
    authentication_failures: forward?.wrongCredentials ?? 0,
    totals: forward?.totals ?? totalsOf(null),
    reasons,
    rules: rules.map(({ name, action }) => {
      const report = forward?.rules?.find((each) => each.name === name);
      return {
        name,
        action: action.kind,
        tunnels_begun: report?.tunnelsBegun ?? 0,
        totals: report?.totals ?? totalsOf(null),
        reasons: report?.reasons ?? {},
      };
    }),
  };
}

function upstreamStatus(known: Known, config: UpstreamConfig, report: UpstreamReport | null): UpstreamStatus {
  const { name } = config;
  const paused = known.paused.get(name) ?? null;
  const endpoints = config.endpoints.map((endpoint): EndpointStatus => {
    const told = report?.endpoints.find((each) => each.name === endpoint.name) ?? unknownEndpoint(known);
    return {
      name: endpoint.name,
      ...stateFields(told.state ?? "up"),
      weight: endpoint.weight,
      in_flight: told.inFlight,
      idle: told.idle,
      dialing: told.dialing,
      pinned: told.pinned,
      last_request: told.sentAt === null ? null : iso(told.sentAt),
      max_in_flight: config.maxInFlight,
      answered: told.byClass.reduce((sum, count) => sum + count, 0),
      by_class: told.byClass,
      failures: told.failures,
      last_error: told.lastError === null ? null : { ...told.lastError, at: iso(told.lastError.at) },
      since: iso(told.since),
      first_byte: told.firstByte,
    };
  });
  const reachable = endpoints.some(({ state }) => state === "up" || state === "probing");
  return {
    name,
    ...stateFields(paused !== null ? "paused" : reachable ? "up" : "down"),
    paused,
    waiting: report?.waiting ?? 0,
    oldest_wait_ms: Math.round(report?.waitsMs[0] ?? 0),
    waits_ms: report?.waitsMs.map(Math.round) ?? [],
    queue_size: config.queue.size,
    in_flight: report?.inFlight ?? 0,
    totals: report?.totals ?? totalsOf(null),
    reasons: report?.reasons ?? {},
    endpoints,
    child: known.children.get(name) ?? null,
  };
}

/** Before a worker has told anything of it: up as far as we know, since the configuration has it. */
function unknownEndpoint(known: Known): Omit<EndpointReport, "name"> {
  return {
    state: "up",
    since: known.configLoadedAt,
    inFlight: 0,
    idle: 0,
    dialing: 0,
    pinned: 0,
    sentAt: null,
    failures: 0,
    lastError: null,
    ...answersOf(null),
  };
}

function iso(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
