import assert from "node:assert/strict";
import { test } from "node:test";
import { Shutdown } from "../../../../src/process/supervisor/shutdown.ts";
import { newWorkerHandle } from "../../../../src/process/supervisor/worker_handle.ts";
import { FakeClock } from "../../../support/fake_clock.ts";

function scene(workers = 2) {
  const clock = new FakeClock();
  const log: string[] = [];
  const handles = Array.from({ length: workers }, (_, index) => {
    const handle = newWorkerHandle(index);
    handle.accepts = true;
    handle.link = {
      pid: index,
      send: ({ type }) => void log.push(`${type} ${index}`),
      kill: () => void log.push(`kill ${index}`),
    };
    return handle;
  });
  const lineage = {
    elder: null as object | null,
    led: false,
    abort: () => void log.push("abort elder"),
  };
  const shutdown = new Shutdown(clock, handles, () => lineage);
  const told: string[] = [];
  void shutdown.closed.then(() => told.push("closed"));
  void shutdown.ended.then((failure) => told.push(`ended ${failure?.message ?? "well"}`));
  const settle = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
    return told;
  };
  const leave = (index: number) => {
    const handle = handles[index];
    assert.ok(handle !== undefined);
    handle.link = null;
    handle.accepts = false;
    shutdown.check();
  };
  return { clock, handles, lineage, log, shutdown, settle, leave };
}

test("shutdown: closed when none accepts, ended when all are gone, and nothing before it has begun", async () => {
  const { handles, log, shutdown, settle, leave } = scene();
  leave(0);
  assert.deepEqual(await settle(), []);
  shutdown.stop(1000, 0);
  assert.deepEqual(log, ["stop 1"]);
  const [, last] = handles;
  assert.ok(last !== undefined);
  last.accepts = false;
  shutdown.check();
  assert.deepEqual(await settle(), ["closed"]);
  leave(1);
  assert.deepEqual(await settle(), ["closed", "ended well"]);
});

test("shutdown: when time is up workers are killed, and the process before us is told to end, and not waited for", async () => {
  const { clock, lineage, log, shutdown, settle, leave } = scene(1);
  lineage.elder = {};
  shutdown.stop(1000, 0);
  clock.advance(1000);
  assert.deepEqual(log, ["stop 0", "kill 0", "abort elder"]);
  leave(0);
  assert.deepEqual(await settle(), ["closed"]);
  clock.advance(1000);
  assert.deepEqual(await settle(), ["closed", "ended well"]);
});

test("shutdown: a process that has our place counts on us for the one before, until an abort", async () => {
  const { clock, lineage, log, shutdown, settle, leave } = scene(1);
  lineage.elder = {};
  lineage.led = true;
  shutdown.stop(1000, 0);
  leave(0);
  clock.advance(60_000);
  assert.deepEqual(log, ["stop 0"]);
  assert.deepEqual(await settle(), ["closed"]);
  shutdown.abort();
  clock.advance(1000);
  clock.advance(1);
  assert.deepEqual(await settle(), ["closed", "ended well"]);
});

test("shutdown: what it costs counts from its beginning, lost lines of the log always", () => {
  const { shutdown } = scene();
  shutdown.stopped(5, false);
  shutdown.cutOff(5);
  assert.equal(shutdown.dropped, 0);
  assert.equal(shutdown.logged, false);
  shutdown.abort();
  shutdown.stopped(2, true);
  shutdown.cutOff(1);
  assert.equal(shutdown.dropped, 3);
});

test("shutdown: the first failure is the reason", async () => {
  const { shutdown, settle, leave } = scene(1);
  assert.equal(shutdown.fail({ kind: "system", message: "first" }), true);
  assert.equal(shutdown.fail({ kind: "system", message: "second" }), false);
  shutdown.abort();
  leave(0);
  assert.deepEqual(await settle(), ["closed", "ended first"]);
});
