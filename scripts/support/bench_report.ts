/** Tables in Markdown: one for each group of scenarios, and the summary that the README shows. */

import type { Contender } from "./bench_contender.ts";
import { type Metric, METRICS, type Sample, shown, shownWithUnit } from "./bench_metric.ts";
import type { Group, Scenario } from "./bench_scenario.ts";
import { median, pairedRatio, spread } from "./bench_statistics.ts";

/** A sample with more failed requests than this share says nothing about what a request costs. */
const TOLERATED_FAILURES = 0.01;

/** What one contender did in one scenario. */
export interface Row {
  readonly contender: Contender;
  /** One for each round; null where it could not be measured. */
  readonly samples: readonly (Sample | null)[];
  /** Why a sample is missing; "" when none is. */
  readonly problem: string;
}

export interface Result {
  readonly scenario: Scenario;
  readonly rows: readonly Row[];
}

function values(row: Row, metric: Metric): number[] {
  return row.samples.flatMap((sample) => sample?.[metric] ?? []);
}

/** The median; of failed requests the sum, since one in any round is one too many. */
export function figure(row: Row, metric: Metric): number | null {
  const all = values(row, metric);
  if (metric === "failed") return all.length === 0 ? null : all.reduce((sum, value) => sum + value, 0);
  return median(all);
}

/** Samples of rounds in which (nearly) every request was answered. */
function usable(row: Row, metric: Metric): (number | null)[] {
  return row.samples.map((sample) => {
    if (sample === null) return null;
    // Where there is no rate there are few requests, and one is too many.
    const { failed = 0, rate = 0 } = sample;
    return failed > rate * TOLERATED_FAILURES ? null : sample[metric] ?? null;
  });
}

/** Null when they were not measured in the same rounds. */
export function ratio(row: Row, other: Row | undefined, metric: Metric): number | null {
  if (other === undefined || other === row || metric === "failed") return null;
  const theirs = usable(other, metric);
  return pairedRatio(usable(row, metric).map((value, round) => [value, theirs[round] ?? null]));
}

function rowOf(result: Result, name: string): Row | undefined {
  return result.rows.find(({ contender }) => contender.name === name);
}

function times(value: number | null): string {
  return value === null ? "–" : value.toFixed(2);
}

function percent(value: number | null): string {
  return value === null ? "–" : `${(value * 100).toFixed(0)} %`;
}

/** In Markdown. */
export function table(
  head: readonly string[],
  lines: readonly (readonly string[])[],
  leftColumns: number,
): string {
  const rule = head.map((_, i) => i < leftColumns ? "---" : "---:");
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** References that took part. */
function references(results: readonly Result[]): string[] {
  const names = new Set(results.flatMap(({ scenario }) => scenario.references));
  return [...names].filter((name) => results.some((result) => rowOf(result, name) !== undefined));
}

export function groupTable(group: Group, results: readonly Result[]): string {
  const names = references(results);
  const mains = results.map(({ scenario }) => scenario.columns[0]);
  const main = mains.toSorted((a, b) => count(mains, b) - count(mains, a))[0];
  // Scenarios of a group may put another figure first, but have the same ones.
  const shownMetrics = [...new Set(results.flatMap(({ scenario }) => scenario.columns))]
    .sort((a, b) => order(results, a) - order(results, b));
  const head = ["scenario", "", ...shownMetrics.map((metric) => METRICS[metric].label)];
  for (const name of names) head.push(`÷ ${name}`);
  const lines: string[][] = [];
  for (const result of results) {
    const [first] = result.scenario.columns;
    for (const row of result.rows) {
      const { problem, contender } = row;
      const cells = shownMetrics.map((metric) => shown(metric, figure(row, metric)));
      const ratios = names.map((name) => times(ratio(row, rowOf(result, name), first)));
      const failure = problem === "" ? "" : ` (${problem})`;
      lines.push([
        result.scenario.name,
        contender.name + failure,
        ...cells,
        ...ratios,
        percent(spread(values(row, first))),
      ]);
    }
  }
  const legend = results.map(({ scenario }) =>
    `- ${scenario.name}: ${scenario.title}` +
    (scenario.columns[0] === main ? "" : ` (compared by ${METRICS[scenario.columns[0]].label})`)
  );
  return [
    `### ${group}`,
    "",
    ...legend,
    "",
    table([...head, "spread"], lines, 2),
    "",
    ...(main === undefined || names.length === 0 ? [] : [`Ratios are of ${METRICS[main].label}.`, ""]),
  ].join("\n");
}

function count<T>(list: readonly T[], value: T): number {
  return list.filter((one) => one === value).length;
}

/** Place of a column: where most scenarios of the group have it. */
function order(results: readonly Result[], metric: Metric): number {
  return median(results.map(({ scenario }) => scenario.columns.indexOf(metric)).filter((at) => at >= 0)) ?? 0;
}

/** One table for each subject: its figure, and what it is relative to the references. */
export function summary(results: readonly Result[]): string {
  const subjects = new Set<string>();
  for (const { rows } of results) {
    for (const { contender } of rows) if (contender.kind === "subject") subjects.add(contender.name);
  }
  const [first] = subjects;
  const parts: string[] = [];
  for (const subject of subjects) {
    const theirs = results.filter((result) => rowOf(result, subject) !== undefined);
    const others = [...references(theirs), ...(first === undefined ? [] : [first])];
    const names = [...new Set(others)].filter((name) => name !== subject);
    const lines: string[][] = [];
    for (const result of theirs) {
      const row = rowOf(result, subject);
      if (row === undefined) continue;
      for (const metric of result.scenario.summary) {
        const name = result.scenario.name + (metric === "cpuMicros" ? "" : `, ${METRICS[metric].label}`);
        const ratios = names.map((other) => times(ratio(row, rowOf(result, other), metric)));
        lines.push([name, shownWithUnit(metric, figure(row, metric)), ...ratios]);
      }
    }
    const head = ["scenario", subject, ...names.map((name) => `÷ ${name}`)];
    if (lines.length === 0) parts.push(`**${subject}**`, "");
    else parts.push(table(head, lines, 1), "");
    parts.push(verdict(subject, results), "");
  }
  parts.push(
    "CPU time of the proxy per request where nothing else is said. Less is better; below 1.00 is less than the peer's.",
    "",
  );
  return ["### Summary", "", ...parts].join("\n");
}

/** What went wrong with a subject, or that nothing did. */
function verdict(subject: string, results: readonly Result[]): string {
  const failed = results.flatMap((result) => {
    const row = rowOf(result, subject);
    const count = row === undefined ? 0 : figure(row, "failed") ?? 0;
    return count === 0 ? [] : `${result.scenario.name} ${count}`;
  });
  const missing = unmeasured(results).filter(({ contender }) => contender === subject);
  return (failed.length === 0 ? "No request failed." : `Failed requests: ${failed.join(", ")}.`) +
    missing.map(({ scenario, problem }) => ` Not measured in every round: ${scenario} (${problem}).`).join(
      "",
    );
}

/** Subjects that could not be measured in every round. */
export function unmeasured(
  results: readonly Result[],
): { contender: string; scenario: string; problem: string }[] {
  return results.flatMap(({ scenario, rows }) =>
    rows.filter(({ contender, samples }) => contender.kind === "subject" && samples.includes(null))
      .map(({ contender, problem }) => ({ contender: contender.name, scenario: scenario.name, problem }))
  );
}
