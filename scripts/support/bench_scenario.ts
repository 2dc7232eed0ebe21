/** What a scenario is, and the measuring around a load that all of them share. */

import type { Part } from "./bench_contender.ts";
import type { Entrant } from "./bench_entrant.ts";
import type { Metric, Sample } from "./bench_metric.ts";
import { coreBusyMicros, cpuMicros, peakMiB, resetPeak } from "./bench_proc.ts";
import type { Load, ToolName } from "./bench_tools.ts";
import type { Workspace } from "./bench_workspace.ts";

export const GROUPS = [
  "small",
  "bodies",
  "ramp",
  "idle",
  "slow",
  "away",
  "start",
  "log",
  "forward",
  "tunnels",
  "script",
  "hello-ramp",
  "tls",
] as const;
export type Group = typeof GROUPS[number];

export interface Measuring {
  readonly space: Workspace;
  /** Length of a load that goes by time. */
  readonly seconds: number;
  /** Nothing but whether it can be measured: as little load as possible. */
  readonly trial: boolean;
}

export interface Scenario {
  /** `c64`; also known by the name of its group. */
  readonly name: string;
  readonly group: Group;
  readonly title: string;
  readonly tools: readonly ToolName[];
  /** The first one is what rounds are compared by. */
  readonly columns: readonly [Metric, ...Metric[]];
  /** The lines it gets in the summary. */
  readonly summary: readonly Metric[];
  /**
   * `warm`: one process serves all rounds of all such scenarios, and has seen the load before it counts;
   * `fresh`: a process of its own for each sample; `exec`: the same, and starting it is what is measured.
   */
  readonly process: "warm" | "fresh" | "exec";
  readonly part: Part;
  /** It runs only when it is named. */
  readonly onDemand: boolean;
  /** Names of the contenders that the others are compared with, in this order. */
  readonly references: readonly string[];
  readonly away: boolean;
  readonly log: boolean;
  /** Clients speak TLS. */
  readonly tls: boolean;
  /** Of a step of a ramp, how many; else null. */
  readonly users: number | null;
  /** The origin without a proxy is measured, too. */
  readonly direct: boolean;
  /** About how long one sample takes. */
  costSeconds(seconds: number): number;
  run(measuring: Measuring, entrant: Entrant): Promise<Sample>;
}

export const PLAIN = {
  process: "warm",
  part: "gateway",
  onDemand: false,
  references: ["nginx", "haproxy"],
  away: false,
  log: false,
  tls: false,
  users: null,
  direct: false,
} as const;

/** Runs a load and adds what it cost the proxy. */
export async function measured(
  { space }: Measuring,
  { pid }: Entrant,
  load: () => Promise<Load>,
): Promise<Sample> {
  if (pid === null) return sampleOf(await load());
  resetPeak(pid);
  const core = coreBusyMicros(space.proxyCore);
  const cpu = cpuMicros(pid);
  const begun = performance.now();
  const result = await load();
  const wallMicros = (performance.now() - begun) * 1000;
  const used = cpuMicros(pid) - cpu;
  const foreign = coreBusyMicros(space.proxyCore) - core - used;
  const sample = { ...sampleOf(result), busy: used / wallMicros, peakMiB: peakMiB(pid) };
  // Where everybody is on one core "others" would be the load tool.
  const others = space.placementProblem === null ? { foreign: Math.max(0, foreign) / wallMicros } : {};
  return result.requests === 0 ? sample : { ...sample, ...others, cpuMicros: used / result.requests };
}

function sampleOf({ requests, seconds, p50, p99, failed }: Load): Sample {
  return { requests, rate: requests / seconds, p50, p99, failed };
}
