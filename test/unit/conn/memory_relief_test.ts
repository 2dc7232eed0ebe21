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

test("it waits for a moment in which nothing comes", () => {
  const { clock, relief, released } = lab();
  relief.received(40 * MIB);
  for (let tenth = 0; tenth < 50; tenth++) {
    clock.advance(100);
    relief.received(1000);
  }
  assert.equal(released(), 0);
  clock.advance(500);
  assert.equal(released(), 1);
});

test("a burst that begins meanwhile comes first", () => {
  const { clock, relief, released } = lab();
  relief.received(40 * MIB);
  clock.advance(900);
  relief.received(MIB);
  clock.advance(1000);
  assert.equal(released(), 0);
  clock.advance(1000);
  assert.equal(released(), 1);
});

test("a little traffic is no burst, and puts off the end of one by ten seconds at most", () => {
  const { clock, relief, released } = lab();
  for (let i = 0; i < 70; i++) {
    relief.received(MIB / 10);
    clock.advance(100);
  }
  assert.equal(released(), 0);
  relief.received(MIB);
  for (let tenth = 0; tenth < 95; tenth++) {
    clock.advance(100);
    relief.received(MIB / 10);
  }
  assert.equal(released(), 0);
  for (let tenth = 0; tenth < 10; tenth++) {
    clock.advance(100);
    relief.received(MIB / 10);
  }
  assert.equal(released(), 1);
});
