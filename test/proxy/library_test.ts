/** A program that uses the library, as a process: it prints what it prints itself, and ends by itself. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { root, runChild } from "../../scripts/support/child.ts";

const program = fileURLToPath(new URL("../support/library_program.ts", import.meta.url));

/** Deno is let do what it takes to serve, and to read its own program. */
const first = "Deno" in globalThis
  ? ["run", "--no-prompt", "--no-check", "--allow-net", `--allow-read=${root}`]
  : [];

async function runProgram(sockets: string): Promise<unknown> {
  // What the test runner of node tells its own files is not for this one.
  const env = { NODE_OPTIONS: undefined, NODE_TEST_CONTEXT: undefined, DENO_NO_UPDATE_CHECK: "1" };
  const { code, output } = await runChild(process.execPath, [...first, program, sockets], {
    env,
    silenceMs: 30_000,
  });
  assert.equal(code, 0, output);
  return JSON.parse(output);
}

const expected = { answers: ["inner", "inner"], refused: true };

test("library: gates serve, hold and close, and then nothing keeps the process", async () => {
  assert.deepEqual(await runProgram("native"), expected);
});

if ("Bun" in globalThis && process.platform === "linux") {
  test("library: the same with sockets over epoll", async () => {
    assert.deepEqual(await runProgram("epoll"), expected);
  });
}
