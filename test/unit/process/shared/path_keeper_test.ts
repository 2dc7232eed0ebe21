import assert from "node:assert/strict";
import { test } from "node:test";
import { SocketFailure } from "../../../../runtime/contract/contract.ts";
import { CONTROL_LOOKS, LISTENER_LOOKS, PathKeeper } from "../../../../src/process/shared/path_keeper.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { MemorySystem } from "../../../support/memory_system.ts";

const HOUR_MS = 3_600_000;

function scene(pace = LISTENER_LOOKS) {
  const clock = new FakeClock();
  const system = new MemorySystem({ files: { "/run/s": "ours" } });
  const notes: string[] = [];
  const keeper = new PathKeeper(clock, system, pace, (message) => notes.push(message));
  let restored = 0;
  let failure: Error | null = null;
  const restore = async () => {
    if (failure !== null) throw failure;
    restored++;
    system.files.set("/run/s", `ours again ${restored}`);
  };
  const release = keeper.keep("/run/s", restore);
  /** Lets what a timer has begun come to its end. */
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return {
    clock,
    system,
    notes,
    release,
    get restored() {
      return restored;
    },
    fail: (error: Error | null) => (failure = error),
    async pass(ms: number) {
      await settle();
      clock.advance(ms);
      await settle();
    },
  };
}

test("a path that was removed comes back, as often as it is removed", async () => {
  const it = scene();
  await it.pass(5_000);
  assert.equal(it.restored, 0);
  for (const times of [1, 2]) {
    it.system.files.delete("/run/s");
    await it.pass(1_000);
    assert.equal(it.restored, times);
    assert.equal(it.notes.length, times);
    assert.match(it.notes.at(-1) ?? "", /^\/run\/s was removed: it is there again$/);
  }
});

test("what cannot be restored is told once, and tried again", async () => {
  const it = scene();
  await it.pass(1_000);
  it.system.files.delete("/run/s");
  it.fail(new SocketFailure("platform_error", "no such folder"));
  for (let i = 0; i < 5; i++) await it.pass(1_000);
  assert.deepEqual(it.notes, [
    "/run/s was removed, and cannot be had again: platform_error: no such folder",
  ]);
  it.fail(null);
  await it.pass(1_000);
  assert.equal(it.restored, 1);
});

test("what another program has put there stays, and its times too", async () => {
  const it = scene();
  await it.pass(1_000);
  it.system.files.set("/run/s", "theirs");
  for (let i = 0; i < 30; i++) await it.pass(1_000);
  await it.pass(HOUR_MS);
  assert.equal(it.system.files.get("/run/s"), "theirs");
  assert.deepEqual(it.system.renewed, []);
  assert.equal(it.notes.length, 1);
  assert.match(it.notes[0] ?? "", /another program's now/);
});

test("times are renewed once an hour", async () => {
  const it = scene();
  for (let minutes = 0; minutes < 150; minutes++) await it.pass(60_000);
  assert.deepEqual(it.system.renewed, ["/run/s", "/run/s"]);
});

test("nothing happens after the end", async () => {
  const it = scene();
  await it.pass(1_000);
  it.release();
  it.system.files.delete("/run/s");
  await it.pass(HOUR_MS);
  assert.equal(it.restored, 0);
});

test("nothing is looked at while no path is kept", async () => {
  const it = scene();
  await it.pass(1_000);
  it.release();
  assert.equal(it.clock.pendingTimers, 0);
  new PathKeeper(it.clock, it.system, LISTENER_LOOKS, () => {});
  assert.equal(it.clock.pendingTimers, 0);
});

test("a path that only operators need is looked at less and less, until something is wrong with it", async () => {
  const it = scene(CONTROL_LOOKS);
  let looks = 0;
  const { statusOf } = it.system;
  it.system.statusOf = (path) => {
    looks++;
    return statusOf.call(it.system, path);
  };
  for (let second = 0; second < 60; second++) await it.pass(1_000);
  assert.equal(looks, 4, "after 2, 6, 14 and 30 s");
  for (let second = 0; second < 3_600; second++) await it.pass(1_000);
  assert.ok(looks <= 4 + 61, `${looks} looks`);
  it.system.files.delete("/run/s");
  await it.pass(60_000);
  assert.equal(it.restored, 1);
  it.system.files.delete("/run/s");
  await it.pass(2_000);
  assert.equal(it.restored, 2);
});
