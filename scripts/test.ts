/**
 * The test command: `npm test`. Does what continuous integration does: format, lint, types, layers, the
 * tests on three runtimes, a short fuzz, the executable built and tried.
 *
 *     npm test                          everything
 *     npm test -- --only unit           check, unit, contract, proxy, fuzz, build, smoke; or format, lint, …
 *     npm test -- --runtime bun         the tests of one runtime
 *     npm test -- --grep 'chunk size'   tests whose name matches
 *     npm test -- --verbose             the output of passing steps as well
 *
 * The last line is `N passed, N failed`. Exits 1 when anything failed, or when a runtime ran no test.
 */

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { killRunning } from "./support/child.ts";
import { allSteps, runtimes, type Step, type StepResult, suites } from "./support/test_steps.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    runtime: { type: "string", multiple: true, default: [] },
    grep: { type: "string", default: "" },
    verbose: { type: "boolean", default: false },
  },
});

/** Steps that run at a time. More than two would compete for cores that tests with deadlines need. */
const lanes = Math.min(2, availableParallelism());

function chosenSteps(): Step[] {
  const only = flags.only.flatMap((words) => words.split(","));
  const onlyRuntimes = flags.runtime.flatMap((words) => words.split(","));
  const steps = allSteps(flags.grep);
  const known = new Set(steps.flatMap((step) => [...step.groups, step.name]));
  for (const word of only) {
    if (!known.has(word)) usage(`--only ${word}: use one of ${[...known].join(", ")}`);
  }
  for (const word of onlyRuntimes) {
    if (!runtimes.some((name) => name === word)) {
      usage(`--runtime ${word}: use one of ${runtimes.join(", ")}`);
    }
  }
  return steps.filter((step) => {
    if (only.length > 0 && !only.some((word) => word === step.name || step.groups.includes(word))) {
      return false;
    }
    if (onlyRuntimes.length > 0) return step.runtime !== null && onlyRuntimes.includes(step.runtime);
    return flags.grep === "" || step.runtime !== null;
  });
}

function usage(problem: string): never {
  console.error(problem);
  process.exit(2);
}

/** Runs the steps in their order, `lanes` at a time; a step whose forerunner failed is not run. */
async function runSteps(
  steps: readonly Step[],
  report: (step: Step, result: StepResult, ms: number) => void,
) {
  const results = new Map<string, StepResult>();
  const finished = new Map<string, { promise: Promise<void>; resolve: () => void }>();
  for (const step of steps) finished.set(step.name, Promise.withResolvers<void>());
  const queue = [...steps];
  const lane = async (): Promise<void> => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
      const started = performance.now();
      if (step.after !== null) await finished.get(step.after)?.promise;
      const blocked = step.after !== null && results.get(step.after)?.ok === false;
      const result = blocked
        ? { ok: false, counts: null, note: `not run: ${step.after} failed`, output: "" }
        : await step.run();
      results.set(step.name, result);
      finished.get(step.name)?.resolve();
      report(step, result, performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

function reportStep(step: Step, result: StepResult, ms: number): void {
  const { counts } = result;
  const tests = counts === null
    ? ""
    : `${counts.passed} passed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""}`;
  const words = [tests, result.note].filter((word) => word !== "").join("; ");
  const seconds = `${(ms / 1000).toFixed(1)} s`.padStart(8);
  console.log(`${result.ok ? "ok  " : "FAIL"} ${step.name.padEnd(19)} ${seconds}  ${words}`.trimEnd());
  if (!result.ok || flags.verbose) console.log(result.output.replace(/^/gm, "    ").trimEnd());
}

const started = performance.now();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    killRunning();
    process.exit(130);
  });
}
const steps = chosenSteps();
const results = await runSteps(steps, reportStep);

let passed = 0;
let failed = 0;
const perRuntime = new Map<string, number>();
const failures: string[] = [];
for (const step of steps) {
  const result = results.get(step.name);
  const counts = result?.counts ?? { passed: 0, failed: 0 };
  passed += counts.passed;
  // A check that failed, or a runner that died, counts as one failure.
  failed += result?.ok === true ? 0 : Math.max(1, counts.failed);
  if (result?.ok !== true) failures.push(`${step.name} (${result?.note ?? "not run"})`);
  if (step.runtime !== null) {
    perRuntime.set(step.runtime, (perRuntime.get(step.runtime) ?? 0) + counts.passed);
  }
}
for (const [runtime, count] of perRuntime) {
  if (count > 0 || (flags.grep !== "" && passed > 0)) continue;
  failures.push(`${runtime} ran no test`);
  failed++;
}
if (steps.length === 0) usage("nothing to run: --only and --runtime leave no step");

console.log(
  `\n${((performance.now() - started) / 1000).toFixed(0)} s; ${suites.join(", ")} on ${runtimes.join(", ")}`,
);
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
