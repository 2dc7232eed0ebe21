/** `System.spawn` on the runtime that runs the test, with real processes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { CommandExit, CommandProcess, SpawnOptions } from "../../runtime/contract/contract.ts";
import { createSystem } from "../../runtime/shared/system.ts";
import { childrenOf, until, untilGone } from "../support/processes.ts";
import { turn, within } from "../support/watchdog.ts";

const system = createSystem();

const DEFAULTS = {
  env: {},
  folder: null,
  stdin: "ignore",
  stdout: "events",
  stderr: "events",
  ownGroup: false,
  endsWithUsMs: null,
} as const satisfies Omit<SpawnOptions, "command">;

/** A command, everything it printed, and waiting for what it does. */
class Started {
  readonly process: CommandProcess;
  readonly text = { 1: "", 2: "" };
  readonly exits: CommandExit[] = [];
  readonly endedOutputs: number[] = [];
  inCall = true;
  onOutput: () => void = () => {};

  constructor(options: Partial<SpawnOptions> & Pick<SpawnOptions, "command">) {
    this.process = system.spawn({ ...DEFAULTS, ...options }, {
      output: (fd, bytes) => {
        assert.ok(bytes.length > 0);
        assert.ok(!this.endedOutputs.includes(fd), "nothing comes after the end");
        this.text[fd] += new TextDecoder().decode(bytes);
        this.onOutput();
      },
      outputEnded: (fd) => {
        assert.equal(this.inCall, false);
        this.endedOutputs.push(fd);
      },
      exited: (how) => {
        assert.equal(this.inCall, false);
        this.exits.push(how);
      },
    });
    this.inCall = false;
  }

  says(text: string, fd: 1 | 2 = 1): Promise<void> {
    return until(`the command to say ${text}`, () => this.text[fd].includes(text));
  }

  /** Resolves when it has ended and, where they are read, its outputs have. */
  async end(outputs = 2): Promise<CommandExit> {
    await until("the command to end", () => this.exits.length > 0 && this.endedOutputs.length === outputs);
    assert.equal(this.exits.length, 1);
    const [how] = this.exits;
    assert.ok(how !== undefined);
    return how;
  }
}

function shell(script: string, options: Partial<SpawnOptions> = {}): Started {
  return new Started({ command: ["sh", "-c", script], ...options });
}

test("a command gets its arguments, environment and folder, and its end is told", async () => {
  const started = new Started({
    command: ["sh", "-c", 'echo "$1|$2|$ADDED|${HOME-none}|$PWD"; echo oops >&2; exit 7', "sh", "a b", "$x;"],
    env: { ADDED: "yes\nno", HOME: undefined },
    folder: "/",
  });
  assert.deepEqual(await started.end(), { code: 7, signal: "", failure: "" });
  assert.deepEqual(started.text, { 1: "a b|$x;|yes\nno|none|/\n", 2: "oops\n" });
  assert.deepEqual(started.endedOutputs.toSorted(), [1, 2]);
  assert.equal(started.process.alive(), false);
  assert.equal(started.process.signal("SIGTERM"), false);
});

test("standard input that is ignored is at its end", async () => {
  const started = shell("cat; echo end");
  assert.equal((await started.end()).code, 0);
  assert.equal(started.text[1], "end\n");
});

test("what is written reaches standard input, in order and not after its end", async () => {
  const started = new Started({
    command: ["sh", "-c", 'while read -r line; do echo "got $line"; done'],
    stdin: "pipe",
  });
  started.process.write("one\ntw");
  started.process.write("o\n");
  await started.says("got two\n");
  assert.equal(started.text[1], "got one\ngot two\n");
  started.process.signal("SIGKILL");
  await started.end();
  started.process.write("three\n");
  assert.equal(started.text[1], "got one\ngot two\n");
});

test("a command that cannot be started says why", async () => {
  const missing = new Started({ command: ["sluice-no-such-program", "x"] });
  assert.deepEqual(await missing.end(), {
    code: null,
    signal: "",
    failure: "there is no program sluice-no-such-program in PATH",
  });
  assert.equal(missing.process.pid, 0);
  assert.equal(missing.process.signal("SIGKILL"), false);
  const file = fileURLToPath(import.meta.url);
  const failure = async (options: Partial<SpawnOptions> & Pick<SpawnOptions, "command">) =>
    (await new Started(options).end()).failure;
  assert.equal(await failure({ command: ["/none/x"] }), "there is no program /none/x");
  assert.equal(await failure({ command: [file] }), `${file} may not be executed`);
  assert.equal(await failure({ command: ["sh"], folder: "/none" }), "there is no folder /none");
  assert.match(await failure({ command: ["sh", "a\0b"] }), /^sh cannot be started: /);
});

