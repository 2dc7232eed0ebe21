/** Nobody reads what Sluice writes any more, but the reader is still there: a log shipper that hangs, `| less`. */

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, type StdioOptions } from "node:child_process";
import * as fs from "node:fs";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { type ending, runToEnd, ScratchFolder } from "../smoke/program.ts";
import { ownProgram } from "../support/processes.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { within } from "../support/watchdog.ts";

const skip = process.platform === "win32" ? "there are no named pipes" : false;
/** Of a line of the access log, so that a pipe is soon full. */
const LONG = "x".repeat(4_000);
/** More than a pipe or a socket holds, for each of two workers. */
const REQUESTS = 160;

type Reader = "pipe" | "socket";
type Run = (sluice: ChildProcess, ended: ReturnType<typeof ending>, port: () => number) => Promise<void>;

/** Starts Sluice with one output that nobody reads. */
async function stalled(args: readonly string[], output: 1 | 2, reader: Reader, run: Run): Promise<void> {
  const folder = new ScratchFolder();
  const origin = (await ScriptedOrigin.listen()).auto(() => "ok");
  const fifo = folder.file("fifo");
  execFileSync("mkfifo", [fifo]);
  const held = fs.openSync(fifo, fs.constants.O_RDWR);
  const [program, ...before] = ownProgram();
  const own = [
    "--listen",
    "127.0.0.1:0",
    "--port-file",
    folder.file("port"),
    "--control",
    folder.file("control"),
  ];
  const to = args.includes("--") ? [] : ["--to", origin.address];
  // What a runtime gives a child for a pipe is one end of a pair of sockets.
  const target = reader === "pipe" ? held : "pipe";
  const stdio: StdioOptions = [
    "ignore",
    output === 1 ? target : "ignore",
    output === 2 ? target : "ignore",
    "pipe",
  ];
  const flags = ["--ready-fd", "3", "--drain-timeout", "2s"];
  const child = spawn(program, [...before, ...own, ...flags, ...to, ...args], {
    stdio,
    env: { PATH: process.env["PATH"] ?? "", XDG_RUNTIME_DIR: folder.path },
  });
  const ended = new Promise<Awaited<ReturnType<typeof ending>>>((resolve) =>
    child.on("exit", (code, signal) => resolve({ code, signal, stdout: "", stderr: "" }))
  );
  try {
    const ready = new Promise<void>((resolve) => (child.stdio[3] as Readable).once("data", () => resolve()));
    await within(ready, "sluice to be ready");
    await run(child, ended, () => Number(fs.readFileSync(folder.file("port"), "latin1")));
  } finally {
    child.kill("SIGKILL");
    fs.closeSync(held);
    child.stdout?.destroy();
    child.stderr?.destroy();
    await origin.close();
    folder.remove();
  }
}

async function askMany(port: number): Promise<void> {
  const request = `GET /${LONG} HTTP/1.1\r\nHost: stalled.test\r\nConnection: close\r\n\r\n`;
  for (let i = 0; i < REQUESTS; i++) assert.equal((await askOnce(port, request)).status, 200);
}

/** Node waits for a thread that writes to a socket, and nothing else ends it: so it kills itself. */
const mayBeKilled = !("Bun" in globalThis || "Deno" in globalThis);

for (const reader of ["pipe", "socket"] as const) {
  for (const workers of process.platform === "linux" ? ["1", "2"] : ["1"]) {
    test(
      `access log to a ${reader} that nobody reads, ${workers} workers: a stop ends it, and tells`,
      { skip },
      () =>
        stalled(["--access-log", "json", "--workers", workers], 1, reader, async (sluice, ended, port) => {
          await askMany(port());
          process.kill(sluice.pid ?? 0, "SIGTERM");
          const { code, signal } = await within(ended, "the end");
          if (!(reader === "socket" && mayBeKilled && signal === "SIGKILL")) {
            assert.deepEqual({ code, signal }, { code: 1, signal: null });
          }
        }),
    );
  }

  test(
    `output of a command to a ${reader} that nobody reads: the command is not waited for in vain`,
    { skip },
    () =>
      stalled(["--to", "127.0.0.1:9", "--", "sh", "-c", "exec yes"], 2, reader, async (sluice, ended) => {
        process.kill(sluice.pid ?? 0, "SIGTERM");
        const { code, signal } = await within(ended, "the end");
        if (!(reader === "socket" && mayBeKilled && signal === "SIGKILL")) {
          assert.deepEqual({ code, signal }, { code: 0, signal: null });
        }
      }),
  );
}

test(
  "a stop that must not wait does not wait for the reader of a log either",
  { skip },
  () =>
    stalled(["--access-log", "json"], 1, "pipe", async (sluice, ended, port) => {
      await askMany(port());
      process.kill(sluice.pid ?? 0, "SIGTERM");
      process.kill(sluice.pid ?? 0, "SIGINT");
      assert.equal((await within(ended, "the end")).code, 1);
    }),
);

test("a start that fails says so to nobody, and ends", { skip }, async () => {
  const folder = new ScratchFolder();
  const fifo = folder.file("fifo");
  execFileSync("mkfifo", [fifo]);
  const held = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  const [program, ...before] = ownProgram();
  try {
    const full = Buffer.alloc(65_536);
    fs.writeSync(held, full);
    const child = spawn(program, [...before, "--to", "nonsense:"], { stdio: ["ignore", "ignore", held] });
    const code = new Promise<number | null>((resolve) => child.on("exit", resolve));
    assert.equal(await within(code, "the end"), 2);
    const read = await runToEnd(ownProgram(), ["--to", "nonsense:"], folder.path);
    assert.match(read.stderr, /^--to: must have a port/);
  } finally {
    fs.closeSync(held);
    folder.remove();
  }
});
