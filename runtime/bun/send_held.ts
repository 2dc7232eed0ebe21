/**
 * send(2) on Bun: past TLS, and with MSG_MORE, which does not offer it: the kernel keeps the bytes until more follows. With a FIN
 * right behind them both leave in one packet, and the peer acknowledges one packet instead of two.
 */
import process from "node:process";
import { openLibc } from "../shared/libc.ts";
import { KernelMemory } from "./kernel_memory.ts";

interface Sending {
  send(fd: number, address: number, length: number, flags: number): number;
}

/** Linux: MSG_DONTWAIT and MSG_NOSIGNAL. */
const FLAGS = 0x40 | 0x4000;
const MSG_MORE = 0x8000;

let loaded: Sending["send"] | null | undefined;
let memory: KernelMemory | null = null;

/**
 * Sends the first `length` bytes to a TCP socket; the kernel keeps what it took for 200 ms at most.
 *
 * @param fd of an open socket, negative when it is not open any more
 * @returns bytes taken; 0 when none was, or where this cannot be done
 */
export function sendHeld(fd: number, bytes: Uint8Array, length: number): number {
  return send(fd, bytes, length, FLAGS | MSG_MORE);
}

/** The same, at once. */
export function sendDirectly(fd: number, bytes: Uint8Array, length: number): number {
  return send(fd, bytes, length, FLAGS);
}

function send(fd: number, bytes: Uint8Array, length: number, flags: number): number {
  if (loaded === undefined) loaded = load();
  if (loaded === null || fd < 0 || length === 0) return 0;
  memory ??= new KernelMemory();
  const taken = loaded(fd, memory.lent(bytes, 0, length), length, flags);
  return taken < 0 ? 0 : taken;
}

function load(): Sending["send"] | null {
  if (process.platform !== "linux") return null;
  // What is sent is shorter than 2 GiB, so its length comes back whole in an i32.
  return openLibc<Sending>({ send: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" } })?.send ?? null;
}
