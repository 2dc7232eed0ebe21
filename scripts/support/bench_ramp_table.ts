/** Steps of a ramp side by side: a row for each, a column for each contender. */

import { shown } from "./bench_metric.ts";
import { figure, type Result, type Row, table } from "./bench_report.ts";

/** @returns "" when none of them is a step of a ramp */
export function rampTables(results: readonly Result[]): string {
  const steps = results.filter(({ scenario }) => scenario.users !== null);
  if (steps.length === 0) return "";
  const names = [...new Set(steps.flatMap(({ rows }) => rows.map(({ contender }) => contender.name)))];
  const grid = (title: string, cell: (row: Row) => string): string =>
    table(
      [title, ...names],
      steps.map(({ scenario, rows }) => [
        String(scenario.users),
        ...names.map((name) => {
          const row = rows.find(({ contender }) => contender.name === name);
          return row === undefined ? "" : cell(row);
        }),
      ]),
      0,
    );
  return [
    grid(
      "users: p50 / p99 ms",
      (row) => `${shown("p50", figure(row, "p50"))} / ${shown("p99", figure(row, "p99"))}`,
    ),
    grid("users: requests/s", (row) => shown("rate", figure(row, "rate"))),
    failures(steps),
  ].join("\n\n") + "\n";
}

function failures(steps: readonly Result[]): string {
  const failed = steps.flatMap(({ scenario, rows }) =>
    rows.flatMap((row) => {
      const count = figure(row, "failed");
      return count === 0
        ? []
        : [`${scenario.users} users, ${row.contender.name}: ${count ?? "not measured"}`];
    })
  );
  return failed.length === 0 ? "No request failed at any step." : `Failed requests: ${failed.join("; ")}.`;
}
