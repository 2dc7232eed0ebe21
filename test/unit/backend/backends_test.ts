import assert from "node:assert/strict";
import { test } from "node:test";
import type { Listener } from "../../../runtime/contract/contract.ts";
import type { UpstreamConfig } from "../../../src/config/values/config.ts";
import { loadConfig } from "../../../src/config/load_config.ts";
import type { BackendGate } from "../../../src/backend/backend_gate.ts";
import { Backends } from "../../../src/backend/backends.ts";
import type { ControlEvent } from "../../../src/control/event.ts";
import type { UpstreamStatus } from "../../../src/process/worker/status.ts";
import { Logger } from "../../../src/observe/logger.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { sampleStatus } from "../../support/fake_plane.ts";
import type { MemoryCommand } from "../../support/memory_command.ts";
import { createMemoryRuntime } from "../../support/memory_runtime.ts";
import { MemorySink, MemorySystem } from "../../support/memory_system.ts";
import { turn } from "../../support/watchdog.ts";

const time = "2026-01-01T00:00:00.000Z";

function configOf(yaml: string) {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "f.yaml", text: yaml } });
  assert.ok(loaded.ok);
  return loaded.config;
}

/** Commands that pretend, whose port accepts while one runs, and a control plane that remembers. */
class Lab implements BackendGate {
  readonly clock = new FakeClock();
  readonly system = new MemorySystem();
  readonly runtime = createMemoryRuntime({ clock: this.clock, autorun: true });
  /** What was asked of the plane and done to commands, in order. */
  readonly asked: string[] = [];
  readonly children: Backends;
  waiting = 0;
  requests = 0;
  /** When a request was last sent to the command. */
  lastRequest: string | null = null;
  /** Commands listen on port 3000. */
  listens = true;
  /** Called with each request for a status, before it is answered. */
  onStatus = () => {};
  #upstreams: readonly UpstreamConfig[];
  #heard: (event: ControlEvent) => void = () => {};

  static async open(yaml: string): Promise<Lab> {
    const lab = new Lab(yaml);
    lab.children.start(lab);
    await lab.settle();
    return lab;
  }

  private constructor(yaml: string) {
    const config = configOf(yaml);
    this.#upstreams = config.upstreams;
    this.system.onSpawn = (command) => {
      this.asked.push(`spawn ${command.options.command.join(" ")}`);
      const signalled = command.onSignal;
      command.onSignal = (name) => {
        this.asked.push(name);
        signalled(name);
      };
      if (!this.listens) return;
      const listening = this.listen();
      const end = command.end.bind(command);
      command.end = (how) => {
        void listening.then((listener) => listener.close());
        end(how);
      };
    };
    const sink = new MemorySink(2, 1_000_000, () => {});
    this.children = new Backends({
      runtime: this.runtime,
      system: this.system,
      sinks: { 1: sink, 2: sink },
      json: false,
      outputs: new Set(),
      logger: new Logger(sink, this.clock, { level: "error", format: "text" }),
      publish: () => {},
      portOf: () => null,
    }, config);
  }

  listen(port = 3000): Promise<Listener> {
    return this.runtime.listen({
      address: { kind: "tcp", host: "127.0.0.1", port },
      backlog: 1,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1,
    }, {
      accepted: () => ({ data() {}, drained() {}, ended() {}, closed() {} }),
      acceptFailed() {},
    });
  }

  reconfigure(yaml: string): void {
    const config = configOf(yaml);
    this.#upstreams = config.upstreams;
    this.children.reconfigure(config);
  }

  get commands(): readonly MemoryCommand[] {
    return this.system.commands;
  }

  get state(): string {
    return this.children.status().get("app")?.state ?? "none";
  }

  tell(event: "held" | "released"): void {
    const upstream = "app";
    this.#heard(
      event === "held" ? { event, time, upstream, waiting: 1 } : { event, time, upstream, held_ms: 1 },
    );
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) {
      // Whoever asks whether a command accepts does so again after a millisecond.
      this.clock.advance(1);
      await turn();
    }
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      this.clock.advance(10);
      await turn();
    }
    await this.settle();
  }

  // What is asked of the plane

  // deno-lint-ignore require-await -- the contract wants a promise
  async status() {
    this.onStatus();
    const sample = sampleStatus();
    const [like] = sample.upstreams as readonly [UpstreamStatus];
    const upstreams = this.#upstreams.map(({ name, endpoints }): UpstreamStatus => ({
      ...like,
      name,
      state: "up",
      paused: null,
      waiting: this.waiting,
      in_flight: 0,
      totals: { ...like.totals, requests: this.requests },
      endpoints: endpoints.map((endpoint) => ({
        ...(like.endpoints[0] as UpstreamStatus["endpoints"][number]),
        name: endpoint.name,
        state: "up",
        last_request: this.lastRequest,
      })),
    }));
    return { ...sample, upstreams };
  }

  watch(heard: (event: ControlEvent) => void): () => void {
    this.#heard = heard;
    return () => (this.#heard = () => {});
  }

  pause() {
    return this.#did("pause", { in_flight: 0, waiting: 0, token: "t" });
  }

  resume() {
    return this.#did("resume", { in_flight: 0, waiting: 0, ended: 1, still_paused: [] });
  }

  drain() {
    return this.#did("drain", { in_flight: 0 });
  }

  undrain() {
    return this.#did("undrain", {});
  }

  // deno-lint-ignore require-await -- the contract wants a promise
  async #did<T extends object>(what: string, told: T): Promise<{ readonly ok: true } & T> {
    this.asked.push(what);
    return { ok: true, ...told };
  }
}

