import assert from "node:assert/strict";
import { test } from "node:test";
import { Script } from "../../../src/script/script.ts";
import { hash } from "../../../src/script/hash.ts";
import { router } from "../../../src/script/path_router.ts";
import { ScriptError } from "../../../src/answer/script_error.ts";
import type { HttpRequest } from "../../../src/script/script_types.ts";
import { askOnce } from "../../support/raw_client.ts";
import { ScriptLab } from "../../support/script_lab.ts";

test("the most particular entry answers", async () => {
  const tell = (name: string) => (r: HttpRequest) => ({ body: `${name} ${JSON.stringify(r.params)}` });
  const routes = router({
    "/": tell("root"),
    "/users/:id": tell("user"),
    "/users/me": tell("me"),
    "/users/": tell("users"),
    "POST /users/:id": tell("post"),
    "/files/*": tell("files"),
    "GET /only": tell("only"),
  }, tell("none"));
  const cases: [string, string, string | number][] = [
    ["GET", "/", "root {}"],
    ["GET", "/users/7", 'user {"id":"7"}'],
    ["GET", "/users/a%20b%2Fc", 'user {"id":"a b/c"}'],
    ["POST", "/users/7", 'post {"id":"7"}'],
    ["GET", "/users/me", "me {}"],
    ["GET", "/users/7/x", "users {}"],
    ["GET", "/users", "users {}"],
    ["GET", "/files/a/b?c", 'files {"*":"a/b"}'],
    ["GET", "/nothing", "none {}"],
    ["HEAD", "/only", 200],
    ["POST", "/only", 405],
    ["GET", "/users/..%2F..%2Fx/y", 400],
  ];
  await ScriptLab.with({ default: routes }, async ({ port, told }) => {
    for (const [method, target, wanted] of cases) {
      const answer = await askOnce(port, `${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, { method });
      if (typeof wanted === "number") assert.equal(answer.status, wanted, target);
      else assert.equal(answer.text, wanted, target);
    }
    assert.deepEqual(told, []);
  });
});

test("patterns and handlers that are none", () => {
  const handler = () => ({});
  for (const pattern of ["x", "", "GET", "get /x", "/a b"]) {
    assert.throws(() => router({ [pattern]: handler }), ScriptError);
  }
  assert.throws(() => router({ "/": 1 as unknown as () => object }), ScriptError);
});

test("a hash is the same for good, and spreads", () => {
  // Written down once; scripts rely on them.
  const hashes = [2872998923, 444641715, 2193908274, 682563312, 2336405208];
  assert.deepEqual(["", "a", "b", "arm-1:10.0.0.1", "ä€"].map(hash), hashes);
  const parts = new Array(100).fill(0);
  for (let at = 0; at < 100_000; at++) parts[hash(`client-${at}`) % 100]++;
  assert.ok(parts.every((count) => count > 850 && count < 1150), String(parts));
});

test("a script that would never be called is refused, and one with something else under a hook's name", () => {
  const settings = { timeoutMs: 1, passesOnError: false, guard: null, note: null };
  assert.throws(() => new Script("a.ts", {}, settings), /exports none of onStart/);
  assert.throws(() => new Script("a.ts", { onRequest: 1 }, settings), /onRequest is no function/);
  assert.throws(() => new Script("a.ts", { default: {} }, settings), /would never be called/);
  assert.equal(new Script("a.ts", { default: () => ({}) }, settings).watches, false);
  class Hooks {
    readonly own = 7;
    onLog(): number {
      return this.own;
    }
  }
  const script = new Script("a.ts", { default: new Hooks() }, settings);
  // The cast: it is told nothing here.
  assert.equal((script.onLog as unknown as () => number)(), 7);
});
