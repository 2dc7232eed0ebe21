/**
 * send(2) with MSG_DONTWAIT on Bun: the one way to write to a socket that other processes have as well (systemd's
 * journal is one) without waiting for its reader, and without making it non-blocking for the others.
 */
import type { Buffer } from "node:buffer";
import process from "node:process";
import { bunFfi, openLibc } from "./libc.ts";

interface Sending {
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  __errno_location(): number;
}

/** Linux: MSG_DONTWAIT and MSG_NOSIGNAL. */
const FLAGS = 0x40 | 0x4000;
/** Of those that Linux answers here; the same on x86-64 and ARM64. */
const ERROR_NAMES: ReadonlyMap<number, string> = new Map([
  [4, "EINTR"],
  [9, "EBADF"],
  [11, "EAGAIN"],
  [12, "ENOMEM"],
  [32, "EPIPE"],
  [104, "ECONNRESET"],
  [105, "ENOBUFS"],
  [107, "ENOTCONN"],
]);

let loaded: Sending | null | undefined;

/** `sendNow` works. */
export function sends(): boolean {
  if (loaded === undefined) loaded = load();
  return loaded !== null;
}

/**
 * @param fd of a stream socket
 * @returns how many bytes were taken
 * @throws Error with a `code`: EAGAIN when the socket is full
 */
export function sendNow(fd: number, bytes: Buffer, from: number, length: number): number {
  const libc = sends() ? loaded ?? null : null;
  if (libc === null) throw Object.assign(new Error("no send(2) here"), { code: "ENOSYS" });
  const taken = libc.send(fd, bytes.subarray(from, from + length), length, FLAGS);
  if (taken >= 0) return taken;
  const number = bunFfi()?.read.i32(libc.__errno_location(), 0) ?? 0;
  const code = ERROR_NAMES.get(number) ?? `E${number}`;
  throw Object.assign(new Error(`${code}: send to descriptor ${fd}`), { code });
}

function load(): Sending | null {
  if (process.platform !== "linux" || bunFfi() === null) return null;
  // What is sent is shorter than 2 GiB, so its length comes back whole in an i32.
  return openLibc<Sending>({
    send: { args: ["i32", "buffer", "usize", "i32"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
  });
}
