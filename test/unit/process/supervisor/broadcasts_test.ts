import assert from "node:assert/strict";
import { test } from "node:test";
import { Broadcasts } from "../../../../src/process/supervisor/broadcasts.ts";

/** Whether it has resolved, once pending promises have had their turn. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => done = true);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return done;
}

test("a broadcast is complete when all have answered or are gone", async () => {
  const broadcasts = new Broadcasts<string>();
  const ids: number[] = [];
  const first = broadcasts.gather([1, 2, 3], (id) => ids.push(id));
  const second = broadcasts.gather([2], (id) => ids.push(id));
  const [one = 0, two = 0] = ids;
  assert.notEqual(one, two);
  broadcasts.answered(3, one, "c");
  broadcasts.answered(3, one, "again");
  broadcasts.answered(4, one, "not asked");
  broadcasts.answered(1, one, "a");
  assert.equal(await settled(first), false);
  assert.equal(await settled(second), false);
  broadcasts.release(2);
  assert.deepEqual(await first, ["c", "a"]);
  assert.deepEqual(await second, []);
  broadcasts.answered(2, two, "too late");
});

test("a broadcast to nobody is complete at once, and so is one that is answered while it is sent", async () => {
  const broadcasts = new Broadcasts<string>();
  assert.deepEqual(await broadcasts.gather([], () => {}), []);
  assert.deepEqual(await broadcasts.gather([7], (id) => broadcasts.answered(7, id, "now")), ["now"]);
});

test("one release answers every broadcast that waits for the participant", async () => {
  const broadcasts = new Broadcasts<never>();
  const one = broadcasts.gather([1, 2], () => {});
  const other = broadcasts.gather([1], () => {});
  broadcasts.release(1);
  assert.equal(await settled(other), true);
  assert.equal(await settled(one), false);
  broadcasts.release(2);
  assert.equal(await settled(one), true);
});
