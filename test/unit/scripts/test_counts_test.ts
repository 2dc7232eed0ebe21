import assert from "node:assert/strict";
import { test } from "node:test";
import { countTests, failedTests } from "../../../scripts/support/test_counts.ts";

test("node: the last summary counts, files without a match do not", () => {
  const output = [
    "✔ a (1.2ms)",
    "✔ test/unit/b_test.ts (94.562944ms)",
    "ℹ pass 999",
    "ℹ tests 6",
    "ℹ pass 3",
    "ℹ fail 1",
    "ℹ cancelled 1",
    "ℹ skipped 2",
    "ℹ todo 1",
  ].join("\n");
  assert.deepEqual(countTests("node", output), { passed: 2, failed: 2, skipped: 3, files: null });
});

test("bun: failures, and errors outside of tests", () => {
  const output = " 6 pass\n 2 skip\n 1 todo\n 4 fail\n 1 error\nRan 13 tests across 3 files. [19.00ms]\n";
  assert.deepEqual(countTests("bun", output), { passed: 6, failed: 5, skipped: 3, files: 3 });
});

test("deno: tests count, groups do not, nor does what a test prints", () => {
  const output = [
    "running 4 tests from ./test/unit/a_test.ts",
    "plain ... ok (1ms)",
    "skipped ... ignored (0ms)",
    "prints ...",
    "------- output -------",
    "fake ... ok",
    "fake ...",
    "----- output end -----",
    "prints ... ok (1ms)",
    "group ...",
    "  one ... FAILED (0ms)",
    "  inner ...",
    "    a ... b ... ok (1s)",
    "  inner ... ok (1ms)",
    "group ... FAILED (due to 1 failed step) (2ms)",
    "Uncaught error from ./test/unit/c_test.ts FAILED",
    "",
    " ERRORS ",
    "",
    "more ... ok (1ms)",
    "FAILED | 3 passed (7 steps) | 2 failed (1 step) | 1 ignored (174ms)",
  ].join("\n");
  assert.deepEqual(countTests("deno", `\x1b[0m${output}`), { passed: 3, failed: 2, skipped: 1, files: 2 });
});

test("a run that was cut short counts nothing", () => {
  for (const runner of ["node", "bun", "deno"] as const) {
    const { passed } = countTests(
      runner,
      "running 4 tests from ./a_test.ts\nplain ... ok (1ms)\n(pass) plain\n",
    );
    assert.equal(passed, 0);
  }
});

test("names of failed tests, each once, files and groups of files left out", () => {
  const node =
    "✖ a (b) c (1.2ms)\n  ✖ inner (3ms)\n✖ test/unit/x_test.ts (9ms)\n✖ failing tests:\n✖ a (b) c (1.2ms)\n";
  assert.deepEqual(failedTests("node", node), ['"a (b) c"', '"inner"']);
  assert.deepEqual(failedTests("bun", "(fail) x > y [1.00ms]\n(pass) z\n"), ['"x > y"']);
  assert.deepEqual(failedTests("deno", "one ... FAILED (0ms)\ntwo ... ok\n"), ['"one"']);
  assert.deepEqual(failedTests(null, "ok a\nFAIL b: why\n"), ['"b: why"']);
  const many = Array.from({ length: 7 }, (_, at) => `(fail) t${at}`).join("\n");
  assert.deepEqual(failedTests("bun", many).slice(4), ['"t4"', "2 more"]);
});
