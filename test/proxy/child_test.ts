/** Sluice as the parent of a command, both as real processes. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runToEnd, ScratchFolder, Serving } from "../smoke/program.ts";
import { freePort } from "../support/free_port.ts";
import { childrenOf, ownProgram, until, untilGone } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { within } from "../support/watchdog.ts";

const command = ownProgram();
const options = { skip: process.platform === "linux" ? false : "processes are looked for in /proc" };
const script = fileURLToPath(new URL("../support/child_program.ts", import.meta.url));
const backend = [
  process.execPath,
  ...("Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : []),
  script,
];
const GET = "GET / HTTP/1.1\r\nHost: child.test\r\n\r\n";

class Scene {
  readonly folder: ScratchFolder;
  readonly sluice: Serving;

  constructor(folder: ScratchFolder, sluice: Serving) {
    this.folder = folder;
    this.sluice = sluice;
  }

  /** The body of the answer to a GET: the process id of who answered. */
  async get(target = "/", port = this.sluice.port): Promise<number> {
    const answer = await askOnce(
      port,
      `GET ${target} HTTP/1.1\r\nHost: child.test\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(answer.status, 200, answer.text);
    return Number(answer.text);
  }

  /** Process ids of the backends that Sluice runs, the means included by which they end with it. */
  get backends(): number[] {
    return childrenOf(this.sluice.pid).filter(({ args }) => args.includes(script)).map(({ pid }) => pid);
  }

  verb(...words: string[]): ReturnType<typeof runToEnd> {
    return runToEnd(command, words, this.folder.path);
  }

  async child(): Promise<{ state: string; pid: number | null; restarts: number; last_exit: string }> {
    const { stdout } = await this.verb("status", "--json");
    return JSON.parse(stdout).upstreams[0].child;
  }
}

async function scene(
  args: readonly string[],
  words: readonly string[],
  act: (scene: Scene) => Promise<void>,
  folder: ScratchFolder = new ScratchFolder(),
): Promise<void> {
  let sluice: Serving | null = null;
  try {
    const rest = words.length === 0 ? [] : ["--", ...words];
    sluice = await Serving.start(command, [...args, ...rest], folder);
    await act(new Scene(folder, sluice));
  } finally {
    const left = sluice === null ? [] : childrenOf(sluice.pid);
    sluice?.kill();
    await sluice?.ended;
    // With Sluice its commands end, whatever has become of it.
    for (const { pid } of left) await untilGone(pid);
    folder.remove();
  }
}

test(
  "child: the first request waits for it, one that ends is started again, its output has its name",
  options,
  () =>
    scene(["--to", "auto"], [...backend, "{port}"], async (scene) => {
      const { sluice } = scene;
      const first = await scene.get();
      assert.equal(await scene.get("/exit/3"), first);
      const second = await scene.get();
      assert.notEqual(second, first);
      const { state, pid, restarts, last_exit: last } = await scene.child();
      assert.deepEqual({ state, pid, restarts, last }, {
        state: "running",
        pid: second,
        restarts: 1,
        last: "exit code 3",
      });
      const { stderr, stdout } = await sluice.stop();
      assert.doesNotMatch(stdout, /listening|told/);
      assert.match(stderr, new RegExp(`^default \\| listening as ${first}$`, "m"));
      assert.match(stderr, /command ended: exit code 3; it is started again in/);
      assert.match(stderr, /^default \| told to end$/m);
      await untilGone(second);
    }),
);

test("child: it is told to end after the last request has ended", options, async () => {
  const port = await freePort();
  await scene(["--to", String(port), "--workers", "2"], [...backend, String(port)], async (scene) => {
    const { sluice } = scene;
    const slow = scene.get("/slow");
    await sluice.said(/\| slow$/m);
    sluice.terminate();
    await sluice.said(/stopping/);
    // Sluice itself takes no request any more.
    const pid = await scene.get("/go", port);
    assert.equal(await slow, pid);
    const { stderr } = await sluice.untilCleanEnd();
    assert.ok(stderr.indexOf("stopping") < stderr.indexOf("told to end"), stderr);
    await untilGone(pid);
  });
});

test(
  "child: restart loses no request, and each one under way ends with who began it",
  options,
  () =>
    scene(["--to", "auto", "--workers", "2"], backend, async (scene) => {
      const pids = [await scene.get()];
      let over = false;
      const asking = Array.from({ length: 6 }, async () => {
        const client = await RawClient.connect(scene.sluice.port);
        let answered = 0;
        while (!over) {
          const answer = await client.ask(GET);
          assert.equal(answer.status, 200, answer.text);
          answered++;
        }
        client.destroy();
        return answered;
      });
      for (let times = 0; times < 2; times++) {
        const restarted = await scene.verb("restart");
        assert.equal(restarted.code, 0, restarted.stderr);
        pids.push(await scene.get());
      }
      over = true;
      for (const answered of await within(Promise.all(asking), "clients to end")) assert.ok(answered > 0);
      assert.equal(new Set(pids).size, 3);
      assert.deepEqual(scene.backends.length, 1);
      const nobody = await scene.verb("restart", "nobody");
      assert.equal(nobody.code, 2);
      await scene.sluice.stop();
    }),
);

test(
  "child: what cannot be handed over is refused",
  options,
  () =>
    scene(["--to", "auto"], backend, async (scene) => {
      const pid = await scene.get();
      const upgraded = await scene.verb("upgrade");
      assert.equal(upgraded.code, 1);
      assert.match(upgraded.stderr, /command that Sluice runs cannot be handed over/);
      const swapped = await scene.verb("swap", "--to", "3001");
      assert.equal(swapped.code, 1);
      assert.match(swapped.stderr, /restart it instead/);
      assert.equal(await scene.get(), pid);
      await scene.sluice.stop();
    }),
);

test(
  "child: without a command there is nothing to restart",
  options,
  () =>
    scene(["--to", "9"], [], async (scene) => {
      const { code, stderr } = await scene.verb("restart");
      assert.equal(code, 1);
      assert.match(stderr, /No upstream has a command/);
      await scene.sluice.stop();
    }),
);

test(
  "child: exit_with_child ends with its exit code",
  options,
  () =>
    scene(["--to", "auto", "--exit-with-child"], backend, async (scene) => {
      const pid = await scene.get("/exit/7");
      const { code, stderr } = await within(scene.sluice.ended, "Sluice to end");
      assert.equal(code, 7, stderr);
      assert.match(stderr, /the command of default ended: exit code 7: stopping/);
      await untilGone(pid);
    }),
);

test(
  "child: one that keeps ending is given up, and status says why",
  options,
  () =>
    scene(["--to", "auto", "--child-max-failures", "2"], ["sh", "-c", "exit 5"], async (scene) => {
      await scene.sluice.said(
        /command given up: ended 2 times in a row within 10 s of its start: exit code 5/,
      );
      const { state, last_exit: last } = await scene.child();
      assert.deepEqual([state, last], ["given_up", "exit code 5"]);
      const { code, stderr } = await scene.verb("restart");
      assert.equal(code, 1);
      assert.match(stderr, /ended at its start: exit code 5/);
      await scene.sluice.stop();
    }),
);

test("child: a stranger at its port is named, and is not taken for the command", options, async () => {
  const stranger = createServer((socket) => socket.on("error", () => {}).end());
  const port = await new Promise<number>((resolve) => {
    stranger.listen(0, "127.0.0.1", () => resolve((stranger.address() as AddressInfo).port));
  });
  await scene(["--to", String(port)], [...backend, String(port)], async (scene) => {
    const taken = `not started: 127\\.0\\.0\\.1:${port} is taken by process ${process.pid} \\(.+\\)`;
    await scene.sluice.said(new RegExp(`default: command ${taken}; it is started again in`));
    assert.deepEqual(scene.backends, []);
    const { code, stderr } = await scene.verb("restart");
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`The command of default was ${taken}`));
    assert.match((await scene.child()).last_exit, new RegExp(taken));
    await new Promise((resolve) => stranger.close(resolve));
    await scene.sluice.said(/\| listening as/);
    assert.ok(await scene.get() > 0);
    await scene.sluice.stop();
  });
});

test(
  "child: a program that is not there is said by name",
  options,
  () =>
    scene(["--to", "auto", "--child-max-failures", "1"], ["there-is-no-such-program"], async (scene) => {
      await scene.sluice.said(/command given up: .*there-is-no-such-program/);
      await scene.sluice.stop();
    }),
);

test(
  "child: signals are passed on where that is asked for, and a stubborn one is killed",
  options,
  () =>
    scene(
      ["--to", "auto", "--child-forward", "HUP", "--child-stop-timeout", "300ms"],
      [...backend, "{port}", "stubborn"],
      async (scene) => {
        const pid = await scene.get();
        process.kill(scene.sluice.pid, "SIGHUP");
        await scene.sluice.said(/\| hung up$/m);
        assert.equal(await scene.get(), pid);
        const { stderr } = await scene.sluice.stop();
        assert.match(stderr, /\| told to end$/m);
        await untilGone(pid);
      },
    ),
);

test(
  "child: SIGKILL of Sluice ends its command too",
  options,
  () =>
    scene(["--to", "auto"], backend, async (scene) => {
      const pid = await scene.get();
      scene.sluice.kill();
      await scene.sluice.ended;
      await untilGone(pid);
    }),
);

test(
  "child: lines are JSON where the log is, standard output goes where it is told",
  options,
  () =>
    scene(["--to", "auto", "--log-format", "json", "--child-stdout", "stdout"], backend, async (scene) => {
      const pid = await scene.get();
      const { stdout, stderr } = await scene.sluice.stop();
      const line = stdout.split("\n").find((each) => each.includes("listening as")) ?? "";
      const { event, upstream, stream, message } = JSON.parse(line);
      assert.deepEqual({ event, upstream, stream, message }, {
        event: "child_output",
        upstream: "default",
        stream: "stdout",
        message: `listening as ${pid}`,
      });
      assert.doesNotMatch(stderr, /listening as/);
    }),
);

test("child: a reload restarts a command that is described differently, and only that", options, async () => {
  const folder = new ScratchFolder();
  const file = folder.file("sluice.yaml");
  const write = (word: string, hold: string) =>
    writeFileSync(file, JSON.stringify({ to: "auto", hold, command: [...backend, "{port}", word] }));
  write("a", "30s");
  await scene(["--config", file], [], async (scene) => {
    const first = await scene.get();
    write("a", "31s");
    assert.equal((await scene.verb("reload")).code, 0);
    assert.equal(await scene.get(), first);
    write("b", "31s");
    assert.equal((await scene.verb("reload")).code, 0);
    await untilGone(first);
    const second = await scene.get();
    assert.notEqual(second, first);
    assert.deepEqual(scene.backends.length, 1);
    await scene.sluice.stop();
  }, folder);
});

test("child: started by a request, stopped for want of them, and started again", options, () =>
  scene(
    ["--to", "auto", "--start-on-demand", "--stop-when-idle", "400ms", "--workers", "2"],
    backend,
    async (scene) => {
      assert.deepEqual([(await scene.child()).state, scene.backends], ["stopped", []]);
      const first = await scene.get();
      await scene.sluice.said(/no request for a while: command stopped/);
      await untilGone(first);
      assert.equal((await scene.child()).state, "stopped");
      const answers = await Promise.all(Array.from({ length: 8 }, () => scene.get()));
      assert.equal(new Set(answers).size, 1);
      assert.notEqual(answers[0], first);
      await until("it to be stopped again", () => scene.backends.length === 0);
      await scene.sluice.stop();
    },
  ));
