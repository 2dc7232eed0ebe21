import assert from "node:assert/strict";
import { test } from "node:test";
import { FileWatch } from "../../../src/serve/config_watch.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemorySystem } from "../../support/memory_system.ts";
import { turn } from "../../support/watchdog.ts";

async function watching(
  paths: () => readonly string[],
  files: Readonly<Record<string, string>>,
  act: (system: MemorySystem, looks: (count: number) => Promise<number>) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const system = new MemorySystem({ files });
  let changes = 0;
  const watch = new FileWatch(clock, system, paths, () => changes++);
  await turn();
  await act(system, async (count) => {
    for (let look = 0; look < count; look++) {
      clock.advance(1000);
      await turn();
    }
    return changes;
  });
  watch.end();
}

test("a file that has changed is told once it has been the same for two looks", async () => {
  await watching(() => ["a", "b"], { a: "1", b: "1" }, async (system, looks) => {
    assert.equal(await looks(3), 0);
    system.files.set("a", "2");
    assert.equal(await looks(1), 0);
    system.files.set("a", "3");
    assert.equal(await looks(1), 0);
    assert.equal(await looks(3), 1);
    system.files.delete("b");
    assert.equal(await looks(4), 2);
    system.files.set("b", "1");
    assert.equal(await looks(4), 3);
  });
});

test("a file that is looked at for the first time has not changed, nor has one that is not any more", async () => {
  let paths = ["a"];
  await watching(() => paths, { a: "1", b: "1", c: "1" }, async (system, looks) => {
    assert.equal(await looks(2), 0);
    // What a script imports is known when it was loaded.
    paths = ["a", "b", "c"];
    assert.equal(await looks(3), 0);
    system.files.set("c", "2");
    assert.equal(await looks(3), 1);
    paths = ["a"];
    assert.equal(await looks(3), 1);
    paths = ["a", "missing"];
    assert.equal(await looks(3), 1);
    system.files.set("missing", "is there");
    assert.equal(await looks(3), 2);
  });
});

test("what changes while another file comes in view is told", async () => {
  let paths = ["a"];
  await watching(() => paths, { a: "1", b: "1" }, async (system, looks) => {
    assert.equal(await looks(2), 0);
    paths = ["a", "b"];
    system.files.set("a", "2");
    assert.equal(await looks(3), 1);
  });
});