const yamlOf = (more: string) => `upstreams: {app: {endpoints: [3000], ${more}}}\nroutes: [{to: app}]`;

test("children: a restart holds requests and lets those under way end before the command is told to", async () => {
  const lab = await Lab.open(yamlOf("command: serve"));
  assert.equal(lab.state, "running");
  const restarting = lab.children.restart("app", 60_000);
  const busy = await lab.children.restart(null, 60_000);
  assert.ok(!busy.ok && busy.code === "busy");
  await lab.settle();
  assert.deepEqual(await restarting, { ok: true, pids: [lab.commands[1]?.pid] });
  assert.deepEqual(lab.asked, [
    "spawn serve",
    "pause",
    "drain",
    "SIGTERM",
    "spawn serve",
    "undrain",
    "resume",
  ]);
  const unknown = await lab.children.restart("other", 60_000);
  assert.ok(!unknown.ok && unknown.code === "unknown_name");
});

test("children: what stops while it is restarted is not started again", async () => {
  const lab = await Lab.open(yamlOf("command: serve"));
  const [command] = lab.commands;
  assert.ok(command !== undefined);
  command.onSignal = () => {};
  const restarting = lab.children.restart("app", 60_000);
  await lab.settle();
  const stopped = lab.children.stop();
  command.end({ code: 0 });
  await stopped;
  assert.equal((await restarting).ok, false);
  assert.equal(lab.commands.length, 1);
});

test("children: one that waits for requests starts with the first, and stops when there are none", async () => {
  const lab = await Lab.open(yamlOf("command: serve, start_on_demand: true, stop_when_idle: 8s"));
  assert.deepEqual([lab.state, lab.commands.length], ["stopped", 0]);
  lab.tell("held");
  await lab.settle();
  lab.tell("released");
  assert.equal(lab.state, "running");
  for (let busy = 0; busy < 3; busy++) {
    await lab.pass(6_000);
    lab.requests++;
  }
  assert.equal(lab.state, "running");
  await lab.pass(10_000);
  assert.equal(lab.state, "stopped");
  assert.deepEqual(lab.asked, ["spawn serve", "pause", "SIGTERM", "resume"]);
});

test("children: a request that comes while it stops for want of them starts it again", async () => {
  const lab = await Lab.open(yamlOf("command: serve, start_on_demand: true, stop_when_idle: 8s"));
  lab.tell("held");
  await lab.settle();
  lab.tell("released");
  // A worker has said that nobody waits, and then somebody does, before the others have answered.
  lab.onStatus = () => {
    if (lab.asked.at(-1) === "pause") lab.tell("held");
  };
  await lab.pass(11_000);
  assert.deepEqual(lab.asked, ["spawn serve", "pause", "SIGTERM", "resume", "spawn serve"]);
  assert.equal(lab.state, "running");
});

test("children: a reload leaves what is the same, replaces what is another, and ends what is gone", async () => {
  const lab = await Lab.open(yamlOf("command: serve"));
  lab.reconfigure(yamlOf("command: serve, hold: 1m"));
  await lab.settle();
  assert.deepEqual(lab.asked.splice(0), ["spawn serve"]);
  lab.reconfigure(yamlOf("command: other"));
  await lab.settle();
  assert.deepEqual(lab.asked.splice(0), ["pause", "drain", "SIGTERM", "spawn other", "undrain", "resume"]);
  lab.reconfigure(yamlOf("hold: 1m") + "\ndrain_timeout: 3s");
  await lab.pass(2_900);
  assert.deepEqual(lab.asked, [], "requests to it have had no time to end");
  assert.equal(lab.children.any, true);
  await lab.pass(200);
  assert.deepEqual(lab.asked, ["SIGTERM"]);
  assert.equal(lab.children.any, false);
});

test("children: a command that comes back before it was told to stop goes on", async () => {
  const lab = await Lab.open(yamlOf("command: serve"));
  const [command] = lab.commands;
  lab.reconfigure(yamlOf("hold: 1m") + "\ndrain_timeout: 3s");
  await lab.pass(1000);
  lab.reconfigure(yamlOf("command: serve") + "\ndrain_timeout: 3s");
  await lab.pass(5000);
  assert.deepEqual(lab.asked, ["spawn serve"]);
  assert.deepEqual(lab.children.status().get("app")?.pid, command?.pid);
  assert.equal(lab.state, "running");
});

