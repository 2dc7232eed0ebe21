/**
 * Tries a finished Sluice the way its users will: as a process, over sockets.
 *
 *     bun test/smoke/smoke.ts dist/sluice
 *     bun test/smoke/smoke.ts --brief dist/sluice
 *     bun test/smoke/smoke.ts node runtime/main_node.ts
 *
 * Prints `ok name (time)` or `FAIL name: why` for every check and exits 1 when one failed. Needs no test runner.
 */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { childrenOf, until, untilGone } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { turn, within } from "../support/watchdog.ts";
import { decides, faultsBeforeAPort, neverEnds } from "./script_checks.ts";
import { type Command, runToEnd, ScratchFolder, Serving } from "./program.ts";

interface Check {
  readonly name: string;
  /** Part of the short trial at the end of a build. */
  readonly brief: boolean;
  /** For executables only: a runtime started by hand does look around in its folder. */
  readonly executableOnly?: boolean;
  run(command: Command, folder: ScratchFolder): Promise<void>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

/** Runs `use` with Sluice in front of `origin`, then stops both; Sluice has to end cleanly. */
async function serving(
  command: Command,
  folder: ScratchFolder,
  args: readonly string[],
  use: (sluice: Serving) => Promise<void>,
): Promise<void> {
  const sluice = await Serving.start(command, args, folder);
  try {
    await use(sluice);
    await sluice.stop();
  } finally {
    sluice.kill();
  }
}

async function withOrigin(use: (origin: ScriptedOrigin) => Promise<void>): Promise<void> {
  const origin = await ScriptedOrigin.listen();
  try {
    await use(origin);
    assert.deepEqual(origin.autoErrors, []);
  } finally {
    await origin.close();
  }
}

/** And not a runtime with an entry file, which knows no version. */
function isExecutable(command: Command): boolean {
  return command.length === 1;
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: smoke.test\r\n\r\n`;
}

const checks: Check[] = [
  {
    name: "version",
    brief: true,
    async run(command, folder) {
      for (const word of ["version", "--version"]) {
        const { code, stdout } = await runToEnd(command, [word], folder.path);
        assert.equal(code, 0, word);
        const expected = isExecutable(command) ? version : "dev";
        assert.ok(stdout.includes(expected), `${word} says ${stdout}`);
      }
    },
  },
  {
    name: "help",
    brief: false,
    async run(command, folder) {
      const { code, stdout } = await runToEnd(command, ["--help"], folder.path);
      assert.equal(code, 0);
      for (const flag of ["--to", "--listen", "--hold"]) {
        assert.ok(stdout.includes(flag), `no ${flag} in the help`);
      }
    },
  },
  {
    name: "a bad flag ends with code 2 before a port is opened",
    brief: false,
    async run(command, folder) {
      const portFile = folder.file("never");
      const args = [
        "--to",
        "127.0.0.1:1",
        "--listen",
        "127.0.0.1:0",
        "--port-file",
        portFile,
        "--hodl",
        "1s",
      ];
      const { code, stderr } = await runToEnd(command, args, folder.path);
      assert.equal(code, 2);
      assert.match(stderr, /hodl/);
      assert.equal(existsSync(portFile), false);
    },
  },
  {
    name: "check accepts a good configuration",
    brief: true,
    async run(command, folder) {
      const file = folder.file("good.yaml");
      writeFileSync(
        file,
        'listen: "127.0.0.1:0"\nupstreams:\n  app:\n    endpoints: ["127.0.0.1:3000"]\nroutes:\n  - to: app\n',
      );
      const { code, stderr } = await runToEnd(command, ["check", "--config", file], folder.path);
      assert.equal(code, 0, stderr);
    },
  },
  {
    name: "check lists all problems of a bad one and ends with code 2",
    brief: false,
    async run(command, folder) {
      const file = folder.file("bad.yaml");
      writeFileSync(file, 'lisen: ":0"\nhold: soon\nupstreams:\n  app:\n    endpoints: ["127.0.0.1:3000"]\n');
      const { code, stdout, stderr } = await runToEnd(command, ["check", "--config", file], folder.path);
      assert.equal(code, 2);
      for (const word of [/lisen/, /hold/]) assert.match(stdout + stderr, word);
    },
  },
  { name: "a script decides, and a reload sees its files", brief: true, run: decides },
  { name: "a fault of a script has its place, and ends with code 2", brief: false, run: faultsBeforeAPort },
  {
    name: "a script that never ends is ended, and others are served",
    brief: false,
    run: (command, folder) => neverEnds(command, folder, isExecutable(command) || command[0].endsWith("bun")),
  },
  {
    name: "the folder it is started in changes nothing",
    brief: true,
    executableOnly: true,
    async run(command, folder) {
      const hostile = folder.file("hostile");
      mkdirSync(hostile);
      writeFileSync(join(hostile, ".env"), "SLUICE_LISTEN=nonsense\nSLUICE_HOLD=nonsense\n");
      writeFileSync(join(hostile, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
      writeFileSync(join(hostile, "preload.ts"), 'console.log("preloaded");\n');
      writeFileSync(join(hostile, "tsconfig.json"), "{ nonsense");
      writeFileSync(join(hostile, "package.json"), "{ nonsense");
      writeFileSync(join(hostile, "good.yaml"), 'routes:\n  - respond: {body: "x"}\n');
      const { code, stdout, stderr } = await runToEnd(command, ["check", "--config", "good.yaml"], hostile);
      assert.equal(code, 0, stderr);
      assert.ok(!stdout.includes("preloaded"));
    },
  },
  {
    name: "a GET and a POST pass through",
    brief: true,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        origin.auto((request) => ({
          fields: [["X-Origin", "yes"]],
          body: `${request.target} ${request.text}`,
        }));
        await serving(command, folder, ["--to", origin.address], async (sluice) => {
          const client = await RawClient.connect(sluice.port);
          const got = await client.ask(get("/a?b=c"));
          assert.equal(got.status, 200);
          assert.equal(got.field("x-origin"), "yes");
          assert.equal(got.text, "/a?b=c ");
          const body = "0123456789".repeat(1000);
          const posted = await client.ask(
            `POST /p HTTP/1.1\r\nHost: smoke.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          );
          assert.equal(posted.text, `/p ${body}`);
          client.destroy();
        });
      }),
  },
  {
    name: "verbs: a command while requests wait, an explanation, a stop that returns when it is gone",
    brief: false,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        origin.auto(() => ({ body: "hello" }));
        const sluice = await Serving.start(command, ["--to", origin.address], folder);
        try {
          const verb = (...args: string[]) => runToEnd(command, args, folder.path);
          const status = await verb("status", "--json");
          assert.deepEqual([status.code, status.stderr], [0, ""]);
          assert.equal(JSON.parse(status.stdout).pid, sluice.pid);
          const shell = process.platform === "win32"
            ? ["cmd", "/c", "echo ran& exit 7"]
            : ["sh", "-c", "echo ran; exit 7"];
          const paused = await verb("with-pause", "--wait-idle", "5s", "--", ...shell);
          assert.deepEqual([paused.code, paused.stdout.trim()], [7, "ran"]);
          assert.equal((await askOnce(sluice.port, get("/"))).text, "hello");
          const explained = await verb("explain", "--url", "/x", "--json");
          assert.equal(JSON.parse(explained.stdout).forwarded.request_line, "GET /x HTTP/1.1");
          assert.equal((await verb("completions", "bash")).code, 0);
          const stopped = await verb("stop");
          assert.deepEqual([stopped.code, stopped.stdout], [0, "stopped\n"]);
          await sluice.untilCleanEnd();
          assert.equal((await verb("status")).code, 1);
        } finally {
          sluice.kill();
        }
      }),
  },
  {
    name: "a malformed request is answered 400",
    brief: false,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        await serving(command, folder, ["--to", origin.address], async (sluice) => {
          const answer = await askOnce(sluice.port, "GET / HTTP/1.1\r\nHost: a\r\nBad Field: x\r\n\r\n");
          assert.equal(answer.status, 400);
          assert.equal(origin.connections, 0);
        });
      }),
  },
  {
    name: "nobody there: held requests wait, with --hold 0s they are told at once",
    brief: false,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        await origin.stopListening();
        await serving(command, folder, ["--to", origin.address, "--hold", "0s"], async (sluice) => {
          const answer = await askOnce(sluice.port, get("/"));
          assert.ok([502, 503].includes(answer.status), `status ${answer.status}`);
        });
        await serving(command, folder, ["--to", origin.address], async (sluice) => {
          const asking = askOnce(sluice.port, get("/held"));
          await origin.auto(() => "held and served").listenAgain();
          assert.equal((await asking).text, "held and served");
        });
      }),
  },
  {
    name: "a backend that goes away after every request loses none",
    brief: false,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        awayAfterEachRequest(origin, 50);
        await serving(command, folder, ["--to", origin.address], async (sluice) => {
          const began = performance.now();
          const answers = await Promise.all(Array.from({ length: 10 }, async (_, index) => {
            const answer = await askOnce(sluice.port, get(`/${index}`));
            return `${answer.status} ${answer.text}`;
          }));
          assert.deepEqual(answers, Array.from({ length: 10 }, (_, index) => `200 served /${index}`));
          const ms = performance.now() - began;
          assert.ok(ms < 5000, `took ${Math.round(ms)} ms`);
        });
        await origin.stopListening();
      }),
  },
  {
    name: "SIGTERM lets a request in flight complete",
    brief: true,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        const sluice = await Serving.start(command, ["--to", origin.address], folder);
        try {
          const asking = askOnce(sluice.port, get("/slow"));
          const peer = await origin.accept();
          await peer.readRequest();
          sluice.terminate();
          await untilRefused(sluice.port);
          await peer.respond({ body: "to the end" });
          const answer = await asking;
          assert.equal(answer.text, "to the end");
          assert.equal(answer.field("connection"), "close");
          await sluice.untilCleanEnd();
        } finally {
          sluice.kill();
        }
      }),
  },
  {
    name: "a second SIGTERM ends it at once",
    brief: false,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        const sluice = await Serving.start(command, ["--to", origin.address], folder);
        try {
          const asking = askOnce(sluice.port, get("/never"));
          asking.catch(() => {});
          await (await origin.accept()).readRequest();
          sluice.terminate();
          await untilRefused(sluice.port);
          sluice.terminate();
          await assert.rejects(asking, "the request is given up");
          const { code, stderr } = await within(sluice.ended, "sluice to stop");
          assert.equal(code, 1, stderr);
          assert.match(stderr, /SIGTERM while stopping: 1 request dropped/);
        } finally {
          sluice.kill();
        }
      }),
  },
  {
    name: "the access log goes on in a new file after SIGUSR1",
    brief: false,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        if (process.platform === "win32") return;
        origin.auto((request) => request.target);
        const [log, old] = [folder.file("access.log"), folder.file("access.log.1")];
        const args = ["--to", origin.address, "--access-log", "json", "--access-log-to", log];
        let asked = 0;
        await serving(command, folder, args, async (sluice) => {
          const ask = () => askOnce(sluice.port, get(`/${asked++}`));
          await ask();
          renameSync(log, old);
          sluice.signal("SIGUSR1");
          const written = () => existsSync(log) && readFileSync(log, "utf8").includes("\n");
          for (const deadline = performance.now() + 10_000; !written() && performance.now() < deadline;) {
            await ask();
            await turn();
          }
        });
        const lines = (readFileSync(old, "utf8") + readFileSync(log, "utf8")).trimEnd().split("\n");
        const targets = lines.map((line) => (JSON.parse(line) as { target: string }).target);
        assert.deepEqual(targets, Array.from({ length: asked }, (_, index) => `/${index}`));
      }),
  },
  {
    name: "what only the start has used is given back, by every process",
    brief: false,
    executableOnly: true,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        if (process.platform !== "linux") return;
        origin.auto(() => "served");
        const args = ["--to", origin.address, "--workers", "2"];
        await serving(command, folder, args, async (sluice) => {
          const pids = [sluice.pid, ...childrenOf(sluice.pid).map(({ pid }) => pid)];
          assert.equal(pids.length, 3);
          for (const pid of pids) {
            await until(`process ${pid} to give back memory`, () => residentKib(pid) < 40 * 1024);
          }
          assert.equal((await askOnce(sluice.port, get("/"))).text, "served");
        });
      }),
  },
  {
    name: "two workers: killing one under load costs its connections only, SIGTERM ends all",
    brief: false,
    run: (command, folder) =>
      withOrigin(async (origin) => {
        origin.auto(() => "served");
        const args = ["--to", origin.address, "--workers", "2"];
        if (process.platform !== "linux") {
          const { code, stderr } = await runToEnd(command, args, folder.path);
          assert.equal(code, 2, stderr);
          return;
        }
        const sluice = await Serving.start(command, args, folder);
        try {
          let load = true;
          const asking = Promise.all(Array.from({ length: 16 }, () => askOn(sluice.port, () => load)));
          const workers = childrenOf(sluice.pid);
          assert.equal(workers.length, 2);
          process.kill(workers[0]?.pid ?? 0, "SIGKILL");
          await sluice.said(/serves again/);
          load = false;
          const asked = await asking;
          const failures = asked.map((client) => client.failures);
          assert.ok(failures.every((count) => count <= 1), `failures: ${failures}`);
          assert.ok(failures.includes(0), "the other worker's clients noticed nothing");
          const successors = childrenOf(sluice.pid);
          assert.equal(successors.length, 2);
          await sluice.stop();
          for (const { pid } of successors) await untilGone(pid);
        } finally {
          sluice.kill();
        }
      }),
  },
];

