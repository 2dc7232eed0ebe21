/**
 * The network under the in-memory runtime: addresses, names, listeners, and the scheduler through which
 * everything happens. Nothing moves and no event fires except inside `step` (or `run`, `settle`,
 * `advance`, which call it), so no event can fire inside a call of a socket method, and a seed fixes the
 * whole interleaving: one step carries bytes from one kernel buffer to the next, or delivers one event.
 */
import type { Address, Clock, SocketErrorCode } from "../../runtime/contract/contract.ts";
import { FakeClock } from "./fake_clock.ts";
import type { DatagramPeer } from "./memory_datagrams.ts";
import type { MemoryListener } from "./memory_runtime.ts";

/** How large the pieces are that bytes travel and are delivered in. */
export type Chunking = "whole" | "bytes" | "random";

export interface MemoryNetworkOptions {
  /** Default: a new `FakeClock`. With another clock, `advance` is not available. */
  readonly clock?: Clock;
  /** Null: first scheduled, first run. A number: each step picks one of what is possible. Default null. */
  readonly seed?: number | null;
  /** Default "random" with a seed, "whole" without. */
  readonly chunking?: Chunking;
  /** Bytes a socket takes before `write` comes up short. Default 64 KiB. */
  readonly sendBufferBytes?: number;
  /** Bytes that wait at a socket that is not reading. Default 64 KiB. */
  readonly receiveBufferBytes?: number;
  /**
   * When a listener closes, connections that nobody accepted yet are reset, as kernels do (default).
   * False: they are still accepted.
   */
  readonly resetQueueOnClose?: boolean;
  /** Chunks are left to whoever receives them, and spoilt when they are given back. Default false: lent. */
  readonly ownChunks?: boolean;
  /** The network runs itself, a bounded number of steps per turn of the event loop. Default false. */
  readonly autorun?: boolean;
}

/** Something that may be possible; it is queued at most once, and looks for itself whether it still is. */
export class Task {
  queued = false;
  /** Does one thing. False when there was nothing to do. */
  readonly run: () => boolean;

  constructor(run: () => boolean) {
    this.run = run;
  }
}

const defaultBufferBytes = 64 * 1024;
const defaultMaxSteps = 1_000_000;
const autorunStepsPerTurn = 64;
const firstListenPort = 49_152;
const firstDialPort = 20_000;

type Fault = "blackhole" | SocketErrorCode;

export class MemoryNetwork {
  readonly clock: Clock;
  readonly seed: number | null;
  readonly chunking: Chunking;
  readonly sendBufferBytes: number;
  readonly receiveBufferBytes: number;
  readonly resetQueueOnClose: boolean;
  /** What the `close` of a listener waits for. */
  closing: Promise<void> = Promise.resolve();
  readonly ownChunks: boolean;
  readonly autorun: boolean;

  /** Sockets handed to a handler of which `closed` has not been reported: 0 when nothing leaks. */
  openSockets = 0;
  /** Datagram sockets that have not been closed. */
  openDatagramSockets = 0;
  /** Who gets the datagrams sent to "host port"; nobody: they are lost. */
  readonly datagramPeers = new Map<string, DatagramPeer | "refuses">();
  /** Calls the contract forbids though they are harmless, such as a write before `drained`. */
  readonly misuses: string[] = [];
  /** Steps so far. */
  steps = 0;

  readonly #fakeClock: FakeClock | null;
  #randomState: number;
  #tasks: Task[] = [];
  #stepping = false;
  #pumping = false;
  readonly #names = new Map<string, readonly string[]>([["localhost", ["127.0.0.1"]]]);
  readonly #faults = new Map<string, Fault>();
  readonly #listeners = new Set<MemoryListener>();
  #nextListenPort = firstListenPort;
  #nextDialPort = firstDialPort;

