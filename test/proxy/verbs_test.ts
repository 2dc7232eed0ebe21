/** Verbs and the Sluice that they drive, as processes. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { ending, runToEnd, ScratchFolder, Serving, start } from "../smoke/program.ts";
import { ownProgram, until } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { within } from "../support/watchdog.ts";

const command = ownProgram();
const options = { skip: process.platform === "win32" ? "commands of these tests are Unix's" : false };
const GET = "GET / HTTP/1.1\r\nHost: verbs.test\r\n\r\n";

interface Scene {
  readonly folder: ScratchFolder;
  readonly origin: ScriptedOrigin;
  readonly serving: Serving;
  /** Runs a verb to its end. */
  sluice(...args: string[]): ReturnType<typeof runToEnd>;
  /** Path of the control socket. */
  readonly socket: string;
}

async function scene(args: readonly string[], use: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = new ScratchFolder();
  const origin = await ScriptedOrigin.listen();
  origin.auto(() => ({ body: "hello" }));
  const serving = await Serving.start(command, ["--to", origin.address, ...args], folder);
  try {
    await use({
      folder,
      origin,
      serving,
      sluice: (...words) => runToEnd(command, words, folder.path),
      socket: folder.file(`sluice-${serving.port}.sock`),
    });
  } finally {
    serving.kill();
    await serving.ended;
    await origin.close();
    folder.remove();
  }
}

test(
  "verbs drive a running Sluice, and stop returns when it is gone",
  options,
  () =>
    scene([], async ({ sluice, serving, socket }) => {
      assert.equal(statSync(socket).mode & 0o777, 0o600);
      assert.ok(statSync(socket).isSocket());
      const status = await sluice("status", "--json");
      assert.deepEqual([status.code, status.stderr], [0, ""]);
      const told = JSON.parse(status.stdout);
      assert.deepEqual([told.pid, told.state], [serving.pid, "serving"]);

      assert.equal((await sluice("pause")).code, 0);
      const client = await RawClient.connect(serving.port);
      await client.send(GET);
      await waiting(sluice, 1);
      assert.equal(client.inbox.totalBytes, 0);
      assert.equal((await sluice("resume")).code, 0);
      assert.equal((await client.readResponse()).status, 200);
      client.destroy();

      const wrong = await sluice("pause", "nobody");
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /default/);
      assert.equal((await sluice("wait", "--healthy")).code, 0);

      const stop = await sluice("stop");
      assert.deepEqual([stop.code, stop.stdout, stop.stderr], [0, "stopped\n", ""]);
      // Nobody listens any more, and nothing is left behind.
      await assert.rejects(RawClient.connect(serving.port));
      assert.equal(existsSync(socket), false);
      await serving.untilCleanEnd();
      const none = await sluice("status");
      assert.equal(none.code, 1);
      assert.match(none.stderr, /no running Sluice was found/);
    }),
);

/** Resolves when so many requests wait. */
async function waiting(sluice: Scene["sluice"], count: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { stdout } = await sluice("status", "--json");
    if (JSON.parse(stdout).upstreams[0].waiting === count) return;
  }
  assert.fail(`there are never ${count} requests waiting`);
}

test(
  "what cannot be known without asking: timeouts and unhealthy endpoints",
  options,
  () =>
    scene([], async ({ sluice, origin, serving }) => {
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<void>();
      origin.auto(async () => {
        asked.resolve();
        await answer.promise;
        return { body: "late" };
      });
      const slow = askOnce(serving.port, GET);
      await within(asked.promise, "the request");
      const busy = await sluice("pause", "--wait-idle", "50ms");
      assert.equal(busy.code, 4);
      assert.match(busy.stderr, /still in flight/);
      const unmet = await sluice("with-pause", "--wait-idle", "50ms", "--", "touch", "ran");
      assert.equal(unmet.code, 4);
      assert.equal((await sluice("wait", "--idle", "--timeout", "50ms")).code, 4);
      answer.resolve();
      assert.equal((await slow).text, "late");
      assert.equal((await sluice("wait", "--idle")).code, 0);
      const swap = await sluice("swap", "--to", "127.0.0.1:1", "--timeout", "100ms");
      assert.equal(swap.code, 1);
      assert.match(swap.stderr, /nothing has changed/i);
      assert.equal((await sluice("drain", "nobody:1")).code, 2);
    }),
);