function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}

/** What a client that asks again and again has seen. */
interface Asked {
  answers: number;
  failures: number;
}

/** Asks on one connection until told to stop, and on a new one when it breaks. */
async function askOn(port: number, goOn: () => boolean): Promise<Asked> {
  const asked = { answers: 0, failures: 0 };
  let client = await connectAnyhow(port);
  while (goOn()) {
    try {
      assert.equal((await client.ask(get("/"))).status, 200);
      asked.answers++;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      asked.failures++;
      client.destroy();
      client = await connectAnyhow(port);
    }
  }
  client.destroy();
  return asked;
}

/** Connects. What the kernel had accepted for a worker that is killed is reset with it: then once more. */
async function connectAnyhow(port: number, triesLeft = 20): Promise<RawClient> {
  try {
    return await RawClient.connect(port);
  } catch (error) {
    if (triesLeft === 0) throw error;
    return await connectAnyhow(port, triesLeft - 1);
  }
}

/** Serves one connection, not listening meanwhile, and listens again `awayMs` after its end. */
function awayAfterEachRequest(origin: ScriptedOrigin, awayMs: number): void {
  origin.auto(async (request, peer) => {
    // What the kernel had accepted beside the first one goes down with the listening socket.
    if (!origin.listening) {
      peer.reset();
      return null;
    }
    await origin.stopListening();
    setTimeout(() => void origin.listenAgain(), awayMs);
    return { body: `served ${request.target}`, close: true };
  });
}

/** Waits until nobody listens on the port any more. */
async function untilRefused(port: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    try {
      (await RawClient.connect(port)).destroy();
    } catch {
      return;
    }
    await turn();
  }
  throw new Error(`port ${port} is still open`);
}

async function main(args: string[]): Promise<number> {
  const brief = args[0] === "--brief";
  const [program, ...first] = brief ? args.slice(1) : args;
  if (program === undefined) {
    console.error("usage: smoke.ts [--brief] PROGRAM [ARGUMENT...]");
    return 2;
  }
  // Checks run in folders of their own, so what names a file of this one is made absolute.
  const absolute = (word: string): string => existsSync(word) ? resolve(word) : word;
  const command: Command = [absolute(program), ...first.map(absolute)];
  let failed = 0;
  for (const check of checks) {
    if ((brief && !check.brief) || (check.executableOnly === true && !isExecutable(command))) continue;
    const folder = new ScratchFolder();
    const began = performance.now();
    try {
      await check.run(command, folder);
      console.log(`ok ${check.name} (${Math.round(performance.now() - began)} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${check.name}: ${error instanceof Error ? error.stack : error}`);
    } finally {
      folder.remove();
    }
  }
  return failed === 0 ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
