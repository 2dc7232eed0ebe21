/** `--sockets` as a program: `epoll` where it cannot be had and with several workers, `auto` everywhere. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Command, runToEnd, ScratchFolder, Serving } from "../smoke/program.ts";
import type { Status } from "../../src/process/worker/status.ts";
import { hasEpoll } from "../support/epoll.ts";
import { childrenOf, ownProgram, untilGone } from "../support/processes.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

const command = ownProgram();

test(
  "epoll: refused with exit code 2 where the runtime cannot do it",
  { skip: hasEpoll ? "capability: epoll" : false },
  async () => {
    const folder = new ScratchFolder();
    try {
      const args = ["--listen", "127.0.0.1:0", "--to", "9", "--sockets", "epoll"];
      const { code, stdout, stderr } = await runToEnd(command, args, folder.path);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.match(
        stderr,
        /--sockets epoll: needs the executable \(or Bun\) on Linux, this is (node|deno|bun) on /,
      );
    } finally {
      folder.remove();
    }
  },
);

for (const workers of hasEpoll ? ["1", "2"] : ["1"]) {
  test(`auto: epoll where it can be had, and a reason elsewhere, with --workers ${workers}`, async () => {
    const origin = (await ScriptedOrigin.listen()).auto(({ target }) => target);
    const folder = new ScratchFolder();
    let sluice: Serving | null = null;
    try {
      const args = [
        "--to",
        origin.address,
        "--workers",
        workers,
        "--sockets",
        "auto",
        "--log-level",
        "debug",
      ];
      sluice = await Serving.start(command, args, folder);
      assert.equal((await askOnce(sluice.port, "GET /x HTTP/1.1\r\nHost: epoll.test\r\n\r\n")).text, "/x");
      const status = await runToEnd(command, ["status", "--json"], folder.path);
      const told = JSON.parse(status.stdout) as Status;
      assert.equal(told.workers.length, Number(workers));
      for (const { sockets } of told.workers) {
        assert.equal(sockets?.kind, hasEpoll ? "epoll" : "native");
        assert.match(sockets.reason, hasEpoll ? /^$/ : /^needs the executable \(or Bun\) on Linux/);
      }
      const text = (await runToEnd(command, ["status"], folder.path)).stdout;
      assert.match(
        text,
        hasEpoll ? /^sockets: epoll$/m : /^sockets: native, since epoll cannot be had: needs the/m,
      );
      const { stderr } = await sluice.stop();
      const lines = stderr.match(/ sockets: (?:epoll|native).*$/gm) ?? [];
      assert.equal(lines.length, workers === "1" ? 1 : 3, stderr);
    } finally {
      sluice?.kill();
      await origin.close();
      folder.remove();
    }
  });
}

/** Sluice in which the kernel refuses these system calls. */
function without(calls: string): Command {
  const script = fileURLToPath(new URL("../support/forbidden_calls.ts", import.meta.url));
  return [process.execPath, script, calls, ...command];
}

for (const workers of ["1", "2"]) {
  test(
    `auto: native where a filter forbids epoll_wait, with --workers ${workers}`,
    { skip: hasEpoll ? false : "capability: epoll" },
    async () => {
      const origin = (await ScriptedOrigin.listen()).auto(({ target }) => target);
      const folder = new ScratchFolder();
      let sluice: Serving | null = null;
      try {
        const args = ["--to", origin.address, "--workers", workers, "--sockets", "auto"];
        sluice = await Serving.start(without("epoll_wait"), args, folder);
        assert.equal((await askOnce(sluice.port, "GET /x HTTP/1.1\r\nHost: epoll.test\r\n\r\n")).text, "/x");
        const status = await runToEnd(command, ["status"], folder.path);
        assert.match(status.stdout, /^sockets: native, since epoll cannot be had: epoll_wait: EPERM$/m);
        await sluice.stop();
      } finally {
        sluice?.kill();
        await origin.close();
        folder.remove();
      }
    },
  );
}

// Bun itself does not start without epoll_create1, does not listen without epoll_ctl, and does not speak without sendto.
for (const call of ["accept4", "recvfrom"]) {
  test(
    `epoll: refused with a reason, and no crash, where a filter forbids ${call}; auto is native`,
    { skip: hasEpoll ? false : "capability: epoll" },
    async () => {
      const folder = new ScratchFolder();
      let sluice: Serving | null = null;
      try {
        const args = ["--listen", "127.0.0.1:0", "--to", "9", "--sockets", "epoll"];
        const { code, stderr } = await runToEnd(without(call), args, folder.path);
        assert.equal(code, 2, stderr);
        assert.match(stderr, /^sluice: --sockets epoll: [a-z0-9_ ]+[^:]*: EPERM$/m);
        // Native sockets need most of these calls as well: they are not asked to serve.
        const auto = ["--to", "9", "--sockets", "auto", "--log-level", "debug", "--control", "off"];
        sluice = await Serving.start(without(call), auto, folder);
        await sluice.said(/ sockets: native, since epoll cannot be had: .*: EPERM$/m);
        await sluice.stop();
      } finally {
        sluice?.kill();
        folder.remove();
      }
    },
  );
}

test(
  "epoll: two workers share a port, and end when told to",
  { skip: hasEpoll ? false : "capability: epoll" },
  async () => {
    const origin = (await ScriptedOrigin.listen()).auto(({ target }) => target);
    const folder = new ScratchFolder();
    let sluice: Serving | null = null;
    try {
      const args = ["--to", origin.address, "--workers", "2", "--sockets", "epoll"];
      sluice = await Serving.start(command, args, folder);
      const workers = childrenOf(sluice.pid);
      assert.equal(workers.length, 2);
      for (let count = 0; count < 20; count++) {
        const answer = await askOnce(sluice.port, `GET /${count} HTTP/1.1\r\nHost: epoll.test\r\n\r\n`);
        assert.equal(answer.status, 200);
        assert.equal(answer.text, `/${count}`);
      }
      const { code } = await sluice.stop();
      assert.equal(code, 0);
      for (const { pid } of workers) await untilGone(pid);
    } finally {
      sluice?.kill();
      await origin.close();
      folder.remove();
    }
  },
);