test("children: a command that comes back after it was told to stop starts when that has ended", async () => {
  const lab = await Lab.open(yamlOf("command: serve"));
  const [command] = lab.commands;
  assert.ok(command !== undefined);
  command.onSignal = () => {};
  lab.reconfigure(yamlOf("hold: 1m") + "\ndrain_timeout: 1s");
  await lab.pass(1500);
  lab.reconfigure(yamlOf("command: serve"));
  await lab.pass(1000);
  assert.equal(lab.commands.length, 1, "the port is not free yet");
  command.end({ signal: "SIGKILL" });
  await lab.pass(100);
  assert.equal(lab.commands.length, 2);
  assert.equal(lab.state, "running");
});

test("children: of several reloads in a row the last command starts, when all before it have ended", async () => {
  const lab = await Lab.open(yamlOf("command: serve"));
  const [command] = lab.commands;
  assert.ok(command !== undefined);
  command.onSignal = () => {};
  for (const name of ["second", "third"]) {
    lab.reconfigure(yamlOf(`command: ${name}`));
    await lab.pass(100);
  }
  assert.equal(lab.commands.length, 1);
  command.end({ signal: "SIGKILL" });
  await lab.pass(100);
  assert.deepEqual(lab.commands.map(({ options }) => options.command[0]), ["serve", "third"]);
  assert.equal(lab.state, "running");
});

const TAKEN = "127.0.0.1:3000 is taken by process 4242 (other)";
const owner = { pid: 4242, program: "other", user: 0 };

test("children: a command at whose address somebody else listens is not started, and a restart says who it is", async () => {
  const lab = await Lab.open(yamlOf("command: serve, start_on_demand: true"));
  lab.system.owner = owner;
  const stranger = await lab.listen();
  const restarting = lab.children.restart("app", 60_000);
  await lab.pass(1_500);
  const outcome = await restarting;
  assert.ok(!outcome.ok && outcome.code === "failed");
  assert.equal(outcome.message, `The command of app was not started: ${TAKEN}.`);
  assert.equal(lab.commands.length, 0);
  assert.match(lab.state, /^(?:waiting|starting)$/);
  await stranger.close();
  await lab.pass(1_500);
  assert.deepEqual([lab.state, lab.commands.length], ["running", 1]);
});

test("children: one whose address is taken between its end and its next start waits until that is over", async () => {
  const lab = await Lab.open(yamlOf("command: serve"));
  lab.system.owner = owner;
  lab.commands[0]?.end({ code: 1 });
  await lab.settle();
  const stranger = await lab.listen();
  await lab.pass(5_000);
  assert.match(lab.state, /^(?:waiting|starting)$/);
  assert.equal(lab.commands.length, 1);
  assert.equal(lab.children.status().get("app")?.last_exit, `not started: ${TAKEN}`);
  await stranger.close();
  await lab.pass(15_000);
  assert.deepEqual([lab.state, lab.commands.length], ["running", 2]);
});

test("children: an address that is free within a second was not taken, and its command runs once it accepts itself", async () => {
  const lab = await Lab.open(yamlOf("command: serve, start_on_demand: true"));
  const before = await lab.listen();
  lab.tell("held");
  await lab.pass(500);
  assert.deepEqual([lab.state, lab.commands.length], ["starting", 0]);
  await before.close();
  await lab.pass(200);
  assert.deepEqual([lab.state, lab.commands.length], ["running", 1]);
});

test("children: an endpoint that answers before the command does is not its readiness", async () => {
  const lab = await Lab.open(
    yamlOf("command: serve, start_on_demand: true").replace("[3000]", "[3000, 3001]"),
  );
  const other = await lab.listen(3001);
  lab.listens = false;
  lab.tell("held");
  await lab.pass(1_500);
  assert.deepEqual([lab.state, lab.commands.length], ["starting", 1]);
  const own = await lab.listen();
  await lab.pass(500);
  assert.equal(lab.state, "running");
  await Promise.all([own.close(), other.close()]);
});

test("children: a command is given up for its own ends only", async () => {
  const lab = await Lab.open(yamlOf("command: serve, child: {max_failures: 2}"));
  const end = async (): Promise<void> => {
    lab.commands.at(-1)?.end({ code: 3 });
    await lab.settle();
  };
  for (let ends = 0; ends < 4; ends++) {
    lab.lastRequest = new Date(lab.clock.wall()).toISOString();
    await end();
    assert.equal(lab.state, "waiting");
    await lab.pass(1000);
    assert.equal(lab.state, "running");
  }
  // That request was sent to the one before.
  await end();
  assert.equal(lab.state, "waiting");
  await lab.pass(2000);
  await end();
  assert.equal(lab.state, "given_up");
  await lab.children.stop();
});
