/** The figures that `sluice top` shows: of all together, of each upstream and of each endpoint. */

import { endpointFlow, flowBetween, percentile, secondsBetween } from "../../admin/flow.ts";
import { stateFields } from "../../observe/former_words.ts";
import type {
  EndpointStatus,
  ForwardStatus,
  PauseStatus,
  Status,
  UpstreamStatus,
} from "../../process/worker/status.ts";

/** Times in milliseconds, null when no request ended. */
export interface TopFigures {
  readonly requests_per_second: number;
  readonly failed_per_second: number;
  readonly p50_ms: number | null;
  readonly p90_ms: number | null;
  readonly p99_ms: number | null;
}

export interface TopEndpoint {
  readonly name: string;
  readonly state: EndpointStatus["state"];
  /** What `state` was called before. */
  readonly state_alias?: string;
  readonly answered_per_second: number;
  /** Of the first byte. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly in_flight: number;
  readonly max_in_flight: number;
  readonly idle: number;
  readonly failures: number;
  readonly last_error: string;
}

export interface TopUpstream extends TopFigures {
  readonly name: string;
  readonly state: UpstreamStatus["state"];
  readonly state_alias?: string;
  readonly paused: PauseStatus | null;
  readonly in_flight: number;
  readonly waiting: number;
  readonly oldest_wait_ms: number;
  readonly endpoints: readonly TopEndpoint[];
}

/** What `sluice top --json` prints. */
export interface TopSample extends TopFigures {
  readonly time: string;
  /** What rates and percentiles are over. */
  readonly interval_ms: number;
  readonly state: Status["state"];
  readonly connections: number;
  readonly tunnels: number;
  readonly in_flight: number;
  readonly waiting: number;
  readonly in_bytes_per_second: number;
  readonly out_bytes_per_second: number;
  readonly resident_bytes: number;
  readonly upstreams: readonly TopUpstream[];
  /** Missing without a forward proxy. */
  readonly forward?: TopForward;
}

export interface TopForward extends TopFigures {
  readonly tunnels: number;
  readonly max_tunnels: number;
  readonly destinations: number;
  readonly idle: number;
  readonly in_flight: number;
  readonly waiting: number;
  /** Not let through by the rules. */
  readonly denied_per_second: number;
  readonly authentication_failures: number;
}

/** @param before null = since the start */
export function topSample(before: Status | null, now: Status): TopSample {
  const seconds = before === null ? now.uptime_ms / 1000 : secondsBetween(before, now);
  const flow = flowBetween(before?.totals ?? null, now.totals, seconds);
  const sum = (of: (upstream: UpstreamStatus) => number) =>
    now.upstreams.reduce((total, upstream) => total + of(upstream), 0);
  const { forward } = now;
  return {
    time: new Date(Date.parse(now.started) + now.uptime_ms).toISOString(),
    interval_ms: Math.round(seconds * 1000),
    state: now.state,
    ...figuresOf(flow),
    connections: now.connections,
    tunnels: now.tunnels,
    in_flight: sum((upstream) => upstream.in_flight) + (forward?.in_flight ?? 0),
    waiting: sum(({ waiting }) => waiting) + (forward?.waiting ?? 0),
    in_bytes_per_second: rounded(flow.inPerSecond),
    out_bytes_per_second: rounded(flow.outPerSecond),
    resident_bytes: now.resident_bytes,
    ...(forward === undefined ? {} : { forward: topForward(before?.forward, forward, seconds) }),
    upstreams: now.upstreams.map((upstream) => {
      const earlier = before?.upstreams.find(({ name }) => name === upstream.name) ?? null;
      return {
        name: upstream.name,
        ...stateFields(upstream.state),
        paused: upstream.paused,
        ...figuresOf(flowBetween(earlier?.totals ?? null, upstream.totals, seconds)),
        in_flight: upstream.in_flight,
        waiting: upstream.waiting,
        oldest_wait_ms: upstream.oldest_wait_ms,
        endpoints: upstream.endpoints.map((endpoint) =>
          topEndpoint(
            earlier?.endpoints.find(({ name }) => name === endpoint.name) ?? null,
            endpoint,
            seconds,
          )
        ),
      };
    }),
  };
}

function topForward(before: ForwardStatus | undefined, now: ForwardStatus, seconds: number): TopForward {
  const denied = ({ denied }: ForwardStatus) => Object.values(denied).reduce((sum, count) => sum + count, 0);
  const deniedBefore = before === undefined ? 0 : denied(before);
  return {
    ...figuresOf(flowBetween(before?.totals ?? null, now.totals, seconds)),
    tunnels: now.tunnels,
    max_tunnels: now.max_tunnels,
    destinations: now.destinations,
    idle: now.idle,
    in_flight: now.in_flight,
    waiting: now.waiting,
    denied_per_second: seconds > 0 ? rounded(Math.max(0, denied(now) - deniedBefore) / seconds) : 0,
    authentication_failures: now.authentication_failures,
  };
}

function topEndpoint(before: EndpointStatus | null, now: EndpointStatus, seconds: number): TopEndpoint {
  const flow = endpointFlow(before, now, seconds);
  return {
    name: now.name,
    ...stateFields(now.state),
    answered_per_second: rounded(flow.perSecond),
    p50_ms: below(flow.firstByte, 0.5),
    p99_ms: below(flow.firstByte, 0.99),
    in_flight: now.in_flight,
    max_in_flight: now.max_in_flight,
    idle: now.idle,
    failures: flow.failures,
    last_error: now.last_error?.code ?? "",
  };
}

function figuresOf(flow: ReturnType<typeof flowBetween>): TopFigures {
  return {
    requests_per_second: rounded(flow.perSecond),
    failed_per_second: rounded(flow.failedPerSecond),
    p50_ms: below(flow.latency, 0.5),
    p90_ms: below(flow.latency, 0.9),
    p99_ms: below(flow.latency, 0.99),
  };
}

function below(histogram: Parameters<typeof percentile>[0], part: number): number | null {
  const ms = percentile(histogram, part);
  return ms === null ? null : rounded(ms);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** What the upstreams are ordered by. */
export type SortKey = "name" | "rate" | "latency" | "waiting" | "failed";

/** A copy in order. Names go up, figures down; what is equal stays in the configuration's order. */
export function sorted(
  upstreams: readonly TopUpstream[],
  key: SortKey,
  reversed: boolean,
): readonly TopUpstream[] {
  const sign = reversed ? -1 : 1;
  return upstreams.toSorted((a, b) => {
    switch (key) {
      case "name":
        return sign * (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
      case "rate":
        return sign * (b.requests_per_second - a.requests_per_second);
      case "latency":
        return sign * ((b.p99_ms ?? -1) - (a.p99_ms ?? -1));
      case "waiting":
        return sign * (b.waiting - a.waiting || b.oldest_wait_ms - a.oldest_wait_ms);
      case "failed":
        return sign * (b.failed_per_second - a.failed_per_second);
    }
  });
}
