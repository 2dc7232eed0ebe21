import assert from "node:assert/strict";
import { test } from "node:test";
import type { Runtime } from "../../../runtime/contract/contract.ts";
import { loadConfig } from "../../../src/config/load_config.ts";
import { workerCount } from "../../../src/serve/worker_count.ts";
import { MemorySystem } from "../../support/memory_system.ts";

function count(yaml: string, canHaveWorkers: boolean): number | string {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text: `to: 9\n${yaml}` } });
  assert.ok(loaded.ok);
  const system = new MemorySystem();
  system.parallelism = 8;
  // The cast: nothing else of a runtime is asked for.
  const runtime = { name: "deno", capabilities: { workers: canHaveWorkers } } as unknown as Runtime;
  return workerCount(runtime, system, loaded.config);
}

test("as many workers as processors, but no more than connections, and one where there can be no more", () => {
  assert.equal(count("workers: auto", true), 8);
  assert.equal(count("workers: auto\nmax_connections: 3", true), 3);
  assert.equal(count("workers: auto", false), 1);
  assert.equal(count('workers: auto\nlisten: "unix:/run/s"', true), 1);
});

test("workers that were asked for are had, or a sentence says why not", () => {
  assert.equal(count("workers: 3", true), 3);
  assert.equal(count("workers: 1", false), 1);
  assert.match(String(count("workers: 3", false)), /^--workers 3: .*--allow-run.*: use --workers 1$/);
});
