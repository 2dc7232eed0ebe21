/** The supervisor against workers that do what a test says, on a clock that a test moves. */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config/load_config.ts";
import type { Config } from "../../src/config/values/config.ts";
import { Supervisor } from "../../src/process/supervisor/supervisor.ts";
import type { Noted } from "../../src/process/shared/script_note.ts";
import type { SupervisorObserver } from "../../src/process/supervisor/supervisor_observer.ts";
import {
  type CommandResult,
  PROTOCOL,
  type ToSupervisor,
  type ToWorker,
  type WorkerCommand,
  type WorkerEvent,
} from "../../src/process/worker/messages.ts";
import type { WorkerLinkEvents } from "../../src/process/worker/worker_link.ts";
import { FakeClock } from "./fake_clock.ts";

export const ADDRESS = { kind: "tcp", host: "127.0.0.1", port: 4711 } as const;

export function configOf(yaml: string): Config {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "test.yaml", text: yaml } });
  assert.ok(loaded.ok);
  return loaded.config;
}

export class FakeWorker {
  readonly index: number;
  readonly events: WorkerLinkEvents;
  readonly heard: ToWorker[] = [];
  killed = false;

  constructor(index: number, events: WorkerLinkEvents) {
    this.index = index;
    this.events = events;
  }

  say(message: ToSupervisor): this {
    this.events.message(message);
    return this;
  }

  hello(): this {
    return this.say({ type: "hello", protocol: PROTOCOL, pid: 1 });
  }

  listens(): this {
    return this.say({
      type: "listening",
      addresses: [ADDRESS],
      sockets: { kind: "epoll", reason: "" },
      scriptFiles: [],
    });
  }

  exit(code: number | null = 0, signal = ""): void {
    this.events.exited({ code, signal });
  }

  /** Orders that it has been given, in words. */
  commands(): string[] {
    return this.heard.flatMap((message) => message.type === "command" ? [message.command.command] : []);
  }

  /** Answers the last command. */
  done(result: CommandResult = { ok: true }): this {
    const last = this.heard.findLast((message) => message.type === "command");
    assert.ok(last?.type === "command");
    return this.say({ type: "done", id: last.id, result });
  }

  /** The last order of this kind. */
  command<K extends WorkerCommand["command"]>(kind: K): Extract<WorkerCommand, { command: K }> | undefined {
    const commands = this.heard.flatMap((message) => message.type === "command" ? [message.command] : []);
    return commands.findLast((command): command is Extract<WorkerCommand, { command: K }> =>
      command.command === kind
    );
  }

  types(): string[] {
    return this.heard.map(({ type }) => type);
  }

  get start(): Extract<ToWorker, { type: "start" }> | undefined {
    return this.heard.find((message) => message.type === "start");
  }
}

export class SupervisorScene implements SupervisorObserver {
  readonly clock = new FakeClock();
  /** Every worker started, in order. */
  readonly workers: FakeWorker[] = [];
  readonly events: string[] = [];
  readonly supervisor: Supervisor;
  /** Process ids. */
  readonly stopped = new Set<number>();
  /** Memory of workers, by process id and address. */
  readonly exposed = new Map<string, Uint8Array>();

  constructor(count: number, yaml = "to: 3000") {
    this.supervisor = new Supervisor(
      this.clock,
      configOf(yaml),
      count,
      ({ index }, events) => {
        const worker = new FakeWorker(index, events);
        this.workers.push(worker);
        return {
          pid: 100 + this.workers.length,
          send: (message) => void worker.heard.push(message),
          kill: () => {
            worker.killed = true;
          },
        };
      },
      this,
      {
        isStopped: (pid) => this.stopped.has(pid),
        readExposed: (pid, address) => this.exposed.get(`${pid} ${address}`) ?? null,
      },
    );
  }

  worker(at: number): FakeWorker {
    const worker = this.workers.at(at);
    assert.ok(worker !== undefined);
    return worker;
  }

  /** All workers start as they should. */
  async serve(): Promise<void> {
    const started = this.supervisor.start();
    for (const worker of this.workers) worker.hello();
    for (const worker of this.workers) worker.listens();
    assert.deepEqual(await started, { ok: true, addresses: [ADDRESS] });
  }

  workerEnded(index: number, _pid: number, why: string, pauseMs: number): void {
    assert.ok(pauseMs >= 50 && pauseMs <= 10_000, `${pauseMs}`);
    this.events.push(`${index} ended: ${why}`);
  }

  workerStalled(index: number, _pid: number, silentMs: number, noted: Noted | null): void {
    const where = noted === null
      ? ""
      : noted === "outside"
      ? " outside of calls"
      : ` in ${noted.phase} of ${noted.script}: ${noted.method} ${noted.uri}`;
    this.events.push(`${index} stalled: ${Math.round(silentMs / 1000)} s${where}`);
  }

  workerBack(index: number): void {
    this.events.push(`${index} back`);
  }

  participantGone(index: number): void {
    this.events.push(`${index} gone`);
  }

  workerConfused(index: number, what: string): void {
    this.events.push(`${index} confused: ${what}`);
  }

  workerEvent(index: number, { event }: WorkerEvent): void {
    this.events.push(`${index} says ${event}`);
  }
}
