/** What a worker tells the supervisor of itself. */

import type { Clock, System } from "../../../runtime/contract/contract.ts";
import {
  answersOf,
  type EndpointReport,
  MOST_TOLD,
  reasonsOf,
  type Report,
  type RuleReport,
  sumOfRules,
  totalsOf,
  type UpstreamReport,
} from "./report.ts";
import { scriptFiles } from "../../config/build_scripts.ts";
import { scriptReports } from "./script_report.ts";
import type { Scripting } from "./scripting.ts";
import type { ForwardRule } from "../../gateway/forward/forward_rule.ts";
import type { Credential } from "../../credentials/credential.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { Telemetry } from "../../observe/telemetry.ts";
import type { Config } from "../../config/values/config.ts";
import type { Endpoint } from "../../upstream/endpoint.ts";
import type { Destinations } from "../../upstream/destinations.ts";
import type { Upstream } from "../../upstream/upstream.ts";

/** A snapshot: nothing in it changes afterwards. */
export function workerReport(
  clock: Clock,
  system: System,
  serving: {
    readonly config: Config;
    readonly telemetry: Telemetry;
    readonly gateway: Gateway;
    readonly upstreams: readonly Upstream[];
    readonly retired: readonly Upstream[];
    /** Of the forward proxy, those of earlier configurations included. */
    readonly destinations: readonly Destinations[];
    readonly scripting: Pick<Scripting, "log">;
    readonly credentials: readonly Credential[];
  },
): Report {
  const { config, telemetry, gateway, upstreams, retired, destinations, credentials } = serving;
  const { counters } = telemetry;
  const now = clock.now();
  /** What was `at` on the monotonic clock, by the one on the wall. */
  const wall = (at: number) => Math.round(clock.wall() - (now - at));
  return {
    connections: gateway.connections,
    tunnels: gateway.tunnels,
    residentBytes: system.residentBytes(),
    totals: totalsOf(counters.all),
    reasons: reasonsOf(counters.all),
    upstreams: withRetired(
      retired,
      gateway,
      upstreams.map((upstream): UpstreamReport => {
        const counted = counters.upstream(upstream.name);
        return {
          name: upstream.name,
          waiting: upstream.waiting,
          waitsMs: upstream.waits(now, MOST_TOLD),
          inFlight: upstream.inFlight,
          tunnels: gateway.tunnelsOf((endpoint) => upstream.owns(endpoint)),
          totals: totalsOf(counted),
          reasons: reasonsOf(counted),
          endpoints: upstream.endpoints.map((endpoint): EndpointReport => ({
            name: endpoint.name,
            state: stateOf(endpoint),
            since: wall(endpoint.stateSince),
            inFlight: endpoint.busy,
            idle: endpoint.pool.size,
            dialing: endpoint.dialing,
            pinned: endpoint.pinned,
            sentAt: endpoint.sentAt < 0 ? null : wall(endpoint.sentAt),
            failures: endpoint.failuresTotal,
            lastError: endpoint.lastFailure === null ? null : {
              code: endpoint.lastFailure.code,
              detail: endpoint.lastFailure.detail,
              at: wall(endpoint.lastFailureAt),
            },
            ...answersOf(counters.endpoint(upstream.name, endpoint.name)),
          })),
        };
      }),
    ),
    routes: config.routes.map(({ name }) => ({ name, totals: totalsOf(counters.route(name)) })),
    ...forwardReport(gateway, upstreams, retired, destinations),
    ...(config.script === null
      ? {}
      : { scripts: scriptReports(scriptFiles(config), serving.scripting.log.counts) }),
    ...(credentials.length === 0
      ? {}
      : { credentials: credentials.map(({ name, counters }) => ({ name, ...counters })) }),
    failures: telemetry.failures.list(),
  };
}

function forwardReport(
  gateway: Gateway,
  upstreams: readonly Upstream[],
  retired: readonly Upstream[],
  all: readonly Destinations[],
): Pick<Report, "forward"> {
  const { forward } = gateway.snapshot;
  if (forward === null) return {};
  const { rule, figures } = forward;
  const rules = [...figures].map(([name, each]) => ruleReport(name, each));
  const whole = sumOfRules([...rules, ruleReport("", rule)]);
  const listed = [...upstreams, ...retired];
  const sum = (of: (destinations: Destinations) => number) =>
    all.reduce((total, each) => total + of(each), 0);
  return {
    forward: {
      tunnels: gateway.connectTunnels,
      tunnelsBegun: whole.tunnelsBegun,
      destinations: sum(({ size }) => size),
      idle: sum(({ idle }) => idle),
      inFlight: sum(({ inFlight }) => inFlight),
      waiting: sum(({ waiting }) => waiting),
      upgraded: gateway.tunnelsOf((endpoint) => !listed.some((upstream) => upstream.owns(endpoint))),
      wrongCredentials: rule.wrongCredentials,
      totals: whole.totals,
      reasons: whole.reasons,
      rules,
    },
  };
}

function ruleReport(name: string, { counters, tunnelsBegun }: ForwardRule): RuleReport {
  return { name, tunnelsBegun, totals: totalsOf(counters), reasons: reasonsOf(counters) };
}

/** An upstream that is not in the configuration any more may have the name of one that is. Its sums are forgotten. */
function withRetired(
  retired: readonly Upstream[],
  gateway: Gateway,
  reports: readonly UpstreamReport[],
): readonly UpstreamReport[] {
  return retired.reduce<readonly UpstreamReport[]>((all, upstream) => {
    const { name, waiting, inFlight } = upstream;
    const same = all.find((each) => each.name === name);
    const known = same ?? emptyUpstream(name);
    const sum = {
      ...known,
      waiting: known.waiting + waiting,
      inFlight: known.inFlight + inFlight,
      tunnels: known.tunnels + gateway.tunnelsOf((endpoint) => upstream.owns(endpoint)),
    };
    return same === undefined ? [...all, sum] : all.map((each) => each === same ? sum : each);
  }, reports);
}

function emptyUpstream(name: string): UpstreamReport {
  return {
    name,
    waiting: 0,
    waitsMs: [],
    inFlight: 0,
    tunnels: 0,
    totals: totalsOf(null),
    reasons: {},
    endpoints: [],
  };
}

function stateOf(endpoint: Endpoint): EndpointReport["state"] {
  if (endpoint.enabled) return endpoint.state;
  return endpoint.busy + endpoint.pinned === 0 ? "drained" : "draining";
}
