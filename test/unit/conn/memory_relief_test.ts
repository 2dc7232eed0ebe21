import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryRelief } from "../../../src/conn/memory_relief.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const MIB = 1024 * 1024;

function lab(): { clock: FakeClock; relief: MemoryRelief; released: () => number } {
  const clock = new FakeClock();
  let count = 0;
  return { clock, relief: new MemoryRelief(clock, () => count++), released: () => count };
}

test("memory is given back once, when a burst is over", () => {
  const { clock, relief, released } = lab();
  relief.received(40 * MIB);
  for (let second = 0; second < 5; second++) {
    clock.advance(500);
    relief.received(10 * MIB);
    clock.advance(500);
    assert.equal(released(), 0, "still going on");
  }
  clock.advance(1000);
  clock.advance(1000);
  assert.equal(released(), 1);
  clock.advance(60_000);
  assert.equal(released(), 1);
});

test("a little traffic is no burst, and does not put off the end of one", () => {
  const { clock, relief, released } = lab();
  for (let i = 0; i < 7; i++) {
    relief.received(MIB);
    clock.advance(1000);
  }
  assert.equal(released(), 0);
  relief.received(MIB);
  relief.received(MIB);
  clock.advance(1000);
  assert.equal(released(), 1);
});