test("a signal ends it, and its name is told", async () => {
  const started = shell("echo ready; exec sleep 60");
  await started.says("ready");
  assert.equal(started.process.alive(), true);
  assert.equal(started.process.signal("SIGTERM"), true);
  assert.deepEqual(await started.end(), { code: null, signal: "SIGTERM", failure: "" });
});

test("a process gets every signal sent to it", async () => {
  const started = shell("trap 'n=x$n; echo $n' HUP; echo ready; while :; do sleep 0.01; done");
  await started.says("ready");
  for (const answer of ["x\n", "xx\n", "xxx\n"]) {
    assert.equal(started.process.signal("SIGHUP"), true);
    await started.says(answer);
  }
  started.process.signal("SIGKILL");
  assert.equal((await started.end()).signal, "SIGKILL");
});

test("a signal to an own group reaches all of it, and one to the leader only the leader", async () => {
  const script =
    "trap 'echo leader' HUP; (trap 'echo other' HUP; echo ready; while :; do sleep 0.01; done) &" +
    " while :; do sleep 0.01; done";
  const started = shell(script, { ownGroup: true });
  await started.says("ready");
  started.process.signal("SIGHUP", true);
  await started.says("leader\n");
  assert.doesNotMatch(started.text[1], /other/);
  started.process.signal("SIGHUP");
  await started.says("other\n");
  started.process.signal("SIGKILL");
  assert.equal((await started.end()).signal, "SIGKILL");
  await until("the group to end", () => !started.process.alive());
});

test("what a leader leaves behind can still be found and ended", async () => {
  const started = shell("sleep 60 & echo $!", { ownGroup: true });
  await until("the leader to end", () => started.exits.length > 0);
  assert.equal(started.exits[0]?.code, 0);
  assert.equal(started.process.alive(), true);
  assert.equal(started.endedOutputs.length, 0, "the other still has them open");
  assert.equal(started.process.signal("SIGKILL"), true);
  await started.end();
  await untilGone(Number(started.text[1]));
  await until("the group to end", () => !started.process.alive());
  assert.equal(started.process.signal("SIGKILL"), false);
});

test("output that nobody takes holds the command up, and is not lost", async () => {
  const total = 3_000_000;
  const started = shell(`head -c ${total} /dev/zero; echo done >&2`);
  started.onOutput = () => {
    started.onOutput = () => {};
    started.process.pauseOutput();
  };
  await until("the first bytes", () => started.text[1] !== "");
  // The pipe is full: its child `head` sleeps in write(2).
  const { pid } = started.process;
  await until("it to be held up", () => childrenOf(pid).some(({ args }) => args[0] === "head"));
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.ok(started.text[1].length < total);
  assert.equal(started.text[2], "", "it has not come to its end");
  started.process.resumeOutput();
  assert.equal((await started.end()).code, 0);
  assert.equal(started.text[1].length, total);
  assert.equal(started.text[2], "done\n");
});

test("an own group does not outlive the process that started it, killed at that", async () => {
  const script = fileURLToPath(new URL("./spawn_child.ts", import.meta.url));
  const words = "Deno" in globalThis ? ["run", "-A", "--no-check", script] : [script];
  const parent = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  parent.stdout.on("data", (bytes: Uint8Array) => (text += new TextDecoder().decode(bytes)));
  await until("the processes to be there", () => /^\d+ \d+ \d+\n/.test(text));
  const [leader, other, stubborn] = text.trim().split(" ").map(Number);
  assert.ok(leader !== undefined && other !== undefined && stubborn !== undefined);
  const gone = new Promise((resolve) => parent.once("exit", resolve));
  process.kill(parent.pid ?? 0, "SIGKILL");
  await within(gone, "the parent to be killed");
  for (const pid of [leader, other, stubborn]) await untilGone(pid);
});

test("a guard goes home with its group", async () => {
  const before = guards();
  const started = shell("echo ready; exec sleep 60", { ownGroup: true, endsWithUsMs: 1_000 });
  await started.says("ready");
  await until("the guard to be there", () => guards().length === before.length + 1);
  started.process.signal("SIGTERM");
  await started.end();
  await until("the guard to go", () => guards().length === before.length);
});

function guards(): readonly number[] {
  return childrenOf(process.pid).filter(({ args }) => args.includes("sluice-guard")).map(({ pid }) => pid);
}
