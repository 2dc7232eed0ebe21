import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceManager } from "../../../src/serve/service_manager.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemorySystem } from "../../support/memory_system.ts";

function scene(env: Record<string, string> = {}) {
  const clock = new FakeClock();
  const system = new MemorySystem({ env: { NOTIFY_SOCKET: "/run/notify", ...env } });
  /** What the workers have been asked and have not answered. */
  const asked: (() => void)[] = [];
  let well = true;
  const isWell = () => well ? Promise.resolve() : new Promise<void>((resolve) => asked.push(resolve));
  const serviceManager = new ServiceManager(clock, system, isWell);
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return {
    system,
    serviceManager,
    hang: () => (well = false),
    answer() {
      well = true;
      for (const resolve of asked.splice(0)) resolve();
    },
    async pass(ms: number) {
      clock.advance(ms);
      await settle();
    },
    watched: () => system.notifications.filter((text) => text === "WATCHDOG=1\n").length,
  };
}

test("a reload is announced with its time, and ended by READY, also when it has failed", async () => {
  const { serviceManager, system } = scene();
  await serviceManager.ready(false);
  assert.equal(await serviceManager.reload(() => Promise.resolve("done")), "done");
  const broken = serviceManager.reload(() => Promise.reject(new Error("a bug")));
  await assert.rejects(broken, /a bug/);
  const reload = ["RELOADING=1\nMONOTONIC_USEC=4711000000\n", "READY=1\n"];
  assert.deepEqual(system.notifications, ["READY=1\nMAINPID=4711\n", ...reload, ...reload]);
});

test("several reloads at a time are one, and none is told of after the stop", async () => {
  const { serviceManager, system, pass } = scene();
  const gate = Promise.withResolvers<void>();
  const first = serviceManager.reload(() => gate.promise);
  const second = serviceManager.reload(() => gate.promise);
  await pass(0);
  await serviceManager.stopping();
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(system.notifications, ["RELOADING=1\nMONOTONIC_USEC=4711000000\n", "STOPPING=1"]);
});

test("the watchdog hears three times in its time, and nothing while a worker does not answer", async () => {
  const it = scene({ WATCHDOG_USEC: "3000000" });
  await it.serviceManager.ready(false);
  for (let seconds = 0; seconds < 6; seconds++) await it.pass(1_000);
  assert.equal(it.watched(), 6);
  it.hang();
  for (let seconds = 0; seconds < 6; seconds++) await it.pass(1_000);
  assert.equal(it.watched(), 6);
  it.answer();
  await it.pass(1_000);
  await it.pass(1_000);
  assert.ok(it.watched() > 6);
  await it.serviceManager.stopping();
  const before = it.watched();
  await it.pass(1_000);
  assert.equal(it.watched(), before + 1, "it goes on while requests end");
  await it.serviceManager.replaced(4712);
  for (let seconds = 0; seconds < 3; seconds++) await it.pass(1_000);
  assert.equal(it.watched(), before + 1, "the other process tells it now");
});

for (
  const [what, env, heir, watched] of [
    ["meant for us", { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "4711" }, false, true],
    ["meant for another process", { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" }, false, false],
    ["meant for the Sluice whose place we take", { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" }, true, true],
    ["absent", {}, false, false],
    ["no number", { WATCHDOG_USEC: "soon" }, false, false],
  ] as const
) {
  test(`a watchdog that is ${what}`, async () => {
    const it = scene(env);
    await it.serviceManager.ready(heir);
    await it.pass(1_000);
    assert.equal(it.watched() > 0, watched);
    assert.equal(it.system.notifications.includes("READY=1\nMAINPID=4711\n"), !heir);
  });
}