test(
  "with-pause exits as its command does, and requests go on afterwards",
  options,
  () =>
    scene([], async ({ sluice, serving, folder }) => {
      const cases: readonly (readonly [string[], number])[] = [
        [["sh", "-c", "exit 7"], 7],
        [["true"], 0],
        [["sh", "-c", "kill -KILL $$"], 137],
        [["no-such-command-here"], 127],
      ];
      for (const [words, code] of cases) {
        const outcome = await sluice("with-pause", "--wait-idle", "5s", "--", ...words);
        assert.equal(outcome.code, code, words.join(" "));
        assert.equal((await askOnce(serving.port, GET)).status, 200);
      }
      // The command's output is the verb's; its words are its own, even those that look like our flags.
      const said = await sluice(
        "with-pause",
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2; echo $1",
        "x",
        "--json",
      );
      assert.deepEqual([said.stdout, said.stderr], ["out\n--json\n", "err\n"]);
      assert.equal(existsSync(folder.file("ran")), false);
    }),
);

/** Starts with-pause with a command that says that it runs and then waits. */
async function pausing(folder: ScratchFolder, ...flags: string[]) {
  const file = folder.file("running");
  rmSync(file, { force: true });
  const script = "trap 'echo told; kill $!; exit 3' TERM INT HUP\n" +
    `sleep 60 >&- 2>&- & echo $$ > '${file}.new'; mv '${file}.new' '${file}'; wait`;
  const child = start(command, ["with-pause", ...flags, "--", "sh", "-c", script], folder.path);
  const ended = ending(child);
  await until("the command to run", () => existsSync(file));
  return { child, ended, commandPid: Number(readFileSync(file, "latin1")) };
}

test(
  "with-pause told to stop tells its command, resumes, and exits as that does",
  options,
  () =>
    scene([], async ({ folder, serving }) => {
      for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
        const { child, ended } = await pausing(folder);
        const client = await RawClient.connect(serving.port);
        await client.send(GET);
        process.kill(child.pid ?? 0, signal);
        const { code, stdout } = await within(ended, "with-pause to end");
        assert.deepEqual([code, stdout], [3, "told\n"], signal);
        assert.equal((await client.readResponse()).status, 200);
        client.destroy();
      }
    }),
);

test(
  "with-pause killed at once: the lease ends the pause by itself",
  options,
  () =>
    scene([], async ({ folder, serving, sluice }) => {
      const { child, ended, commandPid } = await pausing(folder, "--lease", "500ms");
      const { stdout } = await sluice("status", "--json");
      assert.equal(JSON.parse(stdout).upstreams[0].state, "paused");
      process.kill(child.pid ?? 0, "SIGKILL");
      // Nobody resumes: the answer alone shows that requests go on.
      assert.equal((await askOnce(serving.port, GET)).status, 200);
      const after = await sluice("status", "--json");
      assert.equal(JSON.parse(after.stdout).upstreams[0].state, "up");
      // What it ran lives on, as it would under a shell.
      process.kill(commandPid, "SIGTERM");
      assert.equal((await within(ended, "with-pause to end")).signal, "SIGKILL");
    }),
);

test(
  "with-pause twice at once: requests wait for the end of both, and for nobody's resume",
  options,
  () =>
    scene([], async ({ folder, serving, sluice }) => {
      const { ended, commandPid } = await pausing(folder);
      const client = await RawClient.connect(serving.port);
      await client.send(GET);
      assert.equal((await sluice("with-pause", "--", "true")).code, 0);
      const resume = await sluice("resume");
      assert.match(resume.stdout, /default is still paused by with-pause\n/);
      await waiting(sluice, 1);
      assert.equal(client.inbox.totalBytes, 0);
      process.kill(commandPid, "SIGTERM");
      assert.equal((await within(ended, "with-pause to end")).code, 3);
      assert.equal((await client.readResponse()).status, 200);
      client.destroy();
    }),
);

