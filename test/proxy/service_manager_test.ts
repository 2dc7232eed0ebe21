/** Sluice under a service manager that speaks systemd's protocols: sockets that it has bound, and what it is told. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runToEnd, ScratchFolder } from "../smoke/program.ts";
import { ownProgram, until } from "../support/processes.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { within } from "../support/watchdog.ts";

const serviceManager = fileURLToPath(new URL("../support/service_manager.py", import.meta.url));
const skip = process.platform !== "linux"
  ? "the protocols are systemd's, which is for Linux"
  : spawnSync("python3", ["--version"]).status === 0
  ? false
  : "datagrams to a Unix socket, and sockets given to a program, take python3 here";
const onDeno = "Deno" in globalThis ? "Deno cannot listen on a socket that it is given" : false;
const helper = !("Bun" in globalThis || "Deno" in globalThis);
const unnotified = helper && spawnSync("systemd-notify", ["--version"]).status !== 0
  ? "Node tells its service manager through systemd-notify"
  : false;

const GET = "GET / HTTP/1.1\r\nHost: manager.test\r\nConnection: close\r\n\r\n";

interface Scene {
  readonly folder: ScratchFolder;
  readonly sockets: readonly (string | number)[];
  /** All that the service manager was told so far. */
  readonly told: () => readonly string[];
  /** To the main process. */
  readonly signal: (name: "SIGTERM" | "SIGHUP") => void;
  readonly ended: Promise<number | null>;
  readonly verb: (...words: string[]) => ReturnType<typeof runToEnd>;
}

/** @param specs see service_manager.py; `DIR` stands for the folder. `{0}` in arguments is the first socket's port */
async function supervised(
  specs: readonly string[],
  args: readonly string[],
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const folder = new ScratchFolder();
  const origin = (await ScriptedOrigin.listen()).auto(() => "ok");
  const own = (text: string) => text.replaceAll("DIR", folder.path);
  const control = folder.file("control");
  const child: ChildProcess = spawn("python3", [
    serviceManager,
    ...specs.map(own),
    "--",
    ...ownProgram(),
    ...[
      "--to",
      origin.address,
      "--control",
      control,
      "--port-file",
      folder.file("port"),
      "--pid-file",
      folder.file("pid"),
    ],
    ...args.map(own),
  ], {
    cwd: folder.path,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  (child.stdout as Readable).on("data", (bytes) => output += String(bytes));
  const lines = (): Record<string, unknown>[] =>
    output.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>);
  const ended = new Promise<number | null>((resolve) =>
    child.on("exit", () => resolve(Number(lines().find((line) => "exit" in line)?.["exit"])))
  );
  const pid = () => Number(lines().find((line) => "pid" in line)?.["pid"] ?? 0);
  const pidFile = folder.file("pid");
  try {
    await until("Sluice to be ready", () => existsSync(folder.file("port")) || child.exitCode !== null);
    await act({
      folder,
      sockets: lines()[0]?.["sockets"] as (string | number)[],
      told: () => lines().flatMap((line) => "notified" in line ? [String(line["notified"])] : []),
      signal: (name) => void process.kill(pid(), name),
      ended,
      verb: (...words) => runToEnd(ownProgram(), [...words, "--control", control], folder.path),
    });
  } finally {
    for (const last of [pid(), existsSync(pidFile) ? Number(readFileSync(pidFile, "latin1")) : 0]) {
      try {
        if (last > 0) process.kill(last, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    child.kill("SIGKILL");
    await origin.close();
    folder.remove();
  }
}

test(
  "ready, a reload by signal and one by verb, the watchdog, the stop",
  { skip: skip || unnotified },
  () =>
    supervised(["notify:DIR/notify", "watchdog:900000"], ["--listen", "127.0.0.1:0"], async (scene) => {
      const count = (pattern: RegExp) => scene.told().filter((text) => pattern.test(text)).length;
      await until("READY=1", () => count(/^READY=1\nMAINPID=\d+\n?$/) === 1);
      await until("two signs of life", () => count(/^WATCHDOG=1\n?$/) >= 2);
      for (const times of [1, 2]) {
        if (times === 1) scene.signal("SIGHUP");
        else assert.equal((await scene.verb("reload")).code, 0);
        await until("the reload to be over", () => count(/^READY=1\n?$/) === times);
        assert.equal(count(/^RELOADING=1\nMONOTONIC_USEC=\d+\n?$/), times);
      }
      scene.signal("SIGTERM");
      assert.equal(await within(scene.ended, "the end"), 0);
      assert.equal(count(/^STOPPING=1$/), 1);
    }),
);

for (const workers of ["1", "2"]) {
  test(`sockets that are passed are listened on, ${workers} workers, and left as they were`, {
    skip: skip || onDeno,
  }, () =>
    supervised(
      ["tcp:web:0.0.0.0", "unix:admin:DIR/admin"],
      ["--listen", "0.0.0.0:{0}", "--admin", "unix:DIR/admin", "--workers", workers],
      async (scene) => {
        const port = Number(scene.sockets[0]);
        const admin = { path: scene.folder.file("admin") };
        const serves = async () => {
          for (let i = 0; i < 5; i++) assert.equal((await askOnce(port, GET)).text, "ok");
          assert.equal((await askOnce(admin, GET.replace("/ ", "/-/healthy "))).status, 200);
        };
        await serves();
        const pid = async () => Number(JSON.parse((await scene.verb("status", "--json")).stdout)["pid"]);
        const before = await pid();
        assert.equal((await scene.verb("upgrade")).code, 0);
        await serves();
        const after = await pid();
        assert.notEqual(after, before);
        await within(scene.ended, "the first one to end");
        assert.equal((await scene.verb("stop")).code, 0);
        assert.ok(existsSync(admin.path), "the path is the service manager's");
      },
    ));
}

test(
  "a socket that is for none of the listeners is told at the start",
  { skip: skip || onDeno },
  () =>
    supervised(["tcp:web:127.0.0.1"], ["--listen", "127.0.0.1:0"], async (scene) => {
      assert.equal(await within(scene.ended, "the end"), 3);
    }),
);
