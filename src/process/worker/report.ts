/**
 * What a worker has counted and what it is doing, as a JSON value, and the sum over several workers. Times of
 * day are wall-clock milliseconds since 1970, as workers have no other clock in common.
 */

import type { FailureNote } from "../../observe/failure_ring.ts";
import { Counters, EndpointCounters } from "../../upstream/counters.ts";
import { addCounts, addHistograms, addReasons, addTotals, type ReasonCounts } from "./add_totals.ts";
import { addCredentials, credentialsOf } from "./credential_report.ts";
import { addScripts, type ScriptReport } from "./script_report.ts";
import type { CredentialStatus, EndpointStatus, Histogram, Totals } from "./status.ts";

/** Failed requests and waiting ones that are told one by one, at most. */
export const MOST_TOLD = 50;

export interface EndpointReport {
  readonly name: string;
  /** Null in the report of a worker that is gone. */
  readonly state: EndpointStatus["state"] | null;
  readonly since: number;
  readonly inFlight: number;
  readonly idle: number;
  readonly dialing: number;
  readonly pinned: number;
  /** When a request was last sent to it; null = never. */
  readonly sentAt: number | null;
  /** Requests it answered, by class. */
  readonly byClass: readonly number[];
  readonly failures: number;
  readonly lastError: { readonly code: string; readonly detail: string; readonly at: number } | null;
  readonly firstByte: Histogram;
}

export interface UpstreamReport {
  readonly name: string;
  readonly waiting: number;
  /** How long the oldest of them have waited, oldest first; at most `MOST_TOLD`. */
  readonly waitsMs: readonly number[];
  readonly inFlight: number;
  /** Those of them that are tunnels. */
  readonly tunnels: number;
  readonly totals: Totals;
  readonly reasons: ReasonCounts;
  /** In the order of the configuration. */
  readonly endpoints: readonly EndpointReport[];
}

export interface RouteReport {
  readonly name: string;
  readonly totals: Totals;
}

export interface Report {
  /** Open client connections, tunnels included. */
  readonly connections: number;
  readonly tunnels: number;
  readonly residentBytes: number;
  readonly totals: Totals;
  readonly reasons: ReasonCounts;
  readonly upstreams: readonly UpstreamReport[];
  readonly routes: readonly RouteReport[];
  /** Missing without a forward proxy, and in reports of earlier versions. */
  readonly forward?: ForwardReport;
  /** Missing without scripts. */
  readonly scripts?: readonly ScriptReport[];
  /** Missing without credentials, and in reports of earlier versions. */
  readonly credentials?: readonly CredentialStatus[];
  /** Newest first, at most `MOST_TOLD`. */
  readonly failures: readonly FailureNote[];
}

/** Of the forward proxy. */
export interface ForwardReport {
  /** By CONNECT, open and being opened. */
  readonly tunnels: number;
  /** Those that were ever dialled. */
  readonly tunnelsBegun: number;
  /** That are known at present. */
  readonly destinations: number;
  readonly idle: number;
  readonly inFlight: number;
  readonly waiting: number;
  /** Those in flight that are tunnels by Upgrade. */
  readonly upgraded: number;
  readonly wrongCredentials: number;
  /** Of all requests. */
  readonly totals: Totals;
  readonly reasons: ReasonCounts;
  /** The part of it that each rule has decided about. Missing in reports of earlier versions. */
  readonly rules?: readonly RuleReport[];
}

/** Of a rule of the forward proxy, also of one that is not in the configuration any more. */
export interface RuleReport {
  readonly name: string;
  readonly tunnelsBegun: number;
  readonly totals: Totals;
  readonly reasons: ReasonCounts;
}

/** The sums of all. */
export function sumOfRules(rules: readonly RuleReport[]): Omit<RuleReport, "name"> {
  const none: RuleReport = { name: "", tunnelsBegun: 0, totals: totalsOf(null), reasons: {} };
  return rules.reduce(addRules, none);
}

function addRules(a: RuleReport, b: RuleReport): RuleReport {
  return {
    name: b.name,
    tunnelsBegun: a.tunnelsBegun + b.tunnelsBegun,
    totals: addTotals(a.totals, b.totals),
    reasons: addReasons(a.reasons, b.reasons),
  };
}

/** Nothing counted yet. */
export function emptyReport(): Report {
  return {
    connections: 0,
    tunnels: 0,
    residentBytes: 0,
    totals: totalsOf(null),
    reasons: {},
    upstreams: [],
    routes: [],
    failures: [],
  };
}

