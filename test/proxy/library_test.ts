/** A program that uses the library, as a process: it prints what it prints itself, and ends by itself. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { root, runChild } from "../../scripts/support/child.ts";
import type { Library } from "../../src/api/library.ts";

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

/** One user: `count` requests one after the other on one connection. Resolves with the answers that were as they should be. */
function user(port: number, count: number): Promise<number> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    let right = 0;
    const ask = () => void socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.setNoDelay(true);
    socket.on("connect", ask);
    socket.on("error", () => {});
    socket.on("close", () => done(right));
    socket.on("data", (bytes: Uint8Array) => {
      received += new TextDecoder().decode(bytes);
      if (!received.endsWith("\r\n\r\nhello world\n")) return;
      if (/^HTTP\/1\.1 200 OK\r\n[^]*^Content-Length: 12\r\n/m.test(received)) right++;
      received = "";
      if (right === count) socket.end();
      else ask();
    });
  });
}

test("library: a ramp of users with requests in a row, without an error", async () => {
  const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
  const { serve }: Library = await import(`../../runtime/api_${runtime}.ts`);
  const gate = await serve("127.0.0.1:0", () => ({
    code: 200,
    headers: { "Content-Length": "12" },
    body: "hello world\n",
  }));
  for (const users of [10, 100, 400]) {
    const right = await Promise.all(Array.from({ length: users }, () => user(gate.port, 20)));
    assert.deepEqual(right.filter((count) => count !== 20), [], `${users} users`);
  }
  const { requests, failed } = gate.status().totals;
  assert.deepEqual([requests, failed], [510 * 20, 0]);
  await gate.close();
});
