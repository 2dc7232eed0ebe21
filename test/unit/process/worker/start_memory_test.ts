import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseStartMemory } from "../../../../src/process/worker/start_memory.ts";
import { FakeClock } from "../../../support/fake_clock.ts";

test("what the start has used is given back once, and the process does not live on for it", () => {
  const clock = new FakeClock();
  let count = 0;
  releaseStartMemory({ clock, releaseProgram: () => void count++ });
  assert.equal(clock.pendingForegroundTimers, 0);
  clock.advance(100);
  assert.equal(count, 0, "the first connections come first");
  clock.advance(1000);
  assert.equal(count, 1);
  clock.advance(3_600_000);
  assert.equal(count, 1);
});

test("where the platform cannot do it nothing happens", () => {
  const clock = new FakeClock();
  releaseStartMemory({ clock });
  clock.advance(1000);
  assert.equal(clock.pendingTimers, 0);
});
