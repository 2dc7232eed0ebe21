import assert from "node:assert/strict";
import { test } from "node:test";
import { judged } from "../../../scripts/support/test_steps.ts";

const ENDED = { code: 0, output: "", ms: 1, timedOut: false };
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
  assert.equal(judged({ ...ENDED, timedOut: true }, COUNTS, null).note, "did not come to an end");
});
