/**
 * An event loop over epoll(7) that shares its thread with Bun's own. Ours has the byte path; Bun's has everything
 * else: TLS, Unix sockets, files, processes, signals, name look-ups.
 *
 * A turn of ours is a task of Bun's (`setImmediate`), so Bun's loop goes on between two of them. A turn goes on for up to
 * a millisecond while there is something to do. It waits inside epoll_wait(2), where Bun's epoll descriptor is watched
 * too: whatever wakes Bun's loop wakes ours, and the turn ends. What Bun has for later (`setImmediate`, its timers)
 * does not show there, so a wait is never longer than `longestWaitMs`; timers of ours are exact.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { canEpoll, type EpollParts, SystemCalls } from "./calls.ts";
import { openSocketLibc } from "./libc.ts";
import { EPOLLIN, errnoName, LAYOUTS } from "./numbers.ts";
import { selfCheck } from "./self_check.ts";
import { type KeptBytes, KernelMemory } from "../kernel_memory.ts";
import { onScriptTimer } from "../../shared/script_generation.ts";
import { HeapTimer, TimerHeap } from "./timer_heap.ts";

/** How long a turn may go on while there is always something to do. */
const LONGEST_TURN_MS = 1;
/** See `EpollParts.longestWaitMs`. */
const LONGEST_WAIT_MS = 50;
const LONGEST_FORETOLD_MS = 60_000;
/** The platform's timers make a longer time 1 ms. */
const LONGEST_NAP_MS = 2 ** 31 - 1;
const O_CLOEXEC = 0o2000000;
/** Largest chunk that is received at once. */
export const MAX_CHUNK_BYTES = 256 * 1024;
/** Views of the receive buffer up to this length are made once. */
const KEPT_VIEWS = 4096;

/** What has a descriptor in the loop. */
export interface Pollable {
  readonly fd: number;
  /** Tells its events from those of an earlier owner of the same descriptor. Set by `add`. */
  tag: number;
  /** @param events of epoll(7): EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP */
  onReady(events: number): void;
}

export class EpollLoop {
  readonly calls: SystemCalls;
  readonly timers = new TimerHeap();
  /** What is received lies here during one event. */
  readonly buffer: KeptBytes;
  readonly #views: (Uint8Array | null)[] = new Array(KEPT_VIEWS).fill(null);
  readonly #epoll: number;
  /** Bun's epoll descriptor, which is watched in ours. */
  readonly #bun: number;
  readonly #drainMicrotasks: () => void;
  readonly #longestWaitMs: number;
  readonly #owners: (Pollable | undefined)[] = [];
  #later: (() => void)[] = [];
  #tags = 0;
  /** Open descriptors and timers for whose sake the process goes on. */
  #references = 0;
  #scheduled = false;
  #nap: ReturnType<typeof setTimeout> | null = null;

  constructor(
    calls: SystemCalls,
    buffer: KeptBytes,
    epoll: number,
    bun: number,
    drainMicrotasks: () => void,
    longestWaitMs: number,
  ) {
    this.calls = calls;
    this.buffer = buffer;
    this.#epoll = epoll;
    this.#bun = bun;
    this.#drainMicrotasks = drainMicrotasks;
    this.#longestWaitMs = longestWaitMs;
  }

  /** The first `length` bytes of `buffer`. */
  received(length: number): Uint8Array {
    const { bytes } = this.buffer;
    if (length >= KEPT_VIEWS) return bytes.subarray(0, length);
    return this.#views[length] ??= bytes.subarray(0, length);
  }

