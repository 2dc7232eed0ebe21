/** What `npm test` does, step by step. */

import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { type ChildResult, root, runChild, tool } from "./child.ts";
import { countTests, failedTests, type RunnerName, type TestCounts } from "./test_counts.ts";

export interface StepResult {
  readonly ok: boolean;
  /** Tests, where the step runs any. */
  readonly counts: TestCounts | null;
  /** One line more about a step that went wrong, or why there was nothing to do. */
  readonly note: string;
  readonly output: string;
}

type Environment = Readonly<Record<string, string>>;

export interface Step {
  /** `format`, `unit on bun`, `fuzz head`. */
  readonly name: string;
  /** Words that `--only` knows it by. */
  readonly groups: readonly string[];
  readonly runtime: RunnerName | null;
  /** Name of the step that must have passed before. */
  readonly after: string | null;
  run(): Promise<StepResult>;
}

export const suites = ["unit", "contract", "proxy"] as const;
export const runtimes: readonly RunnerName[] = ["node", "bun", "deno"];

/**
 * A test that hangs is reported by its runner, where the runner has such a limit; a step that prints nothing for
 * longer than the longest test may take is killed. No step has a limit on its whole time: a machine with other
 * work to do is slow without being wrong. Milliseconds.
 */
const oneTestMs = 120_000;
const silenceMs = 180_000;

/** The executable that the build step makes and the smoke step tries. */
const executable = join(root, "dist", process.platform === "win32" ? "sluice.exe" : "sluice");

/** Where `sockets: auto`, the default, is epoll on Bun: both kinds of sockets are tried. */
const canEpoll = process.platform === "linux";
/** For programs that tests start; each option has a name in the environment. */
const OVER_NATIVE = { SLUICE_SOCKETS: "native" };
/** For runtimes inside of tests as well, which are native unless told otherwise. */
const OVER_EPOLL = {
  SLUICE_SOCKETS: "epoll",
  SLUICE_TEST_SOCKETS: "epoll",
  // System calls fail in ways that nobody may notice (test/support/transparent_faults.ts).
  SLUICE_TEST_FAULTS: process.env["SLUICE_TEST_FAULTS"] ?? "1",
};

/** @param grep regular expression that names of tests must match; "" = all */
export function allSteps(grep: string): Step[] {
  return [
    check("types", tool("tsc"), []),
    check("lint", tool("deno"), ["lint"]),
    check("format", tool("deno"), ["fmt", "--check"]),
    check("layers", tool("bun"), ["scripts/check_layers.ts"]),
    buildStep(),
    ...runtimes.flatMap((runtime) => suites.map((suite) => suiteStep(suite, runtime, grep, OVER_NATIVE))),
    ...(canEpoll ? [overEpoll(suiteStep("proxy", "bun", grep, OVER_EPOLL))] : []),
    ...filesBelow("test/fuzz", "_fuzz.ts").map(fuzzStep),
    smokeStep(null),
    deployStep(),
    ...(canEpoll ? [smokeStep(null, OVER_NATIVE), deployStep(OVER_NATIVE)].map(overNative) : []),
    ...runtimes.map((runtime) => smokeStep(runtime)),
    packageStep(),
    jsrStep(),
  ];
}

function check(name: string, program: string, args: readonly string[]): Step {
  return plain(
    name,
    ["check", name],
    null,
    () => runChild(program, args, { silenceMs, env: plainEnv }),
  );
}

function buildStep(): Step {
  const args = ["scripts/build.ts", "--no-try"];
  return plain("build", ["build", "smoke", "deploy", "native"], null, () => {
    return runChild(tool("bun"), args, { silenceMs, env: plainEnv });
  });
}

function fuzzStep(file: string): Step {
  const name = `fuzz ${file.replace(/^.*\//, "").replace(/_fuzz\.ts$/, "")}`;
  const step = plain(name, ["fuzz", name], null, () => {
    return runChild(tool("bun"), [file, "--seconds", "5"], { silenceMs, env: plainEnv });
  });
  return { ...step, run: async () => counted(await step.run()) };
}

function counted(result: StepResult): StepResult {
  return {
    ...result,
    counts: { passed: result.ok ? 1 : 0, failed: result.ok ? 0 : 1, skipped: 0, files: null },
  };
}

/** @param runtime whose entry file is tried; null = the executable */
function smokeStep(runtime: RunnerName | null, env: Environment = {}): Step {
  const command = runtime === null ? [executable] : [tool(runtime), ...entryArguments(runtime)];
  const run = () => runChecks(["test/smoke/smoke.ts", ...command], env);
  const name = runtime === null ? "smoke" : `smoke on ${runtime}`;
  return { name, groups: ["smoke"], runtime: null, after: runtime === null ? "build" : null, run };
}

/** The example of a deployment, run under load; shell scripts are for systems that have a shell. */
function deployStep(env: Environment = {}): Step {
  const run = () => runChecks(["test/smoke/deploy.ts", executable], env);
  return { name: "deploy", groups: ["smoke", "deploy"], runtime: null, after: "build", run };
}

/** The package for npm, installed and used on all three runtimes. */
function packageStep(): Step {
  const run = () => runChecks(["test/smoke/package.ts"]);
  return { name: "package", groups: ["smoke", "package"], runtime: null, after: null, run };
}

/** What JSR would take: all that the library for Deno imports, with types that need no inference. Nothing is published. */
function jsrStep(): Step {
  const args = ["publish", "--dry-run", "--allow-dirty"];
  return plain("jsr", ["smoke", "package", "jsr"], null, () => {
    return runChild(tool("deno"), args, { silenceMs, env: plainEnv });
  });
}

