/** Several workers behind one port, as processes: limits, logs, deaths, and the end of all of them. */

import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { runToEnd, ScratchFolder, Serving } from "../smoke/program.ts";
import { childrenOf, ownProgram, until, untilGone } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { within } from "../support/watchdog.ts";

const command = ownProgram();
/** Deno can only do it on Linux, and neither can the others elsewhere. */
const options = { skip: process.platform === "linux" ? false : "ports are shared evenly on Linux only" };

/** Exchanges of the n-th worker are numbered from n times this. */
const IDS_PER_WORKER = 100_000_000_000;

interface LogLine {
  readonly id: number;
  readonly status: number;
  readonly target: string;
  readonly client_port: number;
}

function get(target: string, fields = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: workers.test\r\n${fields}\r\n`;
}

/** Every line of a JSON log; a line that was mixed with another is none. */
function linesOf(text: string): LogLine[] {
  assert.ok(text === "" || text.endsWith("\n"), "the last line is whole");
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line) as LogLine);
}

function workerOf(line: LogLine): number {
  return Math.floor(line.id / IDS_PER_WORKER);
}

async function scene(
  args: readonly string[],
  origin: ScriptedOrigin,
  act: (sluice: Serving, folder: ScratchFolder) => Promise<void>,
): Promise<void> {
  const folder = new ScratchFolder();
  let sluice: Serving | null = null;
  try {
    sluice = await Serving.start(command, ["--to", origin.address, ...args], folder);
    await act(sluice, folder);
  } finally {
    sluice?.kill();
    await origin.close();
    folder.remove();
  }
}

test(
  "workers: max_in_flight 1 holds over all of them, and log lines on one pipe stay whole",
  options,
  async () => {
    let serving = 0;
    let most = 0;
    const origin = (await ScriptedOrigin.listen()).auto(async ({ target }) => {
      serving++;
      most = Math.max(most, serving);
      await new Promise((resolve) => setTimeout(resolve, 1));
      serving--;
      return { body: target.slice(-10) };
    });
    await scene(
      ["--workers", "3", "--max-in-flight", "1", "--access-log", "json"],
      origin,
      async (sluice) => {
        // Values that are cut in the log and still longer together than a pipe takes at once.
        const long = "\xe9".repeat(1500);
        const clients = Array.from({ length: 20 }, async (_, client) => {
          const connection = await RawClient.connect(sluice.port);
          for (let i = 0; i < 15; i++) {
            const target = `/${"x".repeat(3000)}/${String(client * 100 + i).padStart(9, "0")}`;
            const answer = await connection.ask(get(target, `Referer: ${long}\r\nUser-Agent: ${long}\r\n`));
            assert.equal(answer.status, 200);
            assert.equal(answer.text, target.slice(-10));
          }
          connection.destroy();
        });
        await Promise.all(clients);
        assert.equal(most, 1, "one request at a time");
        const workers = childrenOf(sluice.pid);
        assert.equal(workers.length, 3);
        const { stdout, stderr } = await sluice.stop();
        assert.match(stderr, /stopping, \d+ client connections open/);
        const lines = linesOf(stdout);
        assert.equal(lines.length, 300, "one line for each request");
        assert.ok(lines.every(({ status }) => status === 200));
        assert.equal(new Set(lines.map(({ id }) => id)).size, 300, "numbers are used once");
        assert.ok(new Set(lines.map(workerOf)).size > 1, "more than one worker had something to do");
        for (const { pid } of workers) await untilGone(pid);
        assert.deepEqual(origin.autoErrors, []);
      },
    );
  },
);

test("workers: one that is killed takes its own connections with it, and is replaced", options, async () => {
  const origin = (await ScriptedOrigin.listen()).auto(({ target }) => target);
  const log = "access.log";
  const args = ["--workers", "2", "--access-log", "json", "--access-log-to", log];
  await scene(args, origin, async (sluice, folder) => {
    const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.connect(sluice.port)));
    const ports = clients.map(({ localPort }) => localPort);
    for (const client of clients) assert.equal((await client.ask(get("/first"))).status, 200);
    const logged = () => linesOf(readFileSync(folder.file(log), "latin1"));
    await until(
      "40 lines in the log",
      () => readFileSync(folder.file(log), "latin1").split("\n").length > 40,
    );
    const home = new Map(logged().map((line) => [line.client_port, workerOf(line)]));
    const ofFirst = ports.filter((port) => home.get(port) === 0).length;
    assert.ok(ofFirst >= 5 && ofFirst <= 35, `${ofFirst} of 40 connections to the first worker`);

    const workers = childrenOf(sluice.pid);
    const [victim] = workers.filter(({ args }) => args.includes("1/2"));
    assert.ok(victim !== undefined, JSON.stringify(workers));
    process.kill(victim.pid, "SIGKILL");
    for (const client of clients) {
      if (home.get(client.localPort) === 0) await assert.rejects(client.ask(get("/second")));
      else assert.equal((await client.ask(get("/second"))).status, 200, "the other worker serves on");
    }
    // Nobody is turned away meanwhile.
    for (let i = 0; i < 20; i++) assert.equal((await askOnce(sluice.port, get("/new"))).status, 200);
    await sluice.said(/worker 1 ended: signal SIGKILL/);
    await sluice.said(/worker 1 serves again/);
    assert.equal(childrenOf(sluice.pid).length, 2);

    // Logs are opened anew by all.
    renameSync(folder.file(log), folder.file("old.log"));
    sluice.signal("SIGUSR1");
    await until("a new log file", () => {
      try {
        return readFileSync(folder.file(log)).length >= 0;
      } catch {
        return false;
      }
    });

    // A second Sluice does not get a share of the port without a word.
    const second = await runToEnd(
      command,
      ["--to", origin.address, "--listen", `127.0.0.1:${sluice.port}`, "--workers", "2"],
      folder.path,
    );
    assert.equal(second.code, 3, second.stderr);
    assert.match(second.stderr, /address_in_use/);

    // Without their parent the workers end, once nobody needs them any more.
    const orphans = childrenOf(sluice.pid);
    for (const client of clients) client.destroy();
    sluice.signal("SIGKILL");
    for (const { pid } of orphans) await untilGone(pid);
  });
});

test("workers: a second signal drops what all of them have, and the exit code tells", options, async () => {
  const origin = await ScriptedOrigin.listen();
  await scene(["--workers", "2"], origin, async (sluice) => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => RawClient.connect(sluice.port)));
    for (const client of clients) await client.send(get("/never"));
    for (const _ of clients) await (await origin.accept()).readRequest();
    sluice.terminate();
    await sluice.said(/stopping, 12 client connections open/);
    sluice.terminate();
    const { code, stderr } = await within(sluice.ended, "sluice to stop");
    assert.equal(code, 1, stderr);
    assert.match(stderr, /SIGTERM while stopping: 12 requests dropped/);
    for (const client of clients) client.destroy();
  });
});

test("workers: what waits to be accepted by one that dies or ends is served by the next", {
  skip: options.skip || ("Deno" in globalThis && "sockets cannot be given to other processes"),
}, async () => {
  const origin = (await ScriptedOrigin.listen()).auto(({ target }) => target);
  await scene(["--workers", "2"], origin, async (sluice) => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const [victim] = childrenOf(sluice.pid).filter(({ args }) => args.includes("2/2"));
      assert.ok(victim !== undefined);
      process.kill(victim.pid, "SIGSTOP");
      const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.connect(sluice.port)));
      const answers = clients.map((client) => client.ask(get("/waits")));
      process.kill(victim.pid, signal);
      // One that is stopped takes no signal but SIGKILL before it goes on, and after that it may be gone.
      if (signal !== "SIGKILL") process.kill(victim.pid, "SIGCONT");
      for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
      for (const client of clients) client.destroy();
      await untilGone(victim.pid);
      await until("another worker", () => childrenOf(sluice.pid).length === 2);
    }
    await sluice.stop();
  });
});

test("workers: what keeps them from starting is said once, with the exit code", options, async () => {
  const folder = new ScratchFolder();
  const run = (...args: string[]) => runToEnd(command, ["--to", "1", "--workers", "2", ...args], folder.path);
  try {
    writeFileSync(folder.file("key.pem"), "");
    const tls = ["--listen", "https://127.0.0.1:0", "--tls-key", "key.pem", "--tls-cert", "none.pem"];
    const [unreadable, socket] = await Promise.all([run(...tls), run("--listen", "unix:/tmp/never")]);
    assert.equal(unreadable.code, 2, unreadable.stderr);
    assert.match(
      unreadable.stderr,
      /^--tls-cert: cannot be read: [^\n]*none\.pem[^\n]*\n--tls-key: has no private key in PEM format\n$/,
    );
    assert.equal(socket.code, 2, socket.stderr);
    assert.match(socket.stderr, /workers: more than one cannot share a Unix socket/);
  } finally {
    folder.remove();
  }
});
