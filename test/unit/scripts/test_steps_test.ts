import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { runChild, tool } from "../../../scripts/support/child.ts";
import { judged } from "../../../scripts/support/test_steps.ts";

const ENDED = { code: 0, output: "", ms: 1, stalled: false, wasRunning: [] };
const COUNTS = { passed: 3, failed: 0, skipped: 0, files: 2 };

test("a run of all tests has to reach every file", () => {
  assert.equal(judged(ENDED, COUNTS, 2).note, "");
  const short = judged(ENDED, COUNTS, 3);
  assert.deepEqual([short.ok, short.note], [false, "ran 2 of 3 files"]);
  assert.equal(judged(ENDED, { ...COUNTS, files: null }, 3).ok, true, "the runner does not say");
});

test("a run of tests by name leaves files out, and is held to everything else", () => {
  assert.equal(judged(ENDED, COUNTS, null).ok, true);
  assert.equal(judged(ENDED, { ...COUNTS, passed: 0 }, null).note, "ran no test");
  assert.equal(judged(ENDED, { ...COUNTS, failed: 1 }, null).note, "1 failed");
  assert.equal(judged({ ...ENDED, code: 1 }, COUNTS, null).note, "ended with code 1");
});

test("a step that went silent names the file that ran, or the last line", () => {
  const stalled = {
    ...ENDED,
    code: null,
    stalled: true,
    output: "✔ a (1ms)\n\nkilled: no output for 180 s\n",
  };
  const wasRunning = ["node --test test/a_test.ts test/b_test.ts", "node --test-timeout=1 test/b_test.ts"];
  assert.equal(
    judged({ ...stalled, wasRunning }, COUNTS, 2).note,
    "did not come to an end, in test/b_test.ts",
  );
  assert.equal(judged(stalled, COUNTS, 2).note, 'did not come to an end, after "✔ a (1ms)"');
});

test("a step that failed names its tests", () => {
  const output = "(pass) a [1.00ms]\n(fail) b > c [2.00ms]\n";
  const note = judged({ ...ENDED, code: 1, output }, { ...COUNTS, failed: 1 }, 2, "bun").note;
  assert.equal(note, '1 failed: "b > c"');
});

test("a program that prints is let run, however long; one that is silent is ended", async () => {
  const script =
    "let left = 5; const tick = () => { console.log('here'); if (--left > 0) setTimeout(tick, 100); }; tick()";
  const talks = await runChild(tool("node"), ["-e", script], { silenceMs: 10_000 });
  assert.deepEqual([talks.code, talks.stalled], [0, false]);
  const silent = "console.log('begun'); setInterval(() => {}, 1000)";
  const hangs = await runChild(tool("node"), ["-e", silent], { silenceMs: 500 });
  assert.equal(hangs.stalled, true);
  assert.match(hangs.output, /killed: no output/);
  if (process.platform === "linux") assert.match(hangs.wasRunning.join("\n"), /setInterval/);
});