  constructor(options: MemoryNetworkOptions = {}) {
    this.clock = options.clock ?? new FakeClock();
    this.#fakeClock = this.clock instanceof FakeClock ? this.clock : null;
    this.seed = options.seed ?? null;
    this.chunking = options.chunking ?? (this.seed === null ? "whole" : "random");
    this.sendBufferBytes = options.sendBufferBytes ?? defaultBufferBytes;
    this.receiveBufferBytes = options.receiveBufferBytes ?? defaultBufferBytes;
    this.resetQueueOnClose = options.resetQueueOnClose ?? true;
    this.ownChunks = options.ownChunks ?? false;
    this.autorun = options.autorun ?? false;
    this.#randomState = (this.seed ?? 1) >>> 0;
  }

  // ------------------------------------------------------------------ the scheduler

  /** Makes one thing happen, timers that are due included. False when the network is idle. */
  step(): boolean {
    if (this.#stepping) throw new Error("step() called from inside an event");
    this.#stepping = true;
    try {
      for (;;) {
        const fake = this.#fakeClock;
        const timerAt = fake === null ? null : fake.nextTimerAt;
        const timerDue = fake !== null && timerAt !== null && timerAt <= fake.now();
        const choices = this.#tasks.length + (timerDue ? 1 : 0);
        if (choices === 0) return false;
        const choice = this.seed === null ? 0 : this.random(choices);
        if (choice === this.#tasks.length) {
          this.steps++;
          fake?.fireNext();
          return true;
        }
        const task = this.#take(choice);
        task.queued = false;
        if (task.run()) {
          this.steps++;
          return true;
        }
      }
    } finally {
      this.#stepping = false;
    }
  }

  #take(i: number): Task {
    const tasks = this.#tasks;
    // `!`: i is below the length in both branches.
    if (this.seed === null) return tasks.shift()!;
    const task = tasks[i]!;
    const last = tasks.pop()!;
    if (i < tasks.length) tasks[i] = last;
    return task;
  }

  /**
   * Steps until nothing is possible.
   * @throws Error after `maxSteps`: the peers keep each other busy for ever
   */
  run(maxSteps = defaultMaxSteps): void {
    for (let i = 0; this.step(); i++) {
      if (i >= maxSteps) throw new Error(`not idle after ${maxSteps} steps (seed ${this.seed})`);
    }
  }