/** A copy of the sums as they are now; null = none yet. */
export function totalsOf(counters: Counters | null): Totals {
  const from = counters ?? new Counters();
  const waited = from.waited.slice();
  // Those that did not wait are counted here, not one by one.
  waited[0] = (waited[0] as number) + from.requests - waited.reduce((sum, count) => sum + count);
  return {
    requests: from.requests,
    by_class: from.byClass.slice(),
    failed: from.failed,
    request_bytes: from.requestBytes,
    response_bytes: from.responseBytes,
    retries: from.retries,
    held: from.held,
    latency: { counts: filled(from.latency), sum_ms: from.latencyMs },
    waited: { counts: filled(waited), sum_ms: from.waitedMs },
  };
}

export function reasonsOf(counters: Counters | null): ReasonCounts {
  return Object.fromEntries(counters?.reasons ?? []);
}

/** Requests that an endpoint answered, and how soon. */
export function answersOf(counters: EndpointCounters | null): Pick<EndpointReport, "byClass" | "firstByte"> {
  const from = counters ?? new EndpointCounters();
  return {
    byClass: from.byClass.slice(),
    firstByte: { counts: filled(from.firstByte), sum_ms: from.firstByteMs },
  };
}

/** A copy without the empty buckets at its end, which are most of them. */
function filled(counts: readonly number[]): number[] {
  return counts.slice(0, counts.findLastIndex((count) => count > 0) + 1);
}

/** Of two reports; neither is changed. Names of the second come first, those only the first has after them. */
export function addReports(a: Report, b: Report): Report {
  return {
    connections: a.connections + b.connections,
    tunnels: a.tunnels + b.tunnels,
    residentBytes: a.residentBytes + b.residentBytes,
    totals: addTotals(a.totals, b.totals),
    reasons: addReasons(a.reasons, b.reasons),
    upstreams: merge(a.upstreams, b.upstreams, addUpstreams),
    routes: merge(a.routes, b.routes, (one, other) => ({
      name: one.name,
      totals: addTotals(one.totals, other.totals),
    })),
    ...forwardOf(addForwards(a.forward, b.forward)),
    ...scriptsOf(addScripts(a.scripts, b.scripts)),
    ...credentialsOf(merge(a.credentials ?? [], b.credentials ?? [], addCredentials)),
    failures: [...a.failures, ...b.failures].sort((one, other) => other.at - one.at).slice(0, MOST_TOLD),
  };
}

/** Requests that were not answered yet. */
export function unanswered(report: Report): number {
  const { inFlight, waiting, tunnels } = underWay(report);
  return waiting + inFlight - tunnels;
}

/** Of all upstreams, and of the forward proxy. CONNECT tunnels are not among them. */
export function underWay(
  { upstreams, forward }: Report,
): { readonly inFlight: number; readonly waiting: number; readonly tunnels: number } {
  return {
    inFlight: upstreams.reduce((sum, { inFlight }) => sum + inFlight, forward?.inFlight ?? 0),
    waiting: upstreams.reduce((sum, { waiting }) => sum + waiting, forward?.waiting ?? 0),
    tunnels: upstreams.reduce((sum, { tunnels }) => sum + tunnels, forward?.upgraded ?? 0),
  };
}

/** What remains of a worker that is gone: its sums, but nothing that was open. */
export function sumsOnly(report: Report): Report {
  return {
    ...report,
    connections: 0,
    tunnels: 0,
    residentBytes: 0,
    ...forwardOf(
      report.forward === undefined ? undefined : {
        ...report.forward,
        tunnels: 0,
        destinations: 0,
        idle: 0,
        inFlight: 0,
        waiting: 0,
        upgraded: 0,
      },
    ),
    upstreams: report.upstreams.map((upstream) => ({
      ...upstream,
      waiting: 0,
      waitsMs: [],
      inFlight: 0,
      tunnels: 0,
      endpoints: upstream.endpoints.map((endpoint) => ({
        ...endpoint,
        state: null,
        inFlight: 0,
        idle: 0,
        dialing: 0,
        pinned: 0,
      })),
    })),
  };
}

/** Without the names that are not (or no more) in the configuration. Overall sums stay. */
export function keepNames(
  report: Report,
  upstreams: readonly { readonly name: string; readonly endpoints: readonly { readonly name: string }[] }[],
  routes: readonly { readonly name: string }[],
): Report {
  const endpoints = new Map(
    upstreams.map((upstream) => [upstream.name, new Set(upstream.endpoints.map(({ name }) => name))]),
  );
  const routeNames = new Set(routes.map(({ name }) => name));
  return {
    ...report,
    upstreams: report.upstreams
      .filter(({ name }) => endpoints.has(name))
      .map((upstream) => ({
        ...upstream,
        endpoints: upstream.endpoints.filter(({ name }) => endpoints.get(upstream.name)?.has(name)),
      })),
    routes: report.routes.filter(({ name }) => routeNames.has(name)),
  };
}

