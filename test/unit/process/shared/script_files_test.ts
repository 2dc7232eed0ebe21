import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../../src/config/load_config.ts";
import { checkScripts, isOwn } from "../../../../src/process/shared/script_files.ts";
import { MemorySystem } from "../../../support/memory_system.ts";

const YAML = `script: a.ts
upstreams: {app: {endpoints: 3000}}
routes: [{match: {path: /x}, to: app, script: b.ts}, {match: {path: /y}, handle: a.ts}]
`;

function configOf(yaml: string) {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text: yaml } });
  assert.ok(loaded.ok);
  return loaded.config;
}

test("each script is looked through once, and all faults are told once", async () => {
  const system = new MemorySystem({});
  const both = { file: "lib.ts", line: 1, column: 2, message: "nope" };
  system.scripts.modules.set("a.ts", [both, { ...both, file: "a.ts" }]);
  system.scripts.modules.set("b.ts", [both]);
  const { problems, files } = await checkScripts(system, configOf(YAML));
  assert.deepEqual(problems.map(({ file }) => file), ["lib.ts", "a.ts"]);
  assert.deepEqual(files, ["a.ts", "b.ts"]);
});

test("without scripts nothing is looked at, and where there can be none each is a problem", async () => {
  const system = new MemorySystem({});
  system.scripts.impossible = "no files here";
  assert.deepEqual((await checkScripts(system, configOf("to: 3000"))).problems, []);
  const { problems } = await checkScripts(system, configOf(YAML));
  assert.deepEqual(problems.map(({ file, message }) => `${file}: ${message}`), [
    "a.ts: scripts cannot be used: no files here",
    "b.ts: scripts cannot be used: no files here",
  ]);
});

test("a file that others may write is warned of", async () => {
  class Open extends MemorySystem {
    override statusOf(path: string) {
      const mode = path === "a.ts" ? 0o664 : 0o644;
      return Promise.resolve({ kind: "file", identity: path, owner: 0, mode } as const);
    }
  }
  const system = new Open({});
  for (const path of ["a.ts", "b.ts"]) system.scripts.modules.set(path, () => ({}));
  const { problems, warnings } = await checkScripts(system, configOf(YAML));
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings.map(({ file }) => file), ["a.ts"]);
  assert.match(warnings[0]?.message ?? "", /others than its owner may write/);
});

test("files of packages are none of one's own", () => {
  assert.equal(isOwn("/etc/sluice/route.ts"), true);
  assert.equal(isOwn("/etc/sluice/node_modules/plus/plus.js"), false);
});
