/** Listeners on Unix sockets, as processes: what is left behind, what is removed under them, what moves. */

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { type Command, type Ended, ending, runToEnd, ScratchFolder, start } from "../smoke/program.ts";
import { ownProgram, until, untilGone } from "../support/processes.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { within } from "../support/watchdog.ts";

const skip = process.platform === "win32" ? "there are no Unix sockets" : false;
const GET = "GET / HTTP/1.1\r\nHost: unix.test\r\nConnection: close\r\n\r\n";
const command: Command = ownProgram();

interface Started {
  // Deno's `child.kill` sends one signal at most.
  readonly signal: (name: "SIGTERM" | "SIGKILL") => void;
  readonly ended: Promise<Ended>;
}

class Scene {
  readonly folder = new ScratchFolder();
  readonly path: string = this.folder.file("s");
  readonly control: string = this.folder.file("control");
  readonly #origin: ScriptedOrigin;
  readonly #children: ChildProcess[] = [];

  static async use(act: (scene: Scene) => Promise<void>): Promise<void> {
    const scene = new Scene((await ScriptedOrigin.listen()).auto(() => "ok"));
    try {
      await act(scene);
    } finally {
      for (const pid of [scene.pid(), ...scene.#children.map((child) => child.pid ?? 0)]) {
        try {
          if (pid > 0) process.kill(pid, "SIGKILL");
        } catch {
          // It has ended.
        }
      }
      await scene.#origin.close();
      scene.folder.remove();
    }
  }

  private constructor(origin: ScriptedOrigin) {
    this.#origin = origin;
  }

  /** Of the process that serves; 0 = none. */
  pid(): number {
    const file = this.folder.file("pid");
    return fs.existsSync(file) ? Number(fs.readFileSync(file, "latin1")) : 0;
  }

  config(...listen: string[]): string[] {
    const file = this.folder.file("sluice.yaml");
    fs.writeFileSync(file, `listen: [${listen.join(", ")}]\nto: "${this.#origin.address}"\n`);
    return ["--config", file];
  }

  get to(): string[] {
    return ["--to", this.#origin.address];
  }

  /** Starts Sluice and waits until it is ready. */
  async start(...args: string[]): Promise<Started> {
    const all = [
      ...args,
      "--ready-fd",
      "3",
      "--pid-file",
      this.folder.file("pid"),
      "--control",
      this.control,
    ];
    const child = start(command, all, this.folder.path);
    this.#children.push(child);
    const ended = ending(child);
    const ready = new Promise<void>((resolve) => (child.stdio[3] as Readable).once("data", () => resolve()));
    const failed = ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
    await within(Promise.race([ready, failed]), "sluice to be ready");
    failed.catch(() => {});
    return { signal: (name) => void process.kill(child.pid ?? 0, name), ended };
  }

  verb(...words: string[]): Promise<Ended> {
    return runToEnd(command, [...words, "--control", this.control], this.folder.path);
  }

  async serves(path = this.path): Promise<void> {
    assert.equal((await askOnce({ path }, GET)).text, "ok");
  }
}

for (const which of ["listen", "admin"] as const) {
  test(
    `after a SIGKILL ${which} has its path again, and who lives keeps it`,
    { skip },
    () =>
      Scene.use(async (scene) => {
        const args = which === "listen"
          ? ["--listen", `unix:${scene.path}`]
          : ["--listen", "127.0.0.1:0", "--admin", `unix:${scene.path}`];
        const target = which === "listen" ? GET : GET.replace("/ ", "/-/healthy ");
        const first = await scene.start(...scene.to, ...args);
        first.signal("SIGKILL");
        await first.ended;
        assert.ok(fs.existsSync(scene.path), "it is left behind");
        const second = await scene.start(...scene.to, ...args);
        assert.equal((await askOnce({ path: scene.path }, target)).status, 200);
        const third = await runToEnd(command, [...scene.to, ...args, "--control", "off"], scene.folder.path);
        assert.equal(third.code, 3, third.stderr);
        assert.equal((await askOnce({ path: scene.path }, target)).status, 200);
        second.signal("SIGTERM");
        assert.equal((await second.ended).code, 0);
        assert.ok(!fs.existsSync(scene.path), "and removed in the end");
      }),
  );
}

test(
  "paths that somebody removes come back: listener, admin, control socket",
  { skip },
  () =>
    Scene.use(async (scene) => {
      const admin = scene.folder.file("admin");
      const args = ["--listen", `unix:${scene.path}`, "--admin", `unix:${admin}`];
      const { signal, ended } = await scene.start(...scene.to, ...args);
      const all = [scene.path, admin, scene.control];
      for (let times = 0; times < 2; times++) {
        for (const path of all) fs.unlinkSync(path);
        for (const path of all) await until(`${path} to be there again`, () => fs.existsSync(path));
        await scene.serves();
        assert.equal((await askOnce({ path: admin }, GET.replace("/ ", "/-/healthy "))).status, 200);
        assert.equal((await scene.verb("status")).code, 0);
      }
      signal("SIGTERM");
      const { code, stderr } = await ended;
      assert.equal(code, 0);
      for (const path of all) {
        assert.ok(!fs.existsSync(path), path);
        assert.ok(stderr.includes(`${path} was removed: it is there again`), stderr);
      }
    }),
);

test(
  "a path that another program has taken is left to it in the end",
  { skip },
  () =>
    Scene.use(async (scene) => {
      const { signal, ended } = await scene.start(...scene.to, "--listen", `unix:${scene.path}`);
      fs.writeFileSync(scene.folder.file("other"), "theirs");
      fs.renameSync(scene.folder.file("other"), scene.path);
      signal("SIGTERM");
      assert.equal((await ended).code, 0);
      assert.equal(fs.readFileSync(scene.path, "latin1"), "theirs");
    }),
);

test(
  "modes and groups are those of the options, also after the path was removed",
  { skip },
  () =>
    Scene.use(async (scene) => {
      const group = String(fs.statSync(scene.folder.path).gid);
      await scene.start(
        ...[...scene.to, "--listen", `unix:${scene.path}`, "--unix-mode", "0660", "--unix-group", group],
        ...["--control-mode", "0660", "--control-group", group],
      );
      const modes = () => [scene.path, scene.control].map((path) => fs.statSync(path).mode & 0o777);
      assert.deepEqual(modes(), [0o660, 0o660]);
      for (const path of [scene.path, scene.control]) {
        fs.unlinkSync(path);
        await until(`${path} to be there again`, () => fs.existsSync(path));
      }
      assert.deepEqual(modes(), [0o660, 0o660]);
    }),
);

test("a user that is not known is told at the start", { skip }, () =>
  Scene.use(async (scene) => {
    const args = [...scene.to, "--listen", `unix:${scene.path}`, "--unix-owner", "nobody-of-that-name"];
    const { code, stderr } = await runToEnd(command, args, scene.folder.path);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /unix\.owner: there is no user nobody-of-that-name in \/etc\/passwd: give its number/,
    );
    assert.ok(!fs.existsSync(scene.path));
  }));

const handover = { skip: "Deno" in globalThis ? "listening sockets cannot be handed over with Deno" : skip };

test(
  "a reload moves a listener, an upgrade takes it along, and the path is kept on",
  handover,
  () =>
    Scene.use(async (scene) => {
      const moved = scene.folder.file("moved");
      const { ended } = await scene.start(...scene.config(`"unix:${scene.path}"`));
      await scene.serves();
      scene.config(`"unix:${moved}"`);
      assert.equal((await scene.verb("reload")).code, 0);
      await until("the old path to go", () => !fs.existsSync(scene.path));
      await scene.serves(moved);
      const old = scene.pid();
      const { code, stdout, stderr } = await scene.verb("upgrade");
      assert.equal(code, 0, stdout + stderr);
      await untilGone(old);
      const successor = scene.pid();
      assert.notEqual(successor, old);
      await scene.serves(moved);
      fs.unlinkSync(moved);
      await until("the path to be there again", () => fs.existsSync(moved));
      await scene.serves(moved);
      // Back to the first path, in the process that inherited the other.
      scene.config(`"unix:${scene.path}"`);
      assert.equal((await scene.verb("reload")).code, 0);
      await until("the path that was inherited to go", () => !fs.existsSync(moved));
      await scene.serves();
      process.kill(successor, "SIGTERM");
      await untilGone(successor);
      assert.ok(!fs.existsSync(scene.path));
      assert.equal((await ended).code, 0);
    }),
);

test("an admin listener on a Unix socket goes along with two workers", {
  skip: process.platform === "linux" ? handover.skip : "workers need Linux",
}, () =>
  Scene.use(async (scene) => {
    const args = ["--listen", "127.0.0.1:0", "--workers", "2", "--admin", `unix:${scene.path}`];
    await scene.start(...scene.to, ...args);
    const healthy = async () =>
      assert.equal((await askOnce({ path: scene.path }, GET.replace("/ ", "/-/healthy "))).status, 200);
    const old = scene.pid();
    assert.equal((await scene.verb("upgrade")).code, 0);
    await untilGone(old);
    await healthy();
    fs.unlinkSync(scene.path);
    await until("the path to be there again", () => fs.existsSync(scene.path));
    await healthy();
    const last = scene.pid();
    process.kill(last, "SIGTERM");
    await untilGone(last);
    assert.ok(!fs.existsSync(scene.path));
  }));