/**
 * Under other names. What gets one name is added up.
 *
 * @param endpoint the name of an endpoint, asked for with the names that it has in `report`
 */
export function withNames(
  report: Report,
  upstream: (name: string) => string,
  endpoint: (name: { readonly upstream: string; readonly endpoint: string }) => string,
): Report {
  const upstreams = report.upstreams.map((each): UpstreamReport => ({
    ...each,
    name: upstream(each.name),
    endpoints: joined(
      each.endpoints.map((one) => ({ ...one, name: endpoint({ upstream: each.name, endpoint: one.name }) })),
      addEndpoints,
    ),
  }));
  return {
    ...report,
    upstreams: joined(upstreams, addUpstreams),
    failures: report.failures.map((each) => ({
      ...each,
      upstream: upstream(each.upstream),
      endpoint: endpoint(each),
    })),
  };
}

/** One for each name. */
function joined<T extends { readonly name: string }>(list: readonly T[], add: (a: T, b: T) => T): T[] {
  const sums = new Map<string, T>();
  for (const each of list) {
    const before = sums.get(each.name);
    sums.set(each.name, before === undefined ? each : add(before, each));
  }
  return [...sums.values()];
}

function scriptsOf(scripts: Report["scripts"]): Pick<Report, "scripts"> {
  return scripts === undefined ? {} : { scripts };
}

function forwardOf(forward: ForwardReport | undefined): Pick<Report, "forward"> {
  return forward === undefined ? {} : { forward };
}

function addForwards(a: ForwardReport | undefined, b: ForwardReport | undefined): ForwardReport | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    tunnels: a.tunnels + b.tunnels,
    tunnelsBegun: a.tunnelsBegun + b.tunnelsBegun,
    destinations: a.destinations + b.destinations,
    idle: a.idle + b.idle,
    inFlight: a.inFlight + b.inFlight,
    waiting: a.waiting + b.waiting,
    upgraded: a.upgraded + b.upgraded,
    wrongCredentials: a.wrongCredentials + b.wrongCredentials,
    totals: addTotals(a.totals, b.totals),
    reasons: addReasons(a.reasons, b.reasons),
    rules: merge(a.rules ?? [], b.rules ?? [], addRules),
  };
}

function addUpstreams(a: UpstreamReport, b: UpstreamReport): UpstreamReport {
  return {
    name: b.name,
    waiting: a.waiting + b.waiting,
    waitsMs: [...a.waitsMs, ...b.waitsMs].sort((one, other) => other - one).slice(0, MOST_TOLD),
    inFlight: a.inFlight + b.inFlight,
    tunnels: a.tunnels + b.tunnels,
    totals: addTotals(a.totals, b.totals),
    reasons: addReasons(a.reasons, b.reasons),
    endpoints: merge(a.endpoints, b.endpoints, addEndpoints),
  };
}

/** In this order the first state that any worker sees is that of all: one that can reach it suffices. */
const STATE_ORDER: readonly (EndpointStatus["state"] | null)[] = [
  "draining",
  "drained",
  "up",
  "probing",
  "unhealthy",
  "down",
  null,
];

function addEndpoints(a: EndpointReport, b: EndpointReport): EndpointReport {
  const state = STATE_ORDER.find((each) => each === a.state || each === b.state) ?? null;
  const since = a.state === b.state ? Math.min(a.since, b.since) : state === a.state ? a.since : b.since;
  return {
    name: b.name,
    state,
    since,
    inFlight: a.inFlight + b.inFlight,
    idle: a.idle + b.idle,
    dialing: a.dialing + b.dialing,
    pinned: a.pinned + b.pinned,
    sentAt: a.sentAt === null || b.sentAt === null ? a.sentAt ?? b.sentAt : Math.max(a.sentAt, b.sentAt),
    byClass: addCounts(a.byClass, b.byClass),
    failures: a.failures + b.failures,
    lastError: (b.lastError?.at ?? -1) >= (a.lastError?.at ?? -1) ? b.lastError : a.lastError,
    firstByte: addHistograms(a.firstByte, b.firstByte),
  };
}

/** Those of both by name, those of `b` first. */
function merge<T extends { readonly name: string }>(
  a: readonly T[],
  b: readonly T[],
  add: (a: T, b: T) => T,
): T[] {
  const before = new Map(a.map((each) => [each.name, each]));
  const names = new Set(b.map(({ name }) => name));
  return [
    ...b.map((each) => {
      const other = before.get(each.name);
      return other === undefined ? each : add(other, each);
    }),
    ...a.filter(({ name }) => !names.has(name)),
  ];
}
