/** A whole Sluice with one worker in memory, with backends, clients and a clock that a test moves. */

import assert from "node:assert/strict";
import type { Socket } from "../../runtime/contract/contract.ts";
import { rereadable } from "../../src/serve/config_source.ts";
import { checkFiles } from "../../src/serve/check_files.ts";
import { readConfig } from "../../src/serve/read_config.ts";
import { serve } from "../../src/serve/serve.ts";
import { formatProblem } from "../../src/config/values/problem.ts";
import type { SluicePlane } from "../../src/control/control_plane.ts";
import type { ControlEvent } from "../../src/control/event.ts";
import { FakeClock } from "./fake_clock.ts";
import { Peer } from "./memory_lab.ts";
import { createMemoryRuntime, type MemoryListener, type MemoryRuntime } from "./memory_runtime.ts";
import type { MemoryExports } from "./memory_scripts.ts";
import { MemorySystem } from "./memory_system.ts";
import { turn } from "./watchdog.ts";

const FILE = "/sluice.yaml";
const FLAGS = { config: [FILE], control: ["off"] };
/** The clock moves by this much at a time, so that what follows from one moment is over before the next. */
const STEP_MS = 5;

/** Answers each request with its own name and the target, at once or when told to. */
export class PlaneBackend {
  readonly port: number;
  readonly #lab: PlaneLab;
  #listener: MemoryListener | null = null;
  /** Targets of requests in the order in which they came. */
  readonly asked: string[] = [];
  readonly peers: Peer[] = [];
  /** Requests are kept, and answered by `answer`. */
  keeps = false;
  readonly #kept: (() => void)[] = [];
  /** Answers instead of the usual one. */
  script: ((peer: Peer, head: string) => void) | null = null;

  readonly host: string;

  constructor(lab: PlaneLab, port: number, host = "127.0.0.1") {
    this.#lab = lab;
    this.port = port;
    this.host = host;
  }

  async up(): Promise<this> {
    this.#listener = await this.#lab.runtime.listen({
      address: { kind: "tcp", host: this.host, port: this.port },
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket) => {
        const peer = new Peer();
        peer.socket = socket;
        peer.onData = () => this.#data(peer);
        peer.ended = () => {
          peer.end += "ended ";
          socket.close();
        };
        this.peers.push(peer);
        return peer;
      },
      acceptFailed() {},
    });
    return this;
  }

  down(): void {
    void this.#listener?.close();
    this.#listener = null;
  }

  #data(peer: Peer): void {
    for (let end = peer.received.indexOf("\r\n\r\n"); end >= 0; end = peer.received.indexOf("\r\n\r\n")) {
      const head = peer.received.slice(0, end + 4);
      peer.received = peer.received.slice(end + 4);
      const target = head.split(" ")[1] ?? "";
      this.asked.push(target);
      if (this.script !== null) {
        this.script(peer, head);
        return;
      }
      const text = `${this.port}${target}`;
      const answer = () => peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      if (this.keeps) this.#kept.push(answer);
      else answer();
    }
  }

  /** Answers the oldest kept request, or all. */
  answer(count = Infinity): void {
    for (const answer of this.#kept.splice(0, count)) answer();
  }

  get open(): number {
    return this.peers.filter(({ end }) => end === "").length;
  }
}

export class PlaneLab {
  readonly clock = new FakeClock();
  readonly runtime: MemoryRuntime = createMemoryRuntime({ clock: this.clock });
  readonly system: MemorySystem;
  readonly events: ControlEvent[] = [];
  readonly backends: PlaneBackend[] = [];
  plane!: SluicePlane; // set by `start`
  ports: readonly number[] = [];
  ended: Promise<number> = Promise.resolve(0);

  private constructor(yaml: string, files: Readonly<Record<string, string>>) {
    this.system = new MemorySystem({ files: { ...files, [FILE]: yaml } });
  }

