import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "../../../src/control/gated_plane.ts";
import { Logger } from "../../../src/observe/logger.ts";
import { RequestedReload } from "../../../src/serve/requested_reload.ts";
import { MemorySink } from "../../support/memory_system.ts";
import { FakeClock } from "../../support/fake_clock.ts";

function scene() {
  const lines: string[] = [];
  const sink = new MemorySink(2, 1_000_000, (text) => lines.push(text));
  const logger = new Logger(sink, new FakeClock(), { level: "info", format: "text" });
  const gate = new Gate();
  const scene = { lines, gate, reloads: 0, announced: 0 };
  const plane = {
    reload: () => {
      scene.reloads++;
      return Promise.resolve({ ok: false, code: "failed", message: "cannot be read" } as const);
    },
  };
  const serviceManager = {
    reload<T>(act: () => Promise<T>): Promise<T> {
      scene.announced++;
      return act();
    },
  };
  return Object.assign(scene, { reload: new RequestedReload(plane, gate, serviceManager, logger) });
}

test("a requested reload that fails is logged", async () => {
  const { reload, lines } = scene();
  await reload.ask();
  assert.match(lines.join(""), /error reload_failed: cannot be read/);
});

test("a reload asked for while an upgrade is tried is done once, when this process serves on", async () => {
  const asked = scene();
  asked.gate.trial = true;
  await asked.reload.ask();
  await asked.reload.ask();
  assert.equal(asked.reloads, 0);
  assert.equal(asked.reload.postponed, true);
  asked.gate.trial = false;
  asked.reload.resume();
  asked.reload.resume();
  await asked.gate.pass();
  await Promise.resolve();
  assert.equal(asked.reloads, 1);
  assert.equal(asked.reload.postponed, false);
});

test("a process that has been replaced does not reload, and tells the service manager that it is over", async () => {
  const asked = scene();
  asked.gate.replaced(4712);
  await asked.reload.ask();
  assert.equal(asked.reloads, 0);
  assert.equal(asked.announced, 1);
  assert.match(asked.lines.join(""), /error reload_failed: This process was replaced by process 4712/);
});
