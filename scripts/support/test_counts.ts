/** Counts tests from what the test runners print. */

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** Skipped, ignored or to do. */
  readonly skipped: number;
  /** Test files the runner says it ran; null when it does not say. */
  readonly files: number | null;
}

export type RunnerName = "node" | "bun" | "deno";

/** Counts; all zero when the output is not that of a run that came to its end. */
export function countTests(runner: RunnerName, output: string): TestCounts {
  // deno-lint-ignore no-control-regex -- colours begin with an escape character
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  if (runner === "node") return countNode(plain);
  return runner === "bun" ? countBun(plain) : countDeno(plain);
}

/** How many names of failed tests are worth a line. */
const MOST_NAMES = 5;

/**
 * The names of tests that failed, each once, quoted; at most five, then how many more.
 *
 * @param runner null = a program of ours, which prints `FAIL name`
 */
export function failedTests(runner: RunnerName | null, output: string): string[] {
  // deno-lint-ignore no-control-regex -- colours begin with an escape character
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const names = new Set<string>();
  for (const match of plain.matchAll(failurePattern(runner))) {
    const name = match[1] ?? "";
    // Node repeats failures at the end and counts files and groups among them.
    if (name !== "" && !/_test\.ts$/.test(name)) names.add(name);
  }
  const quoted = Array.from(names, (name) => JSON.stringify(name));
  if (quoted.length <= MOST_NAMES) return quoted;
  return [...quoted.slice(0, MOST_NAMES), `${quoted.length - MOST_NAMES} more`];
}

function failurePattern(runner: RunnerName | null): RegExp {
  switch (runner) {
    case "node":
      return /^ *✖ (.+?) \(\d[\d.]*m?s\)/gm;
    case "bun":
      return /^\(fail\) (.+?)(?: \[[\d.]+m?s\])?$/gm;
    case "deno":
      return /^ *(\S.*?) \.\.\. FAILED(?: \(.*\))?$/gm;
    case null:
      return /^FAIL (.+)$/gm;
  }
}

/** The spec reporter ends with `ℹ pass 12`. A file in which a name filter matched nothing counts there as a test. */
function countNode(output: string): TestCounts {
  const filtered = output.match(/^✔ \S+_test\.ts \(/gm)?.length ?? 0;
  return {
    passed: last(output, /^ℹ pass (\d+)$/gm) - filtered,
    failed: last(output, /^ℹ fail (\d+)$/gm) + last(output, /^ℹ cancelled (\d+)$/gm),
    skipped: last(output, /^ℹ skipped (\d+)$/gm) + last(output, /^ℹ todo (\d+)$/gm),
    files: null,
  };
}

/** Ends with ` 12 pass`, ` 0 fail` and `Ran 12 tests across 3 files.`; errors outside of tests are counted apart. */
function countBun(output: string): TestCounts {
  const files = last(output, /^Ran \d+ tests? across (\d+) files?\./gm);
  return {
    passed: last(output, /^ (\d+) pass$/gm),
    failed: last(output, /^ (\d+) fail$/gm) + last(output, /^ (\d+) errors?$/gm),
    skipped: last(output, /^ (\d+) skip$/gm) + last(output, /^ (\d+) todo$/gm),
    files: files === 0 ? null : files,
  };
}

/**
 * The last line counts a group as a test and its tests as steps, so the lines are counted instead: a
 * result is `name ... ok (3ms)`. A line `name ...` alone opens a group, whose own result is left out, or a
 * test that printed something.
 */
function countDeno(output: string): TestCounts {
  const open: { name: string; isGroup: boolean }[] = [];
  const counts = { ok: 0, FAILED: 0, ignored: 0 };
  let printed = false;
  for (const line of output.split("\n")) {
    const mark = /^-+ (?:post-test )?output (end )?-+$/.exec(line);
    if (mark !== null) printed = mark[1] === undefined;
    if (line === " ERRORS ") break;
    if (printed) continue;
    const opens = /^( *\S.*) \.\.\.$/.exec(line);
    if (opens !== null) {
      const parent = open.at(-1);
      if (parent !== undefined) parent.isGroup = true;
      open.push({ name: opens[1] ?? "", isGroup: false });
      continue;
    }
    const result = /^( *\S.*) \.\.\. (ok|FAILED|ignored)(?: \(.*\))?$/.exec(line);
    if (result === null) continue;
    if (open.at(-1)?.name === result[1]) {
      if (open.pop()?.isGroup === true) continue;
    } else {
      const parent = open.at(-1);
      if (parent !== undefined) parent.isGroup = true;
    }
    counts[result[2] as keyof typeof counts]++;
  }
  const broken = output.match(/^Uncaught error from .* FAILED$/gm)?.length ?? 0;
  const ended = /^(?:ok|FAILED) \| \d+ passed/m.test(output);
  if (!ended) return { passed: 0, failed: 0, skipped: 0, files: null };
  return {
    passed: counts.ok,
    failed: counts.FAILED + broken,
    skipped: counts.ignored,
    files: (output.match(/^running \d+ tests? from /gm)?.length ?? 0) + broken,
  };
}

/** The number in the last match; 0 without one. */
function last(output: string, pattern: RegExp): number {
  let number = 0;
  for (const match of output.matchAll(pattern)) number = Number(match[1]);
  return number;
}
