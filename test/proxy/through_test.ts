/** Commands that are run through the forward proxy, all as real processes. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ending, runToEnd, ScratchFolder, start } from "../smoke/program.ts";
import { ownProgram } from "../support/processes.ts";
import { within } from "../support/watchdog.ts";

const sluice = ownProgram();
const script = fileURLToPath(new URL("../support/through_program.ts", import.meta.url));
const program = [
  process.execPath,
  ...("Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : []),
  script,
];

/** Two origins on this machine, and a folder. */
async function scene(
  act: (ports: readonly [number, number], folder: string) => Promise<void>,
): Promise<void> {
  const folder = new ScratchFolder();
  const origins = [0, 1].map((at) =>
    createServer((request, response) => {
      request.resume();
      response.end(`origin ${at}`);
    })
  );
  try {
    const ports: number[] = [];
    for (const origin of origins) {
      await new Promise<void>((listening) => origin.listen(0, "127.0.0.1", listening));
      ports.push((origin.address() as AddressInfo).port);
    }
    await act([ports[0] ?? 0, ports[1] ?? 0], folder.path);
  } finally {
    for (const origin of origins) {
      origin.close();
      origin.closeAllConnections?.();
    }
    folder.remove();
  }
}

test("a command reaches what is allowed, and a table tells what it has asked for", async () => {
  await scene(async ([first, second], folder) => {
    const asked = [
      `http://127.0.0.1:${first}/a`,
      `127.0.0.1:${first}`,
      `http://127.0.0.1:${second}/b`,
      `127.0.0.1:${second}`,
    ];
    const own = ["--forward", "--allow", `127.0.0.1:${first}`];
    const { code, stdout, stderr } = await runToEnd(
      sluice,
      [...own, "--", ...program, "7", ...asked],
      folder,
    );
    assert.equal(code, 7, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, 4, stdout);
    assert.equal(lines[0], `http://127.0.0.1:${first}/a 200 origin 0`);
    assert.equal(lines[1], `127.0.0.1:${first} 200 origin 0`);
    assert.match(lines[2] ?? "", /:\d+\/b 403 /);
    assert.match(lines[3] ?? "", /:\d+ 403 /);
    const [head, columns, one, two, ...rest] = stderr.split("\n");
    assert.equal(head, "sluice: 2 destinations asked for, 1 of them denied");
    assert.match(columns ?? "", /^ {2}destination +requests +tunnels +sent +received +time +outcome$/);
    assert.match(
      one ?? "",
      new RegExp(`^ {2}127\\.0\\.0\\.1:${first} +1 +1 +\\d+ B +[\\d.]+ K?i?B +\\d+m?s +allowed$`),
    );
    assert.match(
      two ?? "",
      new RegExp(`^ {2}127\\.0\\.0\\.1:${second} +1 +1 +\\d+ B +[\\d.]+ K?i?B +\\d+m?s +denied \\([^)]+\\)$`),
    );
    assert.deepEqual(rest, [""]);
  });
});

test("signals are passed on, and the command's code is the one that counts", async () => {
  await scene(async (_ports, folder) => {
    const child = start(sluice, ["--forward", "--", ...program, "SIGTERM"], folder);
    try {
      const ended = ending(child);
      await within(
        new Promise<void>((waits) => {
          child.stdout?.on("data", (bytes) => String(bytes).includes("waits") && waits());
        }),
        "the command to wait",
      );
      // Not child.kill: Deno would say that the signal has ended it, whatever its code.
      process.kill(child.pid ?? 0, "SIGTERM");
      const { code, stdout, stderr } = await within(ended, "sluice to end");
      assert.deepEqual([code, stdout], [9, "waits\ngot SIGTERM\n"]);
      assert.equal(stderr, "sluice: no destination asked for\n");
    } finally {
      child.kill("SIGKILL");
    }
  });
});

test("a command that is not there, and a port that is taken", async () => {
  await scene(async ([first], folder) => {
    const absent = await runToEnd(sluice, ["--forward", "--", "no-such-program"], folder);
    assert.equal(absent.code, 127);
    assert.match(absent.stderr, /^sluice: no-such-program: /);
    const taken = await runToEnd(sluice, ["--forward", String(first), "--", ...program, "0"], folder);
    assert.equal(taken.code, 3);
    assert.match(
      taken.stderr,
      /^sluice: cannot listen on forward:\/\/127\.0\.0\.1:\d+: .* choose another --forward\n$/,
    );
    assert.equal(taken.stdout, "");
  });
});

test("an open proxy is not started by accident", async () => {
  await scene(async (_ports, folder) => {
    const { code, stderr } = await runToEnd(sluice, ["--forward=*:0"], folder);
    assert.equal(code, 2);
    assert.match(stderr, /^--forward: 0\.0\.0\.0:0 can be reached from other machines, .*--forward-open/);
  });
});
