/** check, explain, types and test for scripts out of files, on each platform's own loader. */

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { createClock, createSystem } from "../../../../runtime/shared/system.ts";
import type { Runtime, System } from "../../../../runtime/contract/contract.ts";
import { run } from "../../../../src/cli/run.ts";
import type { Explanation } from "../../../../src/serve/explain/explanation.ts";
import { createMemoryRuntime } from "../../../support/memory_runtime.ts";
import { ownScripts } from "../../../support/own_scripts.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "sluice-verbs-")));
after(() => rmSync(folder, { recursive: true, force: true }));
const scripts = await ownScripts();
const BUN = scripts.transpiles;

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function sluice(...args: readonly string[]): Promise<Ran> {
  let out = "";
  let error = "";
  const system: System = {
    ...createSystem(scripts),
    args,
    env: {},
    writeDescriptor(fd, text) {
      if (fd === 1) out += text;
      else error += text;
    },
  };
  // Scripts need time that passes; sockets are of no use here.
  const runtime: Runtime = { ...createMemoryRuntime(), clock: createClock() };
  const code = await run(runtime, system, () => Promise.reject(new Error("serves nothing")));
  return { code, out, error };
}

const at = (name: string) => join(folder, name);

write({
  "route.ts": `import { ask, log, next, pass, reject, respond, to } from "sluice";
const own = respond(200, "own"), hide = pass({ headers: { "X-Secret": null } });
export const onRequest = async (request: any) => {
  if (request.path === "/own") return own;
  if (request.path === "/next") return next({ headers: { "X-Next": "1" } });
  if (request.path === "/throw") throw new TypeError("as asked for");
  const seen = await ask("auth", { uri: "/check" });
  log("asked", { status: seen.status });
  return seen.status === 200 ? to("app", { headers: { "X-User": seen.headers.get("x-user") } }) : reject(401);
};
export const onResponse = () => hide;
`,
  "s.yaml":
    "script: route.ts\nupstreams: {app: {endpoints: 3000}, auth: {endpoints: 3001}}\nroutes: [{match: {path: /next}, to: app}]\n",
});

test("check loads scripts: what cannot be bundled is all told, what throws is told, what is fine is counted", async () => {
  const fine = await sluice("check", "--config", at("s.yaml"));
  assert.deepEqual([fine.code, fine.out], [
    0,
    "ok: 1 listener, 1 route, 2 upstreams, 2 endpoints, 1 script\n",
  ]);
  write({
    "throws.ts": 'console.log("begins");\nthrow new Error("at the top");\nexport const onRequest = 1;\n',
    "nothing.ts": "export const other = 1;\n",
    "broken.ts": 'import a from "./gone.ts";\nimport b from "./gone_too.ts";\nexport default [a, b];\n',
  });
  const throws = await sluice("check", "--script", at("throws.ts"));
  assert.equal(throws.code, 2);
  assert.match(throws.error, /^begins\n.*throws\.ts:2:\d+: Error: at the top\n$/);
  const nothing = await sluice("check", "--script", at("nothing.ts"));
  assert.equal(nothing.code, 2);
  assert.match(nothing.error, /nothing\.ts: exports none of onStart, onRequest/);
  const broken = await sluice("check", "--script", at("broken.ts"), "--json");
  assert.equal(broken.code, 2);
  const { problems } = JSON.parse(broken.out) as {
    problems: { name: string; line: number; column: number }[];
  };
  assert.deepEqual(problems.map(({ name, line }) => `${name}:${line}`), [
    `${at("broken.ts")}:1`,
    ...(BUN ? [`${at("broken.ts")}:2`] : []),
  ]);
  const guarded = await sluice("check", "--config", at("s.yaml"), "--script-guard", "always");
  assert.equal(guarded.code, BUN ? 0 : 2);
  if (!BUN) assert.match(guarded.error, /^--script-guard: always: calls cannot be ended here/);
  const gone = await sluice("check", "--script", at("nowhere.ts"));
  assert.equal(gone.code, 2);
  assert.match(gone.error, /^--script: .*nowhere\.ts: there is no such file\n$/);
});

test("explain runs scripts, with stand-ins for what they ask", async () => {
  const explain = async (...args: readonly string[]): Promise<Explanation> => {
    const { code, out, error } = await sluice("explain", "--config", at("s.yaml"), "--json", ...args);
    assert.equal(code, 0, error);
    return JSON.parse(out) as Explanation;
  };
  const own = await explain("--url", "/own");
  assert.deepEqual([own.outcome, own.answer?.status, own.scripts?.decisions], ["answered", 200, [
    "respond 200",
  ]]);
  const next = await explain("--url", "/next");
  assert.deepEqual([next.outcome, next.route, next.upstream], ["forwarded", "/next", "app"]);
  assert.ok(next.forwarded?.fields.includes("X-Next: 1"));
  const denied = await explain("--url", "/x", "--stub", "auth=403");
  assert.deepEqual([denied.answer?.status, denied.answer?.reason], [401, "http_request_denied"]);
  assert.deepEqual(denied.scripts?.asked, [{ upstream: "auth", method: "GET", uri: "/check" }]);
  assert.deepEqual(denied.scripts?.said, ["asked status=403"]);
  const let_in = await explain("--url", "/x", "--stub", "auth=200");
  assert.deepEqual([let_in.outcome, let_in.upstream, let_in.scripts?.decisions[0]], [
    "forwarded",
    "app",
    "to app",
  ]);
  const unknown = await explain("--url", "/x");
  assert.match(unknown.scripts?.faults.join() ?? "", /nothing stands in for auth/);
  const thrown = await explain("--url", "/throw");
  assert.deepEqual([thrown.answer?.status, thrown.answer?.reason], [500, "script_error"]);
  assert.match(thrown.scripts?.faults.join() ?? "", /TypeError: as asked for \(.*route\.ts:6:\d+\)/);
  const { code, error } = await sluice("explain", "--config", at("s.yaml"), "--url", "/x", "--stub", "auth");
  assert.deepEqual([code, error], [
    2,
    "sluice explain: --stub: must be an upstream and a status, like auth=401\n",
  ]);
});

