import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../../runtime/contract/contract.ts";
import { digests } from "../../../../runtime/shared/digests.ts";
import { GuessLimit } from "../../../../src/forward/auth/guess_limit.ts";
import { SlicedWork } from "../../../../src/forward/auth/sliced_work.ts";
import { ValueKeys, VerifiedMemory } from "../../../../src/forward/auth/verified_memory.ts";
import { Random } from "../../../fuzz/support/random.ts";

test("five failures are free, one more each second", () => {
  const limit = new GuessLimit(10);
  const delays = (nowMs: number, count: number): number[] =>
    Array.from({ length: count }, () => limit.failed("a", nowMs));
  assert.deepEqual(delays(1000, 7), [0, 0, 0, 0, 0, 1000, 1000]);
  assert.equal(limit.failed("b", 1000), 0, "others have buckets of their own");
  assert.deepEqual(delays(1250, 1), [750]);
  assert.deepEqual(delays(2000, 2), [0, 1000]);
  assert.deepEqual(delays(5000, 4), [0, 0, 0, 1000]);
  assert.deepEqual(delays(60_000, 6), [0, 0, 0, 0, 0, 1000]);
});

test("time that goes backwards gives nothing", () => {
  const limit = new GuessLimit(10);
  for (let i = 0; i < 5; i++) limit.failed("a", 1000);
  assert.equal(limit.failed("a", 500), 1000);
  assert.equal(limit.failed("a", 1000), 500);
});

test("delays are within bounds and the table too, whatever comes", () => {
  const random = new Random(5);
  const limit = new GuessLimit(50);
  let nowMs = 0;
  for (let round = 0; round < 5000; round++) {
    nowMs += random.next(30);
    const delayMs = limit.failed(`k${random.next(200)}`, nowMs);
    assert.ok(delayMs >= 0 && delayMs <= 1000, String(delayMs));
    assert.ok(limit.size <= 50);
  }
  limit.failed("last", nowMs + 10_000);
  assert.equal(limit.size, 1, "full buckets are forgotten");
});

test("answers are remembered for some time, the newest of them", () => {
  const keys = new ValueKeys(digests);
  const memory = new VerifiedMemory<string>(1000, 3);
  const [a, b, c, d] = ["a", "b", "c", "d"].map((value) => keys.keyOf(value)) as [never, never, never, never];
  memory.set(a, "A", 0);
  memory.set(b, "B", 500);
  assert.equal(memory.get(a, 999), "A");
  assert.equal(memory.get(a, 1000), null);
  assert.equal(memory.size, 1);
  memory.set(a, "A", 1000);
  memory.set(c, "C", 1000);
  memory.set(b, "B", 1000);
  memory.set(d, "D", 1000);
  assert.equal(memory.size, 3);
  assert.deepEqual([a, b, c, d].map((key) => memory.get(key, 1000)), [null, "B", "C", "D"]);
});

test("keys are of one process, and tell values apart", () => {
  const keys = new ValueKeys(digests);
  const others = new ValueKeys(digests);
  assert.equal(keys.keyOf("x"), keys.keyOf("x"));
  assert.notEqual(keys.keyOf("x"), keys.keyOf("y"));
  assert.notEqual(keys.keyOf("x"), others.keyOf("x"));
  assert.equal(keys.keyOf("x").length, 32);
  for (const name of ["", "a", "alice"]) {
    const chance = keys.chanceOf(name);
    assert.ok(chance >= 0 && chance < 1);
    assert.equal(chance, keys.chanceOf(name));
  }
});

/** Time goes on with each look; timers fire when asked to. */
class SteppingClock implements Clock {
  #now = 0;
  readonly #timers: (() => void)[] = [];
  stepMs: number;

  constructor(stepMs: number) {
    this.stepMs = stepMs;
  }

  now(): number {
    return this.#now += this.stepMs;
  }

  wall(): number {
    return 0;
  }

  setTimer(_ms: number, fire: () => void): { cancel(): void } {
    this.#timers.push(fire);
    return { cancel: () => {} };
  }

  /** Fires what was set before; how many that were. */
  turn(): number {
    const due = this.#timers.splice(0);
    for (const fire of due) fire();
    return due.length;
  }
}

function* counting(steps: number, done: () => void): Generator<void, number> {
  for (let i = 0; i < steps; i++) yield;
  done();
  return steps;
}

test("work is done in slices, two at a time", async () => {
  const clock = new SteppingClock(0.5);
  const work = new SlicedWork(clock);
  const order: string[] = [];
  const results = ["a", "b", "c"].map((name) => work.run(name, counting(10, () => order.push(name))));
  assert.equal(work.size, 3);
  assert.deepEqual(order, []);
  let turns = 0;
  while (clock.turn() > 0) turns++;
  assert.ok(turns >= 5, `${turns} turns`);
  assert.deepEqual(order, ["a", "b", "c"]);
  assert.deepEqual(await Promise.all(results), [10, 10, 10]);
  assert.equal(work.size, 0);
});

test("sources take turns", () => {
  const clock = new SteppingClock(10);
  const work = new SlicedWork(clock);
  const order: string[] = [];
  for (const name of ["a", "a", "a", "a", "b", "c"]) work.run(name, counting(2, () => order.push(name)));
  while (clock.turn() > 0);
  assert.deepEqual(order.slice(0, 3).sort(), ["a", "b", "c"]);
  assert.equal(order.length, 6);
});

test("there is room for some only", async () => {
  const clock = new SteppingClock(10);
  const work = new SlicedWork(clock);
  const ofOne = Array.from({ length: 70 }, () => work.run("a", counting(1, () => {})));
  assert.equal(ofOne.filter((result) => result === null).length, 6);
  const all = Array.from({ length: 600 }, (_, at) => work.run(`s${at}`, counting(1, () => {})));
  assert.equal(all.filter((result) => result === null).length, 600 - (512 - 64));
  assert.equal(work.size, 512);
  while (clock.turn() > 0);
  assert.equal(work.size, 0);
  assert.notEqual(work.run("a", counting(1, () => {})), null);
  while (clock.turn() > 0);
  await Promise.all([...ofOne, ...all]);
});

test("work that throws is told, and leaves room", async () => {
  const clock = new SteppingClock(10);
  const work = new SlicedWork(clock);
  const failing = work.run(
    "a",
    (function* (): Generator<void, number> {
      yield;
      throw new Error("broken");
    })(),
  );
  while (clock.turn() > 0);
  await assert.rejects(failing ?? Promise.resolve(), /broken/);
  assert.equal(work.size, 0);
});
