/**
 * Flags of a descriptor that another program has opened. systemd passes sockets that block (`NonBlocking=no`), and an
 * accept(2) that blocks would stop the whole loop; libuv sees to that itself, Bun does not.
 */
import process from "node:process";
import { openLibc } from "./libc.ts";

interface Flags {
  fcntl(fd: number, command: number, argument: number): number;
}

const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const FD_CLOEXEC = 1;
const O_NONBLOCK = 0o4000;

/** Makes it non-blocking, and not for programs that we start. Nothing on other runtimes. */
export function fixSocket(fd: number): void {
  if (process.platform !== "linux" || !("Bun" in globalThis)) return;
  const libc = openLibc<Flags>({ fcntl: { args: ["i32", "i32", "i32"], returns: "i32" } });
  if (libc === null) return;
  libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
  const flags = libc.fcntl(fd, F_GETFL, 0);
  if (flags >= 0) libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}