/** @param args a program that prints `ok` or `FAIL` for each of its checks, and its arguments */
async function runChecks(args: readonly string[], env: Environment = {}): Promise<StepResult> {
  const result = await runChild(tool("bun"), args, { silenceMs, env: { ...plainEnv, ...env } });
  const passed = result.output.match(/^ok /gm)?.length ?? 0;
  const failed = result.output.match(/^FAIL /gm)?.length ?? 0;
  return judged(result, { passed, failed, skipped: 0, files: null }, null);
}

function entryArguments(runtime: RunnerName): string[] {
  const entry = join(root, "runtime", `main_${runtime}.ts`);
  return runtime === "deno" ? ["run", "-A", entry] : [entry];
}

function suiteStep(
  suite: (typeof suites)[number],
  runtime: RunnerName,
  grep: string,
  env: Environment = {},
): Step {
  const files = filesBelow(`test/${suite}`, "_test.ts");
  const run = async (): Promise<StepResult> => {
    if (files.length === 0) return { ok: true, counts: null, note: "no test files", output: "" };
    const args = testArguments(runtime, suite, grep, files);
    const result = await runChild(tool(runtime), args, {
      silenceMs,
      env: { ...plainEnv, ...env },
    });
    const counts = countTests(runtime, result.output);
    if (grep !== "" && counts.passed + counts.failed === 0 && !result.stalled) {
      // Deno's filter sees names of top-level tests and groups only.
      return { ok: true, counts, note: "no name matches", output: result.output };
    }
    return judged(result, counts, grep === "" ? files.length : null, runtime);
  };
  return { name: `${suite} on ${runtime}`, groups: [suite], runtime, after: null, run };
}

/** The same step with sockets over epoll(7). */
function overEpoll(step: Step): Step {
  return { ...step, name: `${step.name}, epoll`, groups: [...step.groups, "epoll"] };
}

/** The same step with sockets of the platform. */
function overNative(step: Step): Step {
  return { ...step, name: `${step.name}, native`, groups: [...step.groups, "native"] };
}

function testArguments(
  runtime: RunnerName,
  suite: (typeof suites)[number],
  grep: string,
  files: readonly string[],
): string[] {
  switch (runtime) {
    case "node": {
      const filter = grep === "" ? [] : [`--test-name-pattern=${grep}`];
      // Not --test-force-exit: it ends a file before all of its tests have been counted, or run.
      const ends = `--test-timeout=${oneTestMs}`;
      // A process for each file starts 270 times, which takes as long as the tests; on the others there is one, too.
      const isolation = suite === "unit" ? "none" : "process";
      const how = ["--test-concurrency=1", `--test-isolation=${isolation}`, "--test-reporter=spec", ends];
      return ["--test", ...how, ...filter, ...files];
    }
    case "bun": {
      const filter = grep === "" ? [] : ["-t", grep];
      return ["test", "--timeout", String(oneTestMs), ...filter, ...files.map((file) => `./${file}`)];
    }
    case "deno": {
      const filter = grep === "" ? [] : ["--filter", `/${grep.replaceAll("/", "\\/")}/`];
      return ["test", "-A", "--no-check", ...filter, ...files];
    }
  }
}

/**
 * Exit code 0 is not enough: a run without tests, or one that left files out, has proved nothing.
 *
 * @param files how many there are to run; null = not known, since only tests by name were asked for: Deno counts
 *   the files that have one
 * @param runner whose output names the tests that failed; null = lines that begin with `FAIL`
 */
export function judged(
  result: ChildResult,
  counts: TestCounts,
  files: number | null,
  runner: RunnerName | null = null,
): StepResult {
  let note = "";
  if (result.stalled) note = stalledNote(result);
  else if (counts.failed > 0) {
    const names = failedTests(runner, result.output);
    note = `${counts.failed} failed${names.length === 0 ? "" : `: ${names.join(", ")}`}`;
  } else if (result.code !== 0) note = `ended with code ${result.code}`;
  else if (counts.passed === 0) note = "ran no test";
  else if (files !== null && counts.files !== null && counts.files < files) {
    note = `ran ${counts.files} of ${files} files`;
  }
  return { ok: note === "", counts, note, output: result.output };
}

/** Names what did not finish: the test files that ran, or else the last line that was printed. */
function stalledNote({ output, wasRunning }: ChildResult): string {
  // A runner that is given all files at once has them all on its command line; that names none.
  const files = wasRunning.flatMap((command) => {
    const named = command.match(/\S+_(?:test|fuzz)\.ts/g) ?? [];
    return named.length === 1 ? named : [];
  });
  const printed = output.split("\n").filter((line) =>
    line.trim() !== "" && !/^(?:killed:|- running:) /.test(line)
  );
  const where = files.length > 0
    ? `in ${files.join(", ")}`
    : `after "${printed.at(-1)?.trim() ?? "no output"}"`;
  return `did not come to an end, ${where}`;
}

function plain(
  name: string,
  groups: readonly string[],
  after: string | null,
  start: () => Promise<ChildResult>,
): Step {
  const run = async (): Promise<StepResult> => {
    const result = await start();
    const { code, output, stalled } = result;
    const note = stalled ? stalledNote(result) : code === 0 ? "" : `ended with code ${code}`;
    return { ok: code === 0, counts: null, note, output };
  };
  return { name, groups, runtime: null, after, run };
}

/** No colours to parse, no questions, no look for newer versions; a forgotten `.only` is an error. */
const plainEnv = {
  NO_COLOR: "1",
  FORCE_COLOR: undefined,
  CI: "true",
  DENO_NO_UPDATE_CHECK: "1",
  DENO_NO_PROMPT: "1",
};

/** Paths relative to the root, with "/", sorted. */
function filesBelow(folder: string, ending: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}
