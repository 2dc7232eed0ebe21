/** Serving as a process does it: ready signals, files for scripts, a graceful end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import { serve } from "../../src/cli/serve.ts";
import { adapterFactory } from "../support/adapter.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { within } from "../support/watchdog.ts";

/** Serves; resolves when it is ready. `ended` resolves with the exit code. */
async function start(system: MemorySystem): Promise<{ readonly ended: Promise<number> }> {
  const loaded = loadConfig({
    flags: { to: ["127.0.0.1:9"], listen: ["127.0.0.1:0"], "port-file": ["port"], "pid-file": ["pid"] },
    env: {},
    file: null,
  });
  assert.ok(loaded.ok);
  const runtime = (await adapterFactory())({ onHandlerError: (error) => assert.fail(String(error)) });
  let ended: Promise<number> = Promise.resolve(-1);
  await within(
    new Promise<void>((ready) => {
      ended = serve(runtime, system, loaded.config, { onReady: () => ready() });
    }),
    "to be ready",
  );
  return { ended };
}

test("the files it wrote are gone after the end", async () => {
  const system = new MemorySystem();
  const { ended } = await start(system);
  assert.match(String(system.files.get("port")), /^\d+\n$/);
  assert.equal(system.files.get("pid"), `${system.pid}\n`);
  system.signal("SIGTERM");
  assert.equal(await within(ended, "the end"), 0);
  assert.equal(system.files.size, 0);
});

test("files that a successor has written meanwhile stay", async () => {
  const system = new MemorySystem();
  const { ended } = await start(system);
  system.files.set("port", "4711\n");
  system.files.delete("pid");
  system.signal("SIGTERM");
  assert.equal(await within(ended, "the end"), 0);
  assert.deepEqual([...system.files], [["port", "4711\n"]]);
});
