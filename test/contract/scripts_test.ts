/** Scripts out of files, on each platform's own loader: what they may be made of, what goes wrong and where, and that nothing stays. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { after, test } from "node:test";
import {
  type LoadedModule,
  type ScriptEvents,
  ScriptLoadFault,
  ScriptOverrun,
  type ScriptProblem,
} from "../../runtime/contract/contract.ts";
import { ownScripts } from "../support/own_scripts.ts";

const scripts = await ownScripts();
const folder = realpathSync(mkdtempSync(join(tmpdir(), "sluice-scripts-")));
// Of another depth than any working directory is likely to be.
const deep = join(folder, "a/b/c");
after(() => rmSync(folder, { recursive: true, force: true }));

let folders = 0;

/** A folder of its own with these files. */
function write(
  files: Readonly<Record<string, string>>,
  root = join(++folders % 2 === 0 ? deep : folder, String(folders)),
): string {
  mkdirSync(root, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

interface Heard extends ScriptEvents {
  readonly failures: (readonly [phase: string, words: string, places: readonly string[]])[];
  readonly lines: string[];
  /** Resolves with the next failure. */
  failure(): Promise<void>;
}

function heard(): Heard {
  let waiting = Promise.withResolvers<void>();
  return {
    guard: null,
    failures: [],
    lines: [],
    failed(phase, error) {
      const { words, places } = scripts.describe(error);
      this.failures.push([phase, words, places]);
      waiting.resolve();
      waiting = Promise.withResolvers();
    },
    printed(level, words) {
      this.lines.push(`${level}: ${words}`);
    },
    failure: () => waiting.promise,
  };
}

const api = { to: (name: string) => `to ${name}`, worker: { index: 0 } };

function load(path: string, events: ScriptEvents = heard(), more: object = {}): Promise<LoadedModule> {
  return scripts.load(path, { sluice: { ...api, ...more } }, events);
}

async function faultOf(path: string): Promise<readonly ScriptProblem[]> {
  try {
    (await load(path)).retire();
  } catch (error) {
    assert.ok(error instanceof ScriptLoadFault, String(error));
    assert.ok(error.problems.length > 0);
    return error.problems;
  }
  throw new Error(`${path} could be loaded`);
}

function call(module: LoadedModule, name: string, ...args: unknown[]): unknown {
  const found = module.exports[name];
  assert.equal(typeof found, "function", name);
  return (found as (...given: unknown[]) => unknown)(...args);
}

test("a script is TypeScript with files, packages, JSON, the platform's modules and an await", async () => {
  const root = write({
    "route.ts": `import { to } from "sluice";
import type { HttpRequest } from "sluice";
import { join } from "node:path";
import { where } from "./lib/where.ts";
import plus from "plus";
import { third } from "plus";
import data from "./data.json" with { type: "json" };
const waited: number = await Promise.resolve(4);
export const onRequest = (r: string) => [to(r), join("a", "b"), plus(1), third, data.five, waited];
export const places = () => [where(), [import.meta.url, import.meta.dirname, import.meta.filename]];
`,
    "lib/where.ts":
      "export const where = () => [import.meta.url, import.meta.dirname, import.meta.filename];\n",
    "data.json": '{"five": 5}',
    "node_modules/plus/package.json": '{"name": "plus", "main": "plus.js"}',
    "node_modules/plus/plus.js":
      'const inner = require("./inner.js"); module.exports = (x) => x + inner.one; module.exports.third = 3;',
    "node_modules/plus/inner.js": "exports.one = 1;",
  });
  const path = join(root, "route.ts");
  const module = await load(path);
  assert.deepEqual(call(module, "onRequest", "app"), ["to app", join("a", "b"), 2, 3, 5, 4]);
  const bare = (list: unknown) => (list as string[]).map((text) => text.replace(/\?.*/, ""));
  const [inner, outer] = call(module, "places") as unknown[];
  const placesOf = (file: string) => [pathToFileURL(file).href, dirname(file), file];
  assert.deepEqual(bare(inner), placesOf(join(root, "lib/where.ts")));
  assert.deepEqual(bare(outer), placesOf(path));
  for (const name of ["route.ts", "lib/where.ts", "data.json"]) {
    assert.ok(module.files.includes(join(root, name)), name);
  }
  assert.ok(!module.files.some((file) => file.includes("sluice-api")));
  module.retire();
});

test("what can be left out is all that TypeScript may be, where nothing compiles it", async () => {
  const root = write({
    "route.ts": "export const a = 1;\nenum Color { Red = 7 }\nexport const onRequest = () => Color.Red;\n",
  });
  const path = join(root, "route.ts");
  if (scripts.transpiles) {
    const module = await load(path);
    assert.equal(call(module, "onRequest"), 7);
    module.retire();
    return;
  }
  const [problem] = await faultOf(path);
  assert.equal(problem?.file, path);
  assert.equal(problem?.line, 2);
  assert.match(problem?.message ?? "", /enum/);
});

test("a fault of loading has its place", async () => {
  const root = write({
    "syntax.ts": "export const a = 1;\nexport const b: number = ;\n",
    "script.js": "export const a = 1;\nconst b = a b;\n",
    "via.ts": 'import "./syntax.ts";\n',
    "missing.ts": '\n\nimport x from "./gone.ts";\nexport const a = x;\n',
    "package.ts": '\nimport x from "gonepackage";\nexport const a = x;\n',
    "export.ts": 'import { nope } from "./ok.ts";\nexport const a = nope;\n',
    "api.ts": '\nimport { nope } from "sluice";\nexport const a = nope;\n',
    "ok.ts": "export const ok = 1;\n",
    "top.ts": 'export const a = 1;\n\nthrow new Error("at the top");\n',
    "inner.ts": 'import { fail } from "./fail.ts";\nfail();\n',
    "fail.ts": 'export function fail(): void {\n  throw new TypeError("deep");\n}\n',
    "text.ts": 'throw "a text";\n',
  });
  const cases: [string, string, number, RegExp][] = [
    ["syntax.ts", "syntax.ts", 2, /./],
    ["script.js", "script.js", 2, /./],
    ["via.ts", "syntax.ts", 2, /./],
    ["missing.ts", "missing.ts", 3, /gone\.ts/],
    ["package.ts", "package.ts", 2, /gonepackage/],
    ["export.ts", "export.ts", 1, /nope/],
    ["api.ts", "api.ts", 2, /nope/],
    ["top.ts", "top.ts", 3, /^Error: at the top$/],
    ["inner.ts", "fail.ts", 2, /^TypeError: deep$/],
    ["text.ts", "text.ts", 0, /"a text" was thrown/],
  ];
  for (const [name, file, line, message] of cases) {
    const [problem] = await faultOf(join(root, name));
    assert.match(problem?.message ?? "", message, name);
    assert.equal(problem?.file, join(root, file), name);
    // Deno does not tell where the syntax of TypeScript is wrong.
    if (!("Deno" in globalThis && file === "syntax.ts")) {
      assert.equal(problem?.line, line, `${name}: ${problem?.message}`);
    }
  }
  const [gone] = await faultOf(join(root, "nowhere.ts"));
  assert.match(gone?.message ?? "", /no such file|not found|ENOENT/i);
});

test("faults of several files are found without running the script, where that can be", async () => {
  const root = write({
    "route.ts":
      'import { x } from "./x.ts";\nimport { y } from "./y.ts";\nthrow new Error("ran");\nexport default [x, y];\n',
    "x.ts": 'import a from "./gone.ts";\nimport b from "./gone_too.ts";\nexport const x = [a, b];\n',
    "y.ts": '\nimport { c } from "gonepackage";\nexport const y = c;\n',
    "fine.ts": 'import { to } from "sluice";\nthrow new Error(to("ran"));\n',
  });
  const path = join(root, "route.ts");
  const names = { sluice: ["to"] };
  const checked = await scripts.check(path, names);
  assert.ok(checked.files.includes(path));
  assert.deepEqual((await scripts.check(join(root, "fine.ts"), names)).problems, []);
  assert.equal((await scripts.check(join(root, "nowhere.ts"), names)).problems.length, 1);
  if (!scripts.transpiles) return;
  const places = checked.problems.map(({ file, line, column }) =>
    `${file.slice(root.length + 1)}:${line}:${column}`
  );
  assert.deepEqual(places.toSorted(), ["x.ts:1:15", "x.ts:2:15", "y.ts:2:19"]);
});

test("broken and mended, again and again: what is there is what counts", async () => {
  const root = write({ "route.ts": "" });
  const main = 'import { v } from "./lib/v.ts";\nexport const onRequest = () => "main " + v;\n';
  const steps: [files: Record<string, string | null>, result: string | RegExp][] = [
    [{ "route.ts": main }, /route\.ts/],
    [{ "lib/v.ts": 'export const v = "1";' }, "main 1"],
    [{ "lib/v.ts": "export const v = ;" }, /v\.ts/],
    [{ "lib/v.ts": 'export const v = "2";' }, "main 2"],
    [{ "lib/v.ts": 'export const w = "2";' }, /route\.ts/],
    [{ "lib/v.ts": 'import { w } from "./w.ts"; export const v = w;' }, /v\.ts/],
    [{ "lib/w.ts": 'export const w = 1;\nthrow new Error("no w");' }, /w\.ts/],
    [{ "lib/w.ts": 'export const w: string = "3";' }, "main 3"],
    [{ "route.ts": main + "throw new Error('top');" }, /route\.ts/],
    [{ "route.ts": main }, "main 3"],
    [{ "lib/v.ts": null }, /(?:route|v)\.ts/],
    [{ "lib/v.ts": 'export { v } from "./deep/v.ts";', "lib/deep/v.ts": 'export const v = "4";' }, "main 4"],
    [{ "route.ts": 'export const onRequest = () => "alone";' }, "alone"],
  ];
  for (const [at, [files, expected]] of steps.entries()) {
    for (const [name, text] of Object.entries(files)) {
      if (text === null) rmSync(join(root, name));
      else write({ [name]: text }, root);
    }
    const path = join(root, "route.ts");
    if (typeof expected === "string") {
      const module = await load(path);
      assert.equal(call(module, "onRequest"), expected, `step ${at}`);
      module.retire();
    } else {
      const [problem] = await faultOf(path);
      assert.match(problem?.file ?? "", expected, `step ${at}: ${problem?.message}`);
    }
  }
});

test("each generation has variables and an API of its own", async () => {
  const root = write({
    "route.ts": 'import { to } from "sluice";\nlet n = 0;\nexport const onRequest = () => [++n, to("x")];\n',
  });
  const path = join(root, "route.ts");
  const first = await load(path, heard(), { to: (name: string) => `first ${name}` });
  const second = await load(path, heard(), { to: (name: string) => `second ${name}` });
  call(first, "onRequest");
  assert.deepEqual(call(first, "onRequest"), [2, "first x"]);
  assert.deepEqual(call(second, "onRequest"), [1, "second x"]);
  first.retire();
  second.retire();
});

test("timers end with their generation, and what they throw is told", async () => {
  const root = write({
    "route.ts": `export let ticks = 0;
export const count = () => ticks;
setInterval(() => { ticks++; }, 1);
const cancelled = setTimeout(() => { throw new Error("was cancelled"); }, 1);
clearTimeout(cancelled);
export const fail = () => setTimeout(() => { throw new Error("in a timer"); }, 1);
export const reject = () => setImmediate(async () => { await null; throw new Error("in an async timer"); });
export const later = (done: () => void) => { setTimeout(done, 1); };
`,
  });
  const path = join(root, "route.ts");
  const events = heard();
  const module = await load(path, events);
  for (const name of ["fail", "reject"]) {
    const told = events.failure();
    call(module, name);
    await told;
  }
  assert.deepEqual(events.failures.map(([phase, words]) => [phase, words]), [
    ["timer", "Error: in a timer"],
    ["timer", "Error: in an async timer"],
  ]);
  assert.match(events.failures[0]?.[2][0] ?? "", new RegExp(`^${path}:6:\\d+$`));
  module.retire();
  module.retire();
  const ticks = call(module, "count");
  let fired = false;
  call(module, "later", () => {
    fired = true;
  });
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(call(module, "count"), ticks);
  assert.equal(fired, false, "a generation that is over begins nothing");
});

test("console is told, and says nothing by itself", async () => {
  const root = write({
    "route.ts":
      'console.log("loaded %d", 1);\nexport const onRequest = () => console.error("bad", { a: 1 });\n',
  });
  const events = heard();
  const module = await load(join(root, "route.ts"), events);
  call(module, "onRequest");
  assert.deepEqual(events.lines, ["info: loaded 1", "error: bad { a: 1 }"]);
  module.retire();
});

test("an error is described by its words and its places in the script", async () => {
  const root = write({
    "route.ts":
      'import { deep } from "./deep.ts";\nexport const onRequest = () => {\n  const got = deep();\n  return got;\n};\n',
    "deep.ts": 'export function deep(): never {\n  throw new RangeError("two\\nlines");\n}\n',
  });
  const module = await load(join(root, "route.ts"));
  assert.throws(() => call(module, "onRequest"), (error) => {
    const { words, places } = scripts.describe(error);
    assert.equal(words, "RangeError: two | lines");
    assert.deepEqual(places.map((place) => place.replace(/:\d+$/, "")), [
      `${join(root, "deep.ts")}:2`,
      `${join(root, "route.ts")}:3`,
    ]);
    return true;
  });
  module.retire();
  for (
    const odd of [undefined, null, 7, Symbol("s"), {
      toString: () => {
        throw new Error("no");
      },
    }]
  ) {
    assert.equal(typeof scripts.describe(odd).words, "string");
  }
});

test("what a script throws by itself is told to it, and ends nothing; nor can it end the process", async () => {
  const child = fileURLToPath(new URL("script_child.ts", import.meta.url));
  const first = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const { code, output } = await new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    const running = spawn(process.execPath, [...first, child, write({})], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    running.stdout.on("data", (bytes) => output += String(bytes));
    running.on("error", reject);
    running.on("close", (code) => resolve({ code, output }));
  });
  const lines = output.trim().split("\n");
  assert.deepEqual(lines.map((line) => line.replace(/:\d+$/, "")), [
    "exit: Error: a script cannot end Sluice: use sluice stop",
    "promise Error: rejected :1",
    'promise "a text" was thrown, which is no Error ',
    "event Error: in a tick :5",
    "ours so far: 0",
  ]);
  assert.equal(code, 3);
});

test("a guard ends what does not end, and lets everything else through", () => {
  const guard = scripts.guard(50);
  if (guard === null) {
    assert.ok(!("Bun" in globalThis));
    return;
  }
  assert.equal(guard.call(() => 1 + 1), 2);
  assert.throws(() =>
    guard.call(() => {
      throw new TypeError("own");
    }), TypeError);
  assert.throws(() =>
    guard.call(() => {
      for (;;);
    }), ScriptOverrun);
  assert.throws(() =>
    guard.call(() => {
      for (;;) {
        try {
          for (;;);
        } finally {
          /* again */
        }
      }
    }), ScriptOverrun);
  assert.equal(guard.call(() => guard.call(() => 3)), 3);
});
