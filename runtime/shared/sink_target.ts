/** What a sink writes to: how a descriptor is opened so that no write waits, where that can be. */
import * as fs from "node:fs";
import type { Buffer } from "node:buffer";
import { sendNow, sends } from "./send_now.ts";
import { systemError } from "./system_error.ts";

/** Up to here a pipe, a socket and a terminal take a write whole, without parts of others' in between. */
export const PIPE_BUF = 4_096;

/** What is to be written to one descriptor; there is more than one during a log rotation. */
export interface Target {
  readonly fd: number;
  /** Regular files and what cannot be written to otherwise are written by the pool's threads, the rest by non-blocking calls. */
  readonly blocking: boolean;
  /** A socket that is written to by send(2). */
  readonly socket: boolean;
  readonly regular: boolean;
  readonly close: boolean;
  pieces: string[];
  /** Called once nothing more will be written here. */
  retired: (() => void) | null;
}

/** A socket or the like: a write of ours could block for ever, and one of the pool tells us nothing here. */
export function isBlind(target: Target): boolean {
  return target.blocking && !target.regular;
}

/** @throws SystemError */
export function openPath(path: string): Target {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = fs.constants;
  // O_NONBLOCK: a named pipe without a reader fails with ENXIO instead of hanging us.
  const flags = O_WRONLY | O_APPEND | O_CREAT | (O_NONBLOCK ?? 0);
  try {
    return describe(fs.openSync(path, flags, 0o640), true);
  } catch (error) {
    throw systemError(error);
  }
}

export function openDescriptor(fd: number): Target {
  try {
    const stat = fs.fstatSync(fd);
    // Deno would not say how much of a line a terminal has taken.
    if (stat.isFIFO() || (stat.isCharacterDevice() && !("Deno" in globalThis))) {
      const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
      return describe(fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY), true);
    }
  } catch {
    // Not Linux, not permitted, or not open at all: what is written will tell.
  }
  return describe(fd, false);
}

/** Writes to one of the standard descriptors: throws EAGAIN where that would have to wait, if the platform can tell. */
export function withoutWaiting(
  fd: number,
): { readonly write: (bytes: Buffer) => number; readonly close: () => void } {
  const target = openDescriptor(fd);
  return {
    write: (bytes) =>
      target.socket ? sendNow(target.fd, bytes, 0, bytes.length) : fs.writeSync(target.fd, bytes),
    close: () => target.close && closeQuietly(target.fd),
  };
}

function describe(fd: number, ours: boolean): Target {
  let regular = false;
  let isSocket = false;
  try {
    const stat = fs.fstatSync(fd);
    regular = stat.isFile();
    isSocket = stat.isSocket();
  } catch {
    // Not open: every write fails, and is counted as dropped.
  }
  const socket = !ours && isSocket && sends();
  return {
    fd,
    blocking: !socket && (regular || !ours),
    socket,
    regular,
    close: ours,
    pieces: [],
    retired: null,
  };
}

export function isFull(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "EAGAIN" || code === "EWOULDBLOCK" || code === "EINTR";
}

export function sizeOf(fd: number): number {
  try {
    return fs.fstatSync(fd).size;
  } catch {
    return 0;
  }
}

export function closeQuietly(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // Nothing to be done about it.
  }
}
