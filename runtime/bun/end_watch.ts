/**
 * Notices the end of peers whose sockets are paused: a paused socket of Bun's is not watched for anything, so it does
 * not tell of a FIN or a reset behind unread bytes. All paused sockets are looked at together, four times a
 * second, by one call of poll(2).
 */
import process from "node:process";
import type { Clock } from "../contract/contract.ts";
import { openLibc } from "../shared/libc.ts";
import { KernelMemory } from "./kernel_memory.ts";

/** How often paused sockets are looked at. Milliseconds. */
const LOOK_MS = 250;

const POLLERR = 0x8;
const POLLHUP = 0x10;
/** Of Linux: the peer sends nothing more. */
const POLLRDHUP = 0x2000;
/** `struct pollfd`: descriptor (i32), events asked for and found (u16 each). */
const POLLFD_BYTES = 8;
const FOUND_AT = 6;

interface Polling {
  poll(fds: number, count: number, timeoutMs: number): number;
}

/** A socket that may be paused. */
export interface Pausable {
  /** Negative when it need not be looked at any more. */
  readonly pausedDescriptor: number;
  /** Not among those that are looked at, from now on. */
  unwatched(): void;
  /** The peer's end is there, behind what is unread. @param reset it cannot receive either */
  foundEnd(reset: boolean): void;
}

let loaded: Polling | null | undefined;
let memory: KernelMemory | null = null;

/** Whether the end of a peer is noticed here. */
export function canWatchEnds(): boolean {
  return polling() !== null;
}

export class EndWatch {
  readonly #clock: Clock;
  #watched: Pausable[] = [];
  #waiting = false;
  #fds = new Uint8Array(new ArrayBuffer(64 * POLLFD_BYTES));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called once, until `unwatched`. */
  add(socket: Pausable): void {
    if (polling() === null) return;
    this.#watched.push(socket);
    if (this.#waiting) return;
    this.#waiting = true;
    this.#clock.setTimer(LOOK_MS, this.#look, true);
  }

  readonly #look = (): void => {
    const sockets = this.#watched;
    const paused: Pausable[] = [];
    this.#watched = paused;
    this.#waiting = false;
    for (const socket of sockets) {
      if (socket.pausedDescriptor >= 0) paused.push(socket);
      else socket.unwatched();
    }
    if (paused.length === 0) return;
    this.#waiting = true;
    this.#clock.setTimer(LOOK_MS, this.#look, true);
    for (const [socket, found] of this.#poll(paused)) {
      // One that was told of before it may have changed it.
      if (socket.pausedDescriptor < 0) continue;
      socket.unwatched();
      socket.foundEnd((found & (POLLERR | POLLHUP)) !== 0);
    }
  };

  /** Takes those whose peer has ended off the list. */
  #poll(paused: Pausable[]): (readonly [Pausable, number])[] {
    const count = paused.length;
    if (this.#fds.length < count * POLLFD_BYTES) {
      this.#fds = new Uint8Array(new ArrayBuffer(2 * count * POLLFD_BYTES));
    }
    const view = new DataView(this.#fds.buffer);
    for (const [index, socket] of paused.entries()) {
      view.setInt32(index * POLLFD_BYTES, socket.pausedDescriptor, true);
      view.setUint32(index * POLLFD_BYTES + 4, POLLRDHUP, true);
    }
    memory ??= new KernelMemory();
    const fdsAt = memory.lent(this.#fds, 0, count * POLLFD_BYTES);
    if ((polling()?.poll(fdsAt, count, 0) ?? 0) <= 0) return [];
    const ended: (readonly [Pausable, number])[] = [];
    let kept = 0;
    for (let index = 0; index < count; index++) {
      const socket = paused[index] as Pausable;
      const found = view.getUint16(index * POLLFD_BYTES + FOUND_AT, true);
      if ((found & (POLLRDHUP | POLLERR | POLLHUP)) === 0) paused[kept++] = socket;
      else ended.push([socket, found]);
    }
    paused.length = kept;
    return ended;
  }
}

function polling(): Polling | null {
  if (loaded !== undefined) return loaded;
  loaded = process.platform !== "linux"
    ? null
    : openLibc<Polling>({ poll: { args: ["ptr", "usize", "i32"], returns: "i32" } });
  return loaded;
}