test("types are written beside scripts, and a tsconfig.json that is there stays", async () => {
  mkdirSync(at("types"));
  const first = await sluice("types", at("types"));
  assert.deepEqual([first.code, first.out], [
    0,
    `wrote ${at("types/sluice.d.ts")} and ${at("types/tsconfig.json")}\n`,
  ]);
  assert.match(
    readFileSync(at("types/sluice.d.ts"), "utf8"),
    /declare module "sluice"[^]*declare module "sluice\/test"/,
  );
  write({ "types/tsconfig.json": "{}", "types/sluice.d.ts": "old" });
  const second = await sluice("types", at("types"));
  assert.deepEqual([second.code, second.out], [0, `wrote ${at("types/sluice.d.ts")}\n`]);
  assert.equal(readFileSync(at("types/tsconfig.json"), "utf8"), "{}");
  assert.notEqual(readFileSync(at("types/sluice.d.ts"), "utf8"), "old");
  assert.equal((await sluice("types", at("nowhere"))).code, 1);
  assert.equal(existsSync(at("nowhere")), false);
});

test("tests of scripts run on a Sluice of which nothing leaves", async () => {
  write({
    "route_test.ts": `import assert from "node:assert/strict";
import { dry } from "sluice/test";
const upstreams = ["app", "auth"];
export async function test_an_answer_of_its_own() {
  const { status, body, decision, upstream, sent } = await (await dry("./route.ts", { upstreams })).request("GET", "/own");
  assert.deepEqual([status, body, decision, upstream, sent], [200, "own", "respond 200", null, null]);
}
export async function test_let_in() {
  const stubs = { auth: { headers: { "X-User": "u1" } } };
  const answer = { status: 201, headers: { "X-Secret": "s", "X-Other": "o" }, body: "made é" };
  const sluice = await dry("./route.ts", { upstreams, stubs });
  for (let n = 0; n < 2; n++) {
    const got = await sluice.request("POST", "/p?q", { headers: { Cookie: "a=b" }, body: "sent é", answer });
    assert.deepEqual([got.status, got.body, got.upstream, got.decision], [201, "made é", "app", "to app"]);
    assert.deepEqual([got.headers.get("x-secret"), got.headers.get("x-other")], [null, "o"]);
    const { method, uri, headers, body } = got.sent;
    assert.deepEqual([method, uri, headers.get("x-user"), headers.get("cookie"), body], ["POST", "/p?q", "u1", "a=b", "sent é"]);
    assert.deepEqual(got.asked, [{ upstream: "auth", method: "GET", uri: "/check" }]);
  }
}
export async function test_a_configuration() {
  const { status, upstream } = await (await dry("./s.yaml", { stubs: { auth: 200 } })).request("GET", "/next");
  assert.deepEqual([status, upstream], [200, "app"]);
}
`,
    "bad_test.ts": `export function test_fails() { throw new RangeError("no"); }
export default function () { setTimeout(() => { throw new Error("later"); }, 1); return new Promise((done) => setTimeout(done, 30)); }
export function test_fine() {}
export const other = 1;
`,
    "no_test.ts": "export const a = 1;\n",
  });
  const good = await sluice("test", at("route_test.ts"));
  assert.equal(good.code, 0, good.out + good.error);
  assert.equal(
    good.out,
    "ok    a configuration\nok    an answer of its own\nok    let in\n3 passed, 0 failed\n",
  );
  const bad = await sluice("test", at("bad_test.ts"));
  assert.equal(bad.code, 1);
  assert.match(
    bad.out,
    /^FAIL {2}default: Error: later\n {6}.*bad_test\.ts:2:\d+\nFAIL {2}fails: RangeError: no\n {6}.*:1:\d+\nok {4}fine\n1 passed, 2 failed\n$/,
  );
  const tap = await sluice("test", at("bad_test.ts"), "--tap");
  assert.equal(tap.code, 1);
  assert.match(
    tap.out,
    /^TAP version 13\n1\.\.3\nnot ok 1 - default\n {2}---\n {2}message: "Error: later"\n {2}at: ".*"\n {2}\.\.\.\nnot ok 2 - fails\n[^]*ok 3 - fine\n$/,
  );
  assert.equal((await sluice("test", at("no_test.ts"))).code, 2);
  assert.equal((await sluice("test", at("gone_test.ts"))).code, 2);
  assert.equal((await sluice("test")).code, 2);
});
