import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandExit } from "../../../runtime/contract/contract.ts";
import { Backend, type BackendSettings } from "../../../src/backend/backend.ts";
import { exitCodeOf, stoppedCodeOf } from "../../../src/backend/backend_exit.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemoryCommand } from "../../support/memory_command.ts";

/** A child whose commands only pretend; pauses are the longest ones. */
class ChildLab {
  readonly clock = new FakeClock();
  readonly commands: MemoryCommand[] = [];
  readonly told: string[] = [];
  readonly child: Backend;
  /** Answer of the observer to an end: start it again. */
  again = true;
  /** The next command cannot be started. */
  failure = "";
  /** Who has its address. */
  taken: string | null = null;
  /** Requests have been sent to the command. */
  used: boolean | Promise<boolean> = false;
  /** A look takes until `look` is called. */
  looksLater = false;
  #accepted: (() => void) | null = null;
  #looked: ((taken: string | null) => void) | null = null;

  constructor(settings: Partial<BackendSettings> = {}) {
    this.child = new Backend(
      {
        command: ["serve"],
        stopSignal: "SIGTERM",
        stopTimeoutMs: 5_000,
        maxFailures: 3,
        ...settings,
      },
      {
        clock: this.clock,
        random: () => 0,
        spawn: (exited) => this.#spawn(exited),
        look: (looked) => {
          if (this.looksLater) this.#looked = looked;
          else looked(this.taken);
          return () => (this.#looked = null);
        },
        used: () => this.used,
        untilAccepting: (accepted) => {
          this.#accepted = accepted;
          return () => (this.#accepted = null);
        },
      },
      {
        childStarted: (pid) => this.told.push(`started ${pid}`),
        childRuns: (pid, bootMs) => this.told.push(`runs ${pid} after ${bootMs}`),
        childStopped: (pid, { code, signal }) => this.told.push(`stopped ${pid}: ${code ?? signal}`),
        childEnded: (pid, _how, why) => {
          this.told.push(`ended ${pid}: ${why}`);
          return this.again;
        },
        childWaits: (pid, _why, pauseMs) => this.told.push(`waits ${pid}: ${pauseMs}`),
        childGivenUp: (pid, why) => this.told.push(`given up ${pid}: ${why}`),
      },
    );
  }

  #spawn(exited: (how: CommandExit) => void): MemoryCommand {
    const pid = this.failure === "" ? this.commands.length + 1 : 0;
    const command = new MemoryCommand(pid, {
      command: ["serve"],
      env: {},
      folder: null,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      ownGroup: true,
      endsWithUsMs: null,
    }, { output() {}, outputEnded() {}, exited });
    this.commands.push(command);
    if (this.failure !== "") queueMicrotask(() => command.end({ failure: this.failure }));
    return command;
  }

  get last(): MemoryCommand {
    const last = this.commands.at(-1);
    assert.ok(last !== undefined, "nothing was started");
    return last;
  }

  /** Somebody is asking whether it accepts. */
  get probing(): boolean {
    return this.#accepted !== null;
  }

  get looking(): boolean {
    return this.#looked !== null;
  }

  look(): void {
    const looked = this.#looked;
    assert.ok(looked !== null, "nobody looks");
    this.#looked = null;
    looked(this.taken);
  }

  accept(): void {
    assert.ok(this.#accepted !== null, "nobody asks whether it accepts");
    this.#accepted();
  }

  takeTold(): string[] {
    return this.told.splice(0);
  }
}

const microtasks = async () => {
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
};

test("a child is started, runs when it accepts, and says so", () => {
  const lab = new ChildLab();
  assert.equal(lab.child.state, "stopped");
  lab.child.start();
  assert.equal(lab.child.state, "starting");
  lab.clock.advance(300);
  lab.accept();
  assert.deepEqual(lab.takeTold(), ["started 1", "runs 1 after 300"]);
  assert.deepEqual(lab.child.status(), {
    command: ["serve"],
    state: "running",
    pid: 1,
    since: new Date(lab.clock.wall()).toISOString(),
    restarts: 0,
    last_exit: "",
    next_start: null,
  });
  lab.child.start();
  assert.equal(lab.commands.length, 1, "it is there already");
});

test("ends that follow requests do not count towards giving it up, but make the pauses longer", async () => {
  const lab = new ChildLab();
  lab.used = true;
  lab.child.start();
  const pauses = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
  for (const pauseMs of pauses) {
    lab.accept();
    lab.takeTold();
    lab.last.end({ code: 3 });
    assert.equal(lab.child.state, "waiting");
    const [ended, waits] = lab.takeTold();
    assert.match(ended ?? "", /^ended \d+: exit code 3$/);
    assert.match(waits ?? "", new RegExp(`^waits \\d+: ${pauseMs}$`));
    lab.clock.advance(pauseMs);
  }
  // Now it ends by itself: three times in all, whatever lies between.
  for (const used of [false, true, false, true]) {
    lab.used = used;
    lab.last.end({ code: 4 });
    assert.equal(lab.child.state, "waiting");
    lab.clock.advance(10_000);
  }
  // It may take a moment until it is known.
  const known = Promise.withResolvers<boolean>();
  lab.used = known.promise;
  lab.last.end({ code: 5 });
  assert.equal(lab.child.state, "waiting");
  known.resolve(false);
  await microtasks();
  assert.equal(lab.child.state, "given_up");
  assert.equal(lab.child.status().next_start, null);
  assert.match(
    lab.takeTold().at(-1) ?? "",
    /^given up \d+: ended 3 times in a row within 10 s of its start: exit code 5$/,
  );
  // From the beginning.
  lab.used = false;
  lab.child.start();
  lab.last.end({ code: 6 });
  assert.equal(lab.child.state, "waiting");
});

test("a start or a stop comes before it is known what an end was due to", async () => {
  for (const act of ["start", "stop"] as const) {
    const lab = new ChildLab({ maxFailures: 1 });
    const known = Promise.withResolvers<boolean>();
    lab.used = known.promise;
    lab.child.start();
    lab.last.end({ code: 1 });
    if (act === "start") lab.child.start();
    else await lab.child.stop();
    known.resolve(false);
    await microtasks();
    assert.equal(lab.child.state, act === "start" ? "starting" : "stopped");
    assert.equal(lab.told.some((told) => /given up|waits/.test(told)), false);
  }
});

test("an end of which it does not become known what it was due to is followed by a start", () => {
  const lab = new ChildLab({ maxFailures: 1 });
  lab.used = new Promise(() => {});
  lab.child.start();
  lab.last.end({ code: 1 });
  lab.clock.advance(100);
  assert.equal(lab.child.state, "starting");
});

test("quick ends: pauses that double, then it is given up; a start tries again", async () => {
  const lab = new ChildLab();
  lab.child.start();
  lab.last.end({ code: 1 });
  assert.equal(lab.child.state, "waiting");
  assert.equal(lab.probing, false);
  assert.equal(lab.child.status().next_start, new Date(lab.clock.wall() + 100).toISOString());
  assert.equal(lab.child.status().pid, null);
  lab.clock.advance(99);
  assert.equal(lab.commands.length, 1);
  lab.clock.advance(1);
  assert.equal(lab.child.state, "starting");
  lab.accept();
  lab.last.end({ signal: "SIGSEGV" });
  lab.clock.advance(200);
  lab.failure = "there is no program serve in PATH";
  lab.last.end({ code: 3 });
  assert.equal(lab.child.state, "given_up");
  assert.deepEqual(lab.takeTold(), [
    "started 1",
    "ended 1: exit code 1",
    "waits 1: 100",
    "started 2",
    "runs 2 after 0",
    "ended 2: signal SIGSEGV",
    "waits 2: 200",
    "started 3",
    "ended 3: exit code 3",
    "given up 3: ended 3 times in a row within 10 s of its start: exit code 3",
  ]);
  assert.equal(lab.child.status().restarts, 2);
  lab.clock.advance(100_000);
  assert.equal(lab.commands.length, 3);
  lab.child.start();
  await lab.child.settled();
  assert.equal(lab.child.state, "waiting", "it counts anew");
  assert.equal(lab.child.status().last_exit, "there is no program serve in PATH");
  assert.deepEqual(lab.takeTold(), ["ended 0: there is no program serve in PATH", "waits 0: 100"]);
});

test("an end after ten seconds is the first of its kind", () => {
  const lab = new ChildLab({ maxFailures: 2 });
  lab.child.start();
  for (let ends = 0; ends < 5; ends++) {
    lab.clock.advance(10_000);
    lab.last.end({ code: 0 });
    assert.equal(lab.child.state, "waiting");
    lab.clock.advance(100);
  }
  lab.clock.advance(9_999);
  lab.last.end({ code: 0 });
  assert.equal(lab.child.state, "given_up");
});

test("without a limit it is never given up, and pauses stay below ten seconds", () => {
  const lab = new ChildLab({ maxFailures: 0 });
  lab.child.start();
  for (let ends = 0; ends < 100; ends++) {
    lab.last.end({ code: 1 });
    assert.equal(lab.child.state, "waiting");
    lab.clock.advance(10_000);
  }
  assert.equal(lab.commands.length, 101);
});

test("an observer that does not want it again gets its way", () => {
  const lab = new ChildLab();
  lab.again = false;
  lab.child.start();
  lab.last.end({ code: 4 });
  assert.equal(lab.child.state, "stopped");
  lab.clock.advance(100_000);
  assert.equal(lab.commands.length, 1);
});

test("stop sends the stop signal, and SIGKILL when its time is over", async () => {
  const lab = new ChildLab({ stopSignal: "SIGINT" });
  lab.child.start();
  lab.last.onSignal = (name) => {
    if (name === "SIGKILL") lab.last.end({ signal: name });
  };
  const stopped = lab.child.stop();
  assert.equal(lab.child.state, "stopping");
  assert.equal(lab.probing, false);
  const again = lab.child.stop();
  lab.clock.advance(4_999);
  assert.deepEqual(lab.last.signals, ["SIGINT"]);
  lab.clock.advance(1);
  assert.deepEqual(lab.last.signals, ["SIGINT", "SIGKILL"]);
  await Promise.all([stopped, again]);
  assert.equal(lab.child.state, "stopped");
  assert.deepEqual(lab.takeTold(), ["started 1", "stopped 1: SIGKILL"]);
  lab.clock.advance(100_000);
  assert.equal(lab.commands.length, 1, "what was stopped is not started again");
});

test("kill does not wait, even while it stops", async () => {
  const lab = new ChildLab();
  lab.child.start();
  lab.last.onSignal = (name) => {
    if (name === "SIGKILL") lab.last.end({ signal: name });
  };
  const stopped = lab.child.stop();
  const killed = lab.child.kill();
  await Promise.all([stopped, killed]);
  assert.deepEqual(lab.last.signals, ["SIGTERM", "SIGKILL"]);
});

test("stop waits for others of the group until the kill", async () => {
  const lab = new ChildLab();
  lab.child.start();
  lab.last.stragglers = 1;
  let done = false;
  const stopped = lab.child.stop().then(() => (done = true));
  await microtasks();
  lab.clock.advance(4_000);
  await microtasks();
  assert.equal(done, false);
  assert.equal(lab.child.state, "stopping");
  lab.clock.advance(1_100);
  await stopped;
  assert.deepEqual(lab.last.signals, ["SIGTERM", "SIGKILL"]);
});

test("what a command that ended by itself leaves behind is ended too", () => {
  const lab = new ChildLab();
  lab.child.start();
  const first = lab.last;
  first.stragglers = 1;
  first.end({ code: 1 });
  assert.deepEqual(first.signals, ["SIGTERM"]);
  lab.clock.advance(5_000);
  assert.deepEqual(first.signals, ["SIGTERM", "SIGKILL"]);
  assert.equal(lab.commands.length, 2);
  assert.deepEqual(lab.last.signals, [], "its successor is another group");
});

test("stopped while it waits it does not start; stopped twice it is stopped", async () => {
  const lab = new ChildLab();
  await lab.child.stop();
  lab.child.start();
  lab.last.end({ code: 1 });
  await lab.child.stop();
  assert.equal(lab.child.state, "stopped");
  assert.equal(lab.child.status().next_start, null);
  lab.clock.advance(100_000);
  assert.equal(lab.commands.length, 1);
});

test("started while it stops, it starts afterwards, and settled means that one", async () => {
  const lab = new ChildLab();
  lab.child.start();
  lab.accept();
  const stopped = lab.child.stop();
  lab.child.start();
  let settled = false;
  const settling = lab.child.settled().then(() => (settled = true));
  await stopped;
  assert.equal(lab.commands.length, 2);
  assert.equal(lab.child.state, "starting");
  await microtasks();
  assert.equal(settled, false);
  lab.accept();
  await settling;
  assert.equal(lab.child.state, "running");
  await lab.child.settled();
});

test("a signal is passed on to the command alone, and not to one that stops", () => {
  const lab = new ChildLab();
  lab.child.forward("SIGHUP");
  lab.child.start();
  lab.child.forward("SIGHUP");
  assert.deepEqual(lab.last.signals, ["SIGHUP!"]);
  void lab.child.stop();
  lab.child.forward("SIGHUP");
  assert.deepEqual(lab.last.signals, ["SIGHUP!", "SIGTERM"]);
});

test("exit codes are those of a shell", () => {
  const how = (some: Partial<CommandExit>) => ({ code: null, signal: "", failure: "", ...some });
  assert.equal(exitCodeOf(how({ code: 7 })), 7);
  assert.equal(exitCodeOf(how({ signal: "SIGKILL" })), 137);
  assert.equal(exitCodeOf(how({ signal: "SIGSYS" })), 128);
  assert.equal(exitCodeOf(how({ failure: "there is no program x" })), 127);
  assert.equal(stoppedCodeOf(how({ signal: "SIGTERM" }), "SIGTERM"), 0);
  assert.equal(stoppedCodeOf(how({ signal: "SIGKILL" }), "SIGTERM"), 137);
  assert.equal(stoppedCodeOf(how({ code: 3 }), "SIGTERM"), 3);
});

test("a child whose address is taken is not started, is tried again, and is never given up", () => {
  const lab = new ChildLab({ maxFailures: 2 });
  lab.taken = "127.0.0.1:3000 is taken by process 7 (other)";
  lab.child.start();
  assert.equal(lab.commands.length, 0);
  assert.equal(lab.child.state, "waiting");
  const why = `not started: ${lab.taken}`;
  assert.deepEqual(lab.takeTold(), [`ended 0: ${why}`, "waits 0: 100"]);
  assert.equal(lab.child.status().last_exit, why);
  for (let tries = 0; tries < 20; tries++) lab.clock.advance(10_000);
  assert.equal(lab.child.state, "waiting");
  lab.taken = null;
  lab.clock.advance(10_000);
  assert.equal(lab.commands.length, 1);
  assert.equal(lab.child.state, "starting");
  lab.accept();
  assert.equal(lab.child.state, "running");
});

test("a child that is told to end while it is looked whether its address is free is not started", async () => {
  const lab = new ChildLab();
  lab.looksLater = true;
  lab.child.start();
  assert.equal(lab.child.state, "starting");
  assert.equal(lab.child.status().pid, null);
  let settled = false;
  void lab.child.settled().then(() => (settled = true));
  await lab.child.stop();
  await microtasks();
  assert.deepEqual([lab.child.state, lab.looking, settled], ["stopped", false, true]);
  lab.child.start();
  lab.look();
  assert.equal(lab.commands.length, 1);
  lab.looksLater = false;
  lab.last.end({ code: 1 });
  assert.equal(lab.child.state, "waiting");
});