  /**
   * @param yaml configuration; listens on port 0 unless it says otherwise
   * @param names with their addresses
   * @param files that the configuration names, by path
   * @param scripts likewise, and what loading them gives
   * @param prepare makes the system what it is to be
   */
  static async start(
    yaml: string,
    names: Readonly<Record<string, readonly string[]>> = {},
    files: Readonly<Record<string, string>> = {},
    scripts: Readonly<Record<string, MemoryExports>> = {},
    prepare: (system: MemorySystem) => void = () => {},
  ): Promise<PlaneLab> {
    const lab = new PlaneLab(yaml.includes("listen:") ? yaml : `listen: "127.0.0.1:0"\n${yaml}`, files);
    for (const [path, exports] of Object.entries(scripts)) lab.system.scripts.modules.set(path, exports);
    prepare(lab.system);
    for (const [name, addresses] of Object.entries(names)) lab.runtime.network.setName(name, addresses);
    const loaded = await readConfig(lab.system, FLAGS);
    assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.map(formatProblem).join("\n"));
    const found = await checkFiles(lab.system, loaded, lab.clock.wall());
    lab.ended = serve(lab.runtime, lab.system, loaded.config, {
      source: rereadable(lab.runtime.clock, lab.system, FLAGS, loaded, found),
      onPlane: (plane) => (lab.plane = plane),
      onReady: (listeners) => {
        lab.ports = listeners.map((address) => address.kind === "tcp" ? address.port : 0);
      },
    });
    await lab.until("Sluice to serve", () => lab.ports.length > 0);
    return lab;
  }

  get yaml(): string {
    return String(this.system.files.get(FILE));
  }

  set yaml(text: string) {
    this.system.files.set(FILE, text.includes("listen:") ? text : `listen: "127.0.0.1:0"\n${text}`);
  }

  /** Keeps all events from now on in `events`. */
  watch(): void {
    this.plane.watch((event) => this.events.push(event));
  }

  names(): string[] {
    return this.events.map(({ event }) => event);
  }

  backend(port: number, host?: string): Promise<PlaneBackend> {
    const backend = new PlaneBackend(this, port, host);
    this.backends.push(backend);
    return backend.up();
  }

  /** Hosts of the backends that have had requests. */
  reached(): string[] {
    return this.backends.filter(({ asked }) => asked.length > 0).map(({ host }) => host);
  }

  /** A client that is connected. */
  dial(port = this.ports[0] ?? 0): Peer {
    const peer = new Peer();
    this.runtime.dial({ address: { kind: "tcp", host: "127.0.0.1", port }, timeoutMs: 1000, tls: null }, {
      opened: (socket: Socket) => {
        peer.socket = socket;
        return peer;
      },
      failed: ({ code }) => {
        peer.end = code;
        return undefined as never;
      },
    });
    this.runtime.network.run();
    return peer;
  }

  /** A client that has sent a request. */
  ask(target = "/", method = "GET"): Peer {
    const client = this.dial();
    client.say(`${method} ${target} HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n\r\n`);
    this.runtime.network.run();
    return client;
  }

  asks(count: number): Peer[] {
    return Array.from({ length: count }, (_, at) => this.ask(`/${at + 1}`));
  }

  /** Time passes. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.runtime.network.advance(Math.min(STEP_MS, left));
      await turn();
    }
    this.runtime.network.run();
    await turn();
  }

  async until(what: string, holds: () => boolean, mostMs = 120_000): Promise<void> {
    for (let passed = 0; !holds(); passed += STEP_MS) {
      assert.ok(passed < mostMs, `still waiting for ${what}`);
      await this.pass(STEP_MS);
    }
  }

  /** What a verb answers; time passes until it does. */
  async done<T>(answer: Promise<T>, mostMs = 120_000): Promise<T> {
    let settled = false;
    const watched = answer.finally(() => (settled = true));
    await this.until("an answer", () => settled, mostMs);
    return await watched;
  }

  async stop(): Promise<void> {
    this.system.signal("SIGTERM");
    this.system.signal("SIGTERM");
    const code = await this.done(this.ended);
    const dropped = / while stopping: \d+ requests? dropped\n/.test(this.system.stderr);
    assert.equal(code, dropped ? 1 : 0, "what a test leaves in flight is dropped");
  }
}

/** Status and body of the answer that a client has. */
export function answerOf(peer: Peer): string {
  if (peer.received === "") return "";
  return `${peer.received.slice(9, 12)} ${peer.received.split("\r\n\r\n").at(-1)}`;
}
