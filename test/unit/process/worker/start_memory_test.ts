import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseStartMemory } from "../../../../src/process/worker/start_memory.ts";
import { FakeClock } from "../../../support/fake_clock.ts";

function scene() {
  const clock = new FakeClock();
  const it = { clock, count: 0, lastEventAt: clock.now() };
  releaseStartMemory({ clock, releaseProgram: () => void it.count++ }, () => it.lastEventAt);
  return it;
}

test("what the start has used is given back a few times, and the process does not live on for it", () => {
  const it = scene();
  assert.equal(it.clock.pendingForegroundTimers, 0);
  it.clock.advance(100);
  assert.equal(it.count, 0, "the first connections come first");
  it.clock.advance(500);
  assert.equal(it.count, 1);
  it.clock.advance(3_000);
  assert.equal(it.count, 2);
  it.clock.advance(60_000);
  assert.equal(it.count, 3);
  assert.equal(it.clock.pendingTimers, 0, "nothing is looked for any more");
});

test("under load nothing is given back but what the start alone has used", () => {
  const it = scene();
  for (let i = 0; i < 1_200; i++) {
    it.clock.advance(100);
    it.lastEventAt = it.clock.now();
  }
  assert.equal(it.count, 1);
  it.clock.advance(11_000);
  assert.equal(it.count, 2, "the load is over");
  it.clock.advance(60_000);
  assert.equal(it.count, 3);
});

test("where the platform cannot do it nothing happens", () => {
  const clock = new FakeClock();
  releaseStartMemory({ clock }, () => 0);
  assert.equal(clock.pendingTimers, 0);
});
