/** What is measured: names, units, and how many digits mean anything. */

export const METRICS = {
  rate: { label: "requests/s", unit: "/s", digits: 0 },
  requests: { label: "requests", unit: "", digits: 0 },
  p50: { label: "p50 ms", unit: "ms", digits: 3 },
  p99: { label: "p99 ms", unit: "ms", digits: 2 },
  cpuMicros: { label: "CPU µs/request", unit: "µs", digits: 2 },
  cpuPerGb: { label: "CPU s/GB", unit: "s/GB", digits: 3 },
  cpuPerGiB: { label: "CPU s/GiB", unit: "s/GiB", digits: 3 },
  megabytes: { label: "MB/s", unit: "MB/s", digits: 0 },
  /** Share of its core that the proxy used; well below 1 it was not what limited the rate. */
  busy: { label: "core busy", unit: "", digits: 2 },
  peakMiB: { label: "peak MiB", unit: "MiB", digits: 0 },
  failed: { label: "failed", unit: "", digits: 0 },
  beforeMiB: { label: "MiB before", unit: "MiB", digits: 1 },
  perConnectionKiB: { label: "KiB/connection", unit: "KiB", digits: 2 },
  open: { label: "open", unit: "", digits: 0 },
  idleCpu: { label: "idle CPU %", unit: "%", digits: 2 },
  grownMiB: { label: "grown by MiB", unit: "MiB", digits: 1 },
  leftMiB: { label: "still 3 s later", unit: "MiB", digits: 1 },
  probeP99: { label: "another client's p99 ms", unit: "ms", digits: 1 },
  seconds: { label: "seconds", unit: "s", digits: 2 },
  unfairness: { label: "p99/p50", unit: "", digits: 2 },
  listenMs: { label: "ms to accept", unit: "ms", digits: 1 },
  answerMs: { label: "ms to answer", unit: "ms", digits: 1 },
  residentMiB: { label: "idle MiB", unit: "MiB", digits: 1 },
  logLines: { label: "log lines/request", unit: "", digits: 2 },
  /** Share of the proxy's core that others used. */
  foreign: { label: "others on the core", unit: "", digits: 2 },
} as const satisfies Record<string, { label: string; unit: string; digits: number }>;

export type Metric = keyof typeof METRICS;

/** One measurement of one contender; what is absent was not measured. */
export type Sample = Readonly<Partial<Record<Metric, number>>>;

/** Never more digits than mean something. */
export function shown(metric: Metric, value: number | null): string {
  if (value === null || !Number.isFinite(value)) return "–";
  const { digits } = METRICS[metric];
  return value.toFixed(Math.min(digits, value >= 100 ? 0 : value >= 10 ? 1 : digits));
}

export function shownWithUnit(metric: Metric, value: number | null): string {
  const text = shown(metric, value);
  return text === "–" ? text : `${text} ${METRICS[metric].unit}`.trim();
}