  /** Like `run`, but lets promises settle in between, until both come to rest. */
  async settle(maxSteps = defaultMaxSteps): Promise<void> {
    for (let idleTurns = 0; idleTurns < 3; idleTurns++) {
      const before = this.steps;
      this.run(maxSteps);
      if (this.steps !== before) idleTurns = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Moves the fake clock timer by timer, and runs the network until idle before, between and after. */
  advance(ms: number, maxSteps = defaultMaxSteps): void {
    const clock = this.#requireFakeClock();
    const until = clock.now() + ms;
    this.run(maxSteps);
    while (clock.nextTimerAt !== null && clock.nextTimerAt <= until) {
      clock.advance(clock.nextTimerAt - clock.now());
      this.run(maxSteps);
    }
    clock.advance(until - clock.now());
  }

  #requireFakeClock(): FakeClock {
    if (this.#fakeClock === null) throw new Error("this network does not run on a FakeClock");
    return this.#fakeClock;
  }

  /** Queues a task unless it is queued already. */
  schedule(task: Task): void {
    if (task.queued) return;
    task.queued = true;
    this.#tasks.push(task);
    if (this.autorun && !this.#pumping) {
      this.#pumping = true;
      setImmediate(() => this.#pump());
    }
  }

  #pump(): void {
    let again = true;
    try {
      for (let i = 0; again && i < autorunStepsPerTurn; i++) again = this.step();
    } finally {
      this.#pumping = again && this.#tasks.length > 0;
      if (this.#pumping) setImmediate(() => this.#pump());
    }
  }

  // ------------------------------------------------------------------ chance

  /** An integer from 0 to `below - 1` (mulberry32). */
  random(below: number): number {
    this.#randomState = (this.#randomState + 0x6d2b79f5) >>> 0;
    let t = this.#randomState;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  }

  /** Heads or tails with a seed; always `otherwise` without. */
  coin(otherwise: boolean): boolean {
    return this.seed === null ? otherwise : this.random(2) === 1;
  }

  /** How many of `available` (> 0) bytes go in one piece. */
  piece(available: number): number {
    switch (this.chunking) {
      case "whole":
        return available;
      case "bytes":
        return 1;
      case "random": {
        // Often all, often a few, sometimes anything: boundaries near the start of a message matter most.
        const kind = this.random(4);
        if (kind === 0) return available;
        if (kind === 1) return 1 + this.random(available);
        return 1 + this.random(Math.min(available, 16));
      }
    }
  }

  // ------------------------------------------------------------------ names and faults

  /** Makes `name` resolve to these addresses; none = it does not resolve. */
  setName(name: string, addresses: readonly string[]): void {
    if (addresses.length === 0) this.#names.delete(name.toLowerCase());
    else this.#names.set(name.toLowerCase(), addresses);
  }

  /** What the platform's resolver says: the addresses of a name, an IP literal itself, or null. */
  lookUp(host: string): readonly string[] | null {
    if (isIpLiteral(host)) return [host];
    return this.#names.get(host.toLowerCase()) ?? null;
  }

  /** Dials to this address neither connect nor fail: only their deadline ends them. */
  blackhole(address: Address): void {
    this.#faults.set(addressKey(address), "blackhole");
  }

  /** Dials to this address, and attempts to bind it, fail with `code`. */
  fail(address: Address, code: SocketErrorCode): void {
    this.#faults.set(addressKey(address), code);
  }

  /** Undoes `blackhole` and `fail`, for dials that come later. */
  heal(address: Address): void {
    this.#faults.delete(addressKey(address));
  }

  faultAt(address: Address): Fault | null {
    return this.#faults.get(addressKey(address)) ?? null;
  }

  // ------------------------------------------------------------------ listeners

  /** Listeners that are open. */
  get openListeners(): number {
    return this.#listeners.size;
  }

  /** True when it was added; false when the address is taken. */
  addListener(listener: MemoryListener): boolean {
    for (const other of this.#listeners) {
      if (!overlap(other.address, listener.address)) continue;
      if (!other.options.reusePort || !listener.options.reusePort) return false;
    }
    this.#listeners.add(listener);
    return true;
  }

  removeListener(listener: MemoryListener): void {
    this.#listeners.delete(listener);
  }

  /** Who accepts a connection to this address (an IP literal or a path); null: refuse it. */
  listenerAt(address: Address): MemoryListener | null {
    const found: MemoryListener[] = [];
    for (const listener of this.#listeners) if (overlap(listener.address, address)) found.push(listener);
    return found[this.seed === null ? 0 : this.random(found.length)] ?? null;
  }

  /** A free port for a listener that asked for 0. */
  freePort(): number {
    return this.#nextListenPort++;
  }

  /** A port for the near end of a dialled connection. */
  dialPort(): number {
    const port = this.#nextDialPort++;
    if (this.#nextDialPort === firstListenPort) this.#nextDialPort = firstDialPort;
    return port;
  }
}

export function isIpLiteral(host: string): boolean {
  return host.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function overlap(a: Address, b: Address): boolean {
  if (a.kind === "unix" || b.kind === "unix") {
    return a.kind === "unix" && b.kind === "unix" && a.path === b.path;
  }
  if (a.port !== b.port) return false;
  if (a.host === b.host) return true;
  // Each wildcard covers its own family only.
  return (isWildcard(a.host) || isWildcard(b.host)) && a.host.includes(":") === b.host.includes(":");
}

function addressKey(address: Address): string {
  return address.kind === "unix" ? `unix:${address.path}` : `${address.host.toLowerCase()}:${address.port}`;
}