  /** @returns 0, or below zero when the kernel refuses; then nothing has changed */
  add(pollable: Pollable, events: number): number {
    this.#tags = (this.#tags + 1) >>> 0;
    const done = this.calls.watch(this.#epoll, pollable.fd, events, this.#tags);
    if (done < 0) return done;
    pollable.tag = this.#tags;
    this.#owners[pollable.fd] = pollable;
    this.ref();
    return done;
  }

  /**
   * What is watched from now on.
   * @returns 0, or below zero when the kernel refuses; then it is watched as before
   */
  change(pollable: Pollable, events: number): number {
    return this.calls.change(this.#epoll, pollable.fd, events, pollable.tag);
  }

  /**
   * Another owner of the same descriptor, which is watched already.
   * @returns 0, or below zero when the kernel refuses; then nothing has changed
   */
  hand(from: Pollable, to: Pollable, events: number): number {
    const done = this.change(from, events);
    if (done < 0) return done;
    to.tag = from.tag;
    this.#owners[to.fd] = to;
    return done;
  }

  /** Even EPOLLERR and EPOLLHUP are not told any more, until `attach`. */
  detach(pollable: Pollable): void {
    this.calls.unwatch(this.#epoll, pollable.fd);
  }

  /** @returns 0, or below zero when the kernel refuses; then it is still detached */
  attach(pollable: Pollable, events: number): number {
    return this.calls.watch(this.#epoll, pollable.fd, events, pollable.tag);
  }

  /**
   * To be called before the descriptor is closed, which ends the watching; but `detach` first what another process
   * or descriptor has as well: that stays open, and the kernel would go on telling of it.
   */
  remove(pollable: Pollable): void {
    this.#owners[pollable.fd] = undefined;
    this.unref();
  }

  /** Runs `task` when the present event has been handled, or soon. */
  later(task: () => void): void {
    this.#later.push(task);
    this.#schedule();
  }

  /** The process is to go on. */
  ref(): void {
    this.#references++;
    this.#schedule();
  }

  unref(): void {
    this.#references--;
  }

  /** The platform has something to do in `ms`: a wait of ours ends then. */
  letOthersGoOn(ms = 0): void {
    // Of what is further away nobody notices the 50 ms.
    const due = ms > 1 ? ms : 1;
    if (due > LONGEST_FORETOLD_MS) return;
    const at = performance.now() + due;
    this.timers.add(new OthersTurn(at));
    // Its clock may be a little behind.
    this.timers.add(new OthersTurn(at + 1));
  }

  /** A timer was set: without a reason to go on it must still fire, as long as others let the process go on. */
  timerSet(): void {
    if (!this.#scheduled) this.#rest();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#nap !== null) clearTimeout(this.#nap);
    this.#nap = null;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    try {
      this.#run();
    } finally {
      this.calls.memory.turnOver();
      this.#scheduled = false;
      if (this.#references > 0 || this.#later.length > 0) this.#schedule();
      else this.#rest();
    }
  };

  #run(): void {
    const { calls, timers } = this;
    const began = performance.now();
    let wait = this.#patience(began);
    for (;;) {
      const count = calls.wait(this.#epoll, wait);
      const bun = count > 0 && this.#dispatch(count);
      const now = performance.now();
      timers.fire(now);
      if (this.#later.length > 0) this.#runLater();
      if (bun || count <= 0 || now - began >= LONGEST_TURN_MS) break;
      this.#drainMicrotasks();
      wait = this.#patience(now);
    }
  }

  /** @returns whether Bun's loop has something to do */
  #dispatch(count: number): boolean {
    const { calls } = this;
    let bun = false;
    for (let index = 0; index < count; index++) {
      const fd = calls.descriptorAt(index);
      const owner = this.#owners[fd];
      if (owner !== undefined && owner.tag === calls.tagAt(index)) owner.onReady(calls.eventAt(index));
      else if (fd === this.#bun) bun = true;
      // Of a descriptor that was closed while a process being started had a copy of it, or whose close(2) failed.
      else if (owner === undefined) calls.unwatch(this.#epoll, fd);
    }
    return bun;
  }

  /** How long to wait for events, in milliseconds. */
  #patience(now: number): number {
    // With nothing open there is nothing to wait for, and the process may want to end.
    if (this.#later.length > 0 || this.#references === 0) return 0;
    const due = this.timers.next - now;
    return due <= 0 ? 0 : Math.min(Math.ceil(due), this.#longestWaitMs);
  }

  #runLater(): void {
    const tasks = this.#later;
    this.#later = [];
    let done = 0;
    try {
      for (const task of tasks) {
        done++;
        task();
      }
    } finally {
      if (done < tasks.length) this.#later = [...tasks.slice(done), ...this.#later];
    }
  }

  /** Nothing of ours is open. Timers go on as Bun's, as long as something else keeps the process. */
  #rest(): void {
    if (this.#nap !== null) clearTimeout(this.#nap);
    this.#nap = null;
    const { next } = this.timers;
    if (next === Infinity) return;
    const ms = Math.min(Math.max(0, next - performance.now()), LONGEST_NAP_MS);
    this.#nap = setTimeout(this.#wake, ms);
    this.#nap.unref();
  }

  readonly #wake = (): void => {
    this.#nap = null;
    this.#schedule();
  };
}

/** Ends a wait, and the turn with it. */
class OthersTurn extends HeapTimer {
  override fire(): void {}
}

let opened: EpollLoop | null = null;

/** The parts of a loop that is to be opened, as a test wants them. */
export type Fitting = (parts: EpollParts) => EpollParts;

/**
 * The loop of the process.
 *
 * @param fitting for the first loop of the process only
 * @returns why there cannot be one: no Bun, another processor, system calls that are not as expected
 */
export function openEpollLoop(fitting: Fitting = (parts) => parts): EpollLoop | string {
  if (opened !== null) return opened;
  try {
    const loop = open(fitting);
    if (typeof loop !== "string") {
      opened = loop;
      onScriptTimer((ms) => loop.letOthersGoOn(ms));
    }
    return loop;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function open(fitting: Fitting): EpollLoop | string {
  const layout = LAYOUTS[process.arch];
  const jsc = process.getBuiltinModule?.("bun:jsc" as "node:fs") as unknown as
    | { drainMicrotasks(): void }
    | undefined;
  if (!canEpoll() || layout === undefined || jsc === undefined) {
    return `nothing is known of ${process.platform} on ${process.arch}`;
  }
  const libc = openSocketLibc();
  if (libc === null) return "libc cannot be called";
  const parts = fitting({ libc, memory: new KernelMemory(), layout, longestWaitMs: LONGEST_WAIT_MS });
  const calls = new SystemCalls(parts);
  const buffer = parts.memory.keep(MAX_CHUNK_BYTES);
  const wrong = selfCheck(calls, buffer);
  if (wrong !== null) return wrong;
  const bun = bunEpoll();
  if (bun === null) return "the event loop of Bun was not found in /proc/self/fd";
  const epoll = calls.openEpoll();
  if (epoll < 0) return `epoll_create1: ${errnoName(calls.errno)}`;
  if (calls.watch(epoll, bun, EPOLLIN, 0) >= 0) {
    return new EpollLoop(calls, buffer, epoll, bun, jsc.drainMicrotasks, parts.longestWaitMs);
  }
  const why = errnoName(calls.errno);
  calls.close(epoll);
  return `the event loop of Bun cannot be watched: ${why}`;
}

/**
 * Bun opens one at its start, before anybody else in the process could. One that was inherited is not closed on exec,
 * or it would not be here.
 */
function bunEpoll(): number | null {
  let descriptors: string[];
  try {
    descriptors = readdirSync("/proc/self/fd");
  } catch {
    // No /proc here, or no descriptor left to read it with.
    return null;
  }
  const found = descriptors.map(Number).filter((fd) => isOwnEpoll(fd)).sort((a, b) => a - b);
  return found[0] ?? null;
}

function isOwnEpoll(fd: number): boolean {
  try {
    if (readlinkSync(`/proc/self/fd/${fd}`) !== "anon_inode:[eventpoll]") return false;
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
  } catch {
    return false;
  }
}
