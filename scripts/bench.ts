/**
 * Compares the executable with the proxies that this machine has: `npm run bench`, `npm run bench -- --help`.
 *
 * The proxy has one core to itself, origin and load tools share another. What counts is the CPU time a request
 * costs the proxy: the rate says as much about the load tool. Linux only, since it reads /proc.
 *
 * Exit code 1 when it could not measure, 2 for bad arguments.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { release } from "node:os";
import type { Contender } from "./support/bench_contender.ts";
import { contendersFor, type LineUp } from "./support/bench_lineup.ts";
import { type BenchOptions, readOptions } from "./support/bench_options.ts";
import { startOrigins } from "./support/bench_origin.ts";
import { loadAverage } from "./support/bench_proc.ts";
import { figure, groupTable, type Result, summary, unmeasured } from "./support/bench_report.ts";
import { rampTables } from "./support/bench_ramp_table.ts";
import { BenchRun } from "./support/bench_run.ts";
import { GROUPS, type Scenario } from "./support/bench_scenario.ts";
import { median } from "./support/bench_statistics.ts";
import { missingTools } from "./support/bench_tools.ts";
import { Workspace } from "./support/bench_workspace.ts";
import { killRunning, root, runChild, tool } from "./support/child.ts";

const executable = join(root, "dist/sluice");
/** Above this share of the proxy's core the figures are the others' as much as ours. */
const NOISE = 0.05;

let space: Workspace | null = null;
let stopping: Promise<never> | null = null;

function say(text: string): void {
  console.error(`bench: ${text}`);
}

/** Ends whatever is under way, once; what it interrupts must not be taken for a result. */
function stop(code: number): Promise<never> {
  return stopping ??= (async () => {
    killRunning();
    await space?.close();
    process.exit(code);
  })();
}

/** With the executable, unless something else is to be the Sluice. */
async function lineUpOf(options: BenchOptions): Promise<LineUp> {
  const named = [...options.sluices, ...options.candidates].some(({ name }) => name === "sluice");
  const gateways = options.scenarios.every(({ part }) => part === "gateway");
  if (options.sluices.length > 0 || (named && gateways)) return options;
  if (!existsSync(executable)) {
    say("dist/sluice is missing: building it");
    const built = await runChild(tool("bun"), ["scripts/build.ts"]);
    if (built.code !== 0) throw new Error(`the build failed:\n${built.output}`);
  }
  return { ...options, sluices: [{ name: "sluice", command: `'${executable}'` }] };
}

/** Who takes part in each scenario. */
function contendersOf(scenarios: readonly Scenario[], line: LineUp): Map<Scenario, readonly Contender[]> {
  const parts = [...new Set(scenarios.map(({ part }) => part))];
  const those = new Map(parts.map((part) => [part, contendersFor(part, line, say)]));
  return new Map(scenarios.map((scenario) => [
    scenario,
    (those.get(scenario.part) ?? []).filter(({ kind }) => scenario.direct || kind !== "direct"),
  ]));
}

/** How long it will take, about. */
function duration(
  { rounds, seconds }: BenchOptions,
  contenders: ReadonlyMap<Scenario, readonly Contender[]>,
): string {
  let total = 5;
  for (const [{ costSeconds, process }, { length }] of contenders) {
    total += length * (rounds * costSeconds(seconds) + (process === "warm" ? costSeconds(1) : 0));
  }
  return total < 90 ? `${Math.round(total)} s` : `${Math.round(total / 60)} minutes`;
}

/** One paragraph on the circumstances, without which the figures mean little. */
function circumstances(results: readonly Result[], { rounds, seconds }: BenchOptions, load: string): string {
  const model = /^model name\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ??
    "unknown processor";
  const foreign = median(results.flatMap(({ rows }) => rows.flatMap((row) => figure(row, "foreign") ?? [])));
  const others = foreign === null ? "" : ` Others used ${(foreign * 100).toFixed(1)} % of the proxy's core` +
    (foreign > NOISE ? ": the machine was not quiet, figures are for ratios at most." : ".");
  return `${rounds} interleaved round${
    rounds === 1 ? "" : "s"
  } of ${seconds} s; ratios taken round by round, then ` +
    `the median. ${model}, Linux ${release()}, load average before: ${load}.${others}` +
    (space?.placementProblem == null ? "" : ` Not comparable: ${space.placementProblem}.`) + "\n";
}

/** Exit code. */
async function bench(options: BenchOptions): Promise<0 | 1> {
  const missing = missingTools(["nginx", ...options.scenarios.flatMap(({ tools }) => tools)]);
  if (missing.length > 0) throw new Error(missing.join("\nbench: "));
  const contenders = contendersOf(options.scenarios, await lineUpOf(options));
  const load = loadAverage();
  space = new Workspace();
  if (space.placementProblem !== null) say(`${space.placementProblem}; going on`);
  const scenarios = options.scenarios.map(({ name }) => name).join(" ");
  const names = new Set([...contenders.values()].flatMap((list) => list.map(({ name }) => name)));
  say(`${scenarios}: ${[...names].join(" ")}: about ${duration(options, contenders)}`);
  const origins = await startOrigins(space, options.scenarios.some(({ away }) => away));
  const run = new BenchRun(space, origins, options, say);
  const results: Result[] = [];
  const report: string[] = [];
  const print = (text: string): void => {
    report.push(text);
    console.log(text);
  };
  for (const group of GROUPS) {
    const ours: Result[] = [];
    for (const scenario of options.scenarios.filter((one) => one.group === group)) {
      ours.push(await run.scenario(scenario, contenders.get(scenario) ?? [], options.rounds));
    }
    results.push(...ours);
    if (ours.length > 0) print(groupTable(group, ours));
    const ramp = rampTables(ours);
    if (ramp !== "") print(ramp);
  }
  print(summary(results));
  const note = circumstances(results, options, load);
  print(note);
  if (options.markdown !== null) writeFileSync(options.markdown, report.join("\n"));
  if (options.json !== null) writeFileSync(options.json, json(results, note));
  return unmeasured(results).length === 0 ? 0 : 1;
}

function json(results: readonly Result[], note: string): string {
  const plain = results.map(({ scenario, rows }) => ({
    scenario: scenario.name,
    title: scenario.title,
    contenders: rows.map(({ contender, samples, problem }) => ({ name: contender.name, samples, problem })),
  }));
  return JSON.stringify({ note: note.trim(), results: plain }, null, 1) + "\n";
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(1));
// npm hands a SIGTERM to the shell between us, which keeps it to itself: its going is our signal.
if (process.env["npm_lifecycle_event"] === "bench") {
  const shell = process.ppid;
  setInterval(() => {
    if (process.ppid !== shell) void stop(1);
  }, 500).unref();
}

let options: BenchOptions | string;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exit(2);
}
if (typeof options === "string") {
  console.log(options);
  process.exit(0);
}
try {
  if (process.platform !== "linux") throw new Error("needs Linux: it reads CPU times from /proc");
  await stop(await bench(options));
} catch (error) {
  if (stopping === null) say(error instanceof Error ? error.message : String(error));
  await stop(1);
}
