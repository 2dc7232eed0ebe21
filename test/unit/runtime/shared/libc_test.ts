import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { canCallLibc, openLibc } from "../../../../runtime/shared/libc.ts";

const foreign = "Bun" in globalThis || "Deno" in globalThis;

test("libc: called on Bun and Deno, never on Node", () => {
  assert.equal(canCallLibc(), foreign);
  const libc = openLibc<{ getpid(): number }>({ getpid: { args: [], returns: "i32" } });
  assert.equal(libc?.getpid() ?? null, foreign ? process.pid : null);
});

test("libc: a buffer is lent for the call, and written to", { skip: !foreign }, () => {
  const libc = openLibc<{ gethostname(name: Uint8Array, length: number): number }>({
    gethostname: { args: ["buffer", "usize"], returns: "i32" },
  });
  const name = new Uint8Array(256);
  assert.equal(libc?.gethostname(name, name.length), 0);
  assert.notEqual(name[0], 0);
});

test("libc: a name that it does not have is null, and pointers are Bun's alone", () => {
  assert.equal(openLibc({ no_such_function: { args: [], returns: "i32" } }), null);
  const libc = openLibc<{ getenv(name: number): number }>({ getenv: { args: ["ptr"], returns: "ptr" } });
  assert.equal(libc !== null, "Bun" in globalThis);
});
