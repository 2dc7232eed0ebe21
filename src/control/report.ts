/** What a worker has counted, and the sum over several. */

import { Counters, type Sums } from "../observe/counters.ts";
import type { ReasonCode } from "../exchange/reason.ts";

export interface UpstreamReport {
  readonly name: string;
  readonly waiting: number;
  readonly inFlight: number;
  /** By endpoint, in the order of the configuration. */
  readonly endpoints: readonly {
    readonly name: string;
    readonly busy: number;
    readonly idle: number;
    readonly answered: number;
    /** How many workers count it as away. */
    readonly away: number;
  }[];
}

export interface Report {
  /** Open client connections. */
  readonly connections: number;
  readonly residentBytes: number;
  readonly all: Sums;
  readonly byReason: Readonly<Record<ReasonCode, number>>;
  readonly byUpstream: Readonly<Record<string, Sums>>;
  readonly upstreams: readonly UpstreamReport[];
}

/** Nothing counted yet. */
export function emptyReport(): Report {
  const { all, byReason } = new Counters();
  return { connections: 0, residentBytes: 0, all, byReason, byUpstream: {}, upstreams: [] };
}

/** Of two reports; neither is changed. Upstreams of the second come first, those only the first has after them. */
export function addReports(a: Report, b: Report): Report {
  const byReason = { ...a.byReason };
  for (const [code, count] of Object.entries(b.byReason) as [ReasonCode, number][]) {
    byReason[code] = (byReason[code] ?? 0) + count;
  }
  const byUpstream = { ...a.byUpstream };
  for (const [name, sums] of Object.entries(b.byUpstream)) {
    const before = byUpstream[name];
    byUpstream[name] = before === undefined ? { ...sums } : addSums(before, sums);
  }
  const names = new Set(b.upstreams.map(({ name }) => name));
  return {
    connections: a.connections + b.connections,
    residentBytes: a.residentBytes + b.residentBytes,
    all: addSums(a.all, b.all),
    byReason,
    byUpstream,
    upstreams: [
      ...b.upstreams.map((report) =>
        addUpstreams(a.upstreams.find(({ name }) => name === report.name), report)
      ),
      ...a.upstreams.filter(({ name }) => !names.has(name)),
    ],
  };
}

/** What remains of a worker that is gone: its sums, but nothing that was open. */
export function sumsOnly(report: Report): Report {
  return {
    ...report,
    connections: 0,
    residentBytes: 0,
    upstreams: report.upstreams.map((upstream) => ({
      ...upstream,
      waiting: 0,
      inFlight: 0,
      endpoints: upstream.endpoints.map((endpoint) => ({ ...endpoint, busy: 0, idle: 0, away: 0 })),
    })),
  };
}

function addUpstreams(a: UpstreamReport | undefined, b: UpstreamReport): UpstreamReport {
  if (a === undefined) return b;
  return {
    name: b.name,
    waiting: a.waiting + b.waiting,
    inFlight: a.inFlight + b.inFlight,
    endpoints: b.endpoints.map((endpoint) => {
      const other = a.endpoints.find(({ name }) => name === endpoint.name);
      if (other === undefined) return endpoint;
      return {
        name: endpoint.name,
        busy: other.busy + endpoint.busy,
        idle: other.idle + endpoint.idle,
        answered: other.answered + endpoint.answered,
        away: other.away + endpoint.away,
      };
    }),
  };
}

function addSums(a: Sums, b: Sums): Sums {
  return {
    exchanges: a.exchanges + b.exchanges,
    byStatusClass: a.byStatusClass.map((count, at) => count + (b.byStatusClass[at] ?? 0)),
    requestBodyBytes: a.requestBodyBytes + b.requestBodyBytes,
    responseBodyBytes: a.responseBodyBytes + b.responseBodyBytes,
    retries: a.retries + b.retries,
    held: a.held + b.held,
    totalMs: a.totalMs + b.totalMs,
  };
}