test(
  "with-pause whose pause is lost, since Sluice was started anew, does not exit with 0",
  options,
  async () => {
    const folder = new ScratchFolder();
    const at = folder.file("control.sock");
    const flags = ["--to", "1", "--control", at];
    const first = await Serving.start(command, flags, folder);
    const go = folder.file("go");
    const script = `until [ -e '${go}' ]; do sleep 0.05; done`;
    const held = start(command, ["with-pause", "--control", at, "--", "sh", "-c", script], folder.path);
    const ended = ending(held);
    const paused = async () => {
      const { stdout } = await runToEnd(command, ["status", "--json", "--control", at], folder.path);
      return JSON.parse(stdout).upstreams[0].state === "paused";
    };
    while (!await paused()) { /* it is about to */ }
    first.kill();
    await first.ended;
    const second = await Serving.start(command, flags, folder);
    writeFileSync(go, "");
    const { code, stderr } = await within(ended, "with-pause to end");
    assert.equal(code, 1);
    assert.match(stderr, /the pause was lost while the command ran/);
    second.kill();
    await second.ended;
    folder.remove();
  },
);

test("a socket left behind is replaced, one that answers is not", options, async () => {
  const folder = new ScratchFolder();
  const at = folder.file("control.sock");
  const first = await Serving.start(command, ["--to", "1", "--control", at], folder);
  try {
    const refused = await runToEnd(
      command,
      ["--to", "1", "--listen", "127.0.0.1:0", "--control", at],
      folder.path,
    );
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /--control: .*control\.sock: another program answers there/);
    assert.equal((await runToEnd(command, ["status", "--control", at], folder.path)).code, 0);
    first.kill();
    await first.ended;
    assert.ok(existsSync(at), "left behind");
    assert.equal((await runToEnd(command, ["status", "--control", at], folder.path)).code, 1);
    const second = await Serving.start(command, ["--to", "1", "--control", at], folder);
    assert.equal((await runToEnd(command, ["status", "--control", at], folder.path)).code, 0);
    await second.stop();
    assert.equal(existsSync(at), false);
    writeFileSync(at, "something of value\n");
    const foreign = await runToEnd(
      command,
      ["--to", "1", "--listen", "127.0.0.1:0", "--control", at],
      folder.path,
    );
    assert.equal(foreign.code, 3);
    assert.match(foreign.stderr, /is there already, and is no control socket/);
    assert.deepEqual(readdirSync(folder.path).filter((name) => name.startsWith(".sluice")), []);
  } finally {
    first.kill();
    folder.remove();
  }
});

test("without a folder for it Sluice serves without a control socket, and says so", options, async () => {
  const folder = new ScratchFolder();
  const origin = await ScriptedOrigin.listen();
  origin.auto(() => ({ body: "hello" }));
  try {
    const off = await Serving.start(command, ["--to", origin.address, "--control", "off"], folder);
    assert.deepEqual(readdirSync(folder.path).filter((name) => name.endsWith(".sock")), []);
    assert.doesNotMatch((await off.stop()).stderr, /control/);
    const missing = folder.file("missing/control.sock");
    const failed = await runToEnd(
      command,
      ["--to", "1", "--listen", "127.0.0.1:0", "--control", missing],
      folder.path,
    );
    assert.equal(failed.code, 3);
    assert.match(failed.stderr, /--control: /);
    // Others could put their own sockets there.
    chmodSync(folder.path, 0o777);
    const uid = process.getuid?.() ?? 0;
    const elsewhere = await Serving.start(command, ["--to", origin.address], folder);
    assert.deepEqual(readdirSync(folder.file(`sluice-${uid}`)), [`sluice-${elsewhere.port}.sock`]);
    await elsewhere.stop();
    rmSync(folder.file(`sluice-${uid}`), { recursive: true });
    writeFileSync(folder.file(`sluice-${uid}`), "in the way\n");
    const without = await Serving.start(command, ["--to", origin.address], folder);
    assert.equal((await askOnce(without.port, GET)).status, 200);
    assert.match((await without.stop()).stderr, /warn control: no control socket.*is not a folder/);
  } finally {
    await origin.close();
    folder.remove();
  }
});
