import assert from "node:assert/strict";
import { test } from "node:test";
import { newWorkerHandle } from "../../../../src/process/supervisor/worker_handle.ts";
import { WorkerStarter } from "../../../../src/process/supervisor/worker_starter.ts";
import type { WorkerLinkEvents } from "../../../../src/process/worker/worker_link.ts";
import { FakeClock } from "../../../support/fake_clock.ts";

function scene(canStart = true) {
  const clock = new FakeClock();
  const log: string[] = [];
  const started: WorkerLinkEvents[] = [];
  const host = {
    serves: false,
    heard: () => void log.push("heard"),
    exited: () => void log.push("exited"),
    paused: (_index: number, pid: number, why: string) => void log.push(`paused ${pid}: ${why}`),
    giveUp: ({ message }: { readonly message: string }) => void log.push(`given up: ${message}`),
  };
  const starter = new WorkerStarter(
    clock,
    ({ serial }, events) => {
      if (!canStart) throw new Error("no memory");
      started.push(events);
      log.push(`start ${serial}`);
      return { pid: 7, send: () => {}, kill: () => {} };
    },
    2,
    host,
  );
  return { clock, log, started, host, starter, handle: newWorkerHandle(0) };
}

test("worker starter: another process has the place after a pause; what the former one says is dropped", () => {
  const { clock, log, started, starter, handle } = scene();
  starter.start(handle);
  handle.link = null;
  starter.replace(handle, 7, "exit code 1");
  assert.equal(handle.restarts, 1);
  clock.advance(60_000);
  started[0]?.exited({ code: 1, signal: "" });
  started[1]?.exited({ code: 1, signal: "" });
  assert.deepEqual(log, ["start 0", "paused 7: exit code 1", "start 1", "exited"]);
});

test("worker starter: one that cannot be started five times is given up, unless others serve", () => {
  const { clock, log, host, starter, handle } = scene(false);
  host.serves = true;
  starter.start(handle);
  // Shorter than any pause.
  while (log.length < 6) clock.advance(10);
  assert.ok(log.every((line) => line === "paused 0: cannot be started: no memory"));
  host.serves = false;
  clock.advance(60_000);
  assert.equal(
    log.at(-1),
    "given up: worker 1 ended 7 times before it listened: cannot be started: no memory",
  );
  assert.equal(log.length, 7);
});
