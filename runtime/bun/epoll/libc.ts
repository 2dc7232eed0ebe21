/** The functions of libc that the epoll adapter calls, as glibc and musl have them. */
import { openLibc, type Signature } from "../../shared/libc.ts";

/** An address is a number that `addressWithin` gave. */
export interface Libc {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: number, length: number, flags: number): number;
  connect(fd: number, address: number, length: number): number;
  recv(fd: number, buffer: number, length: number, flags: number): number;
  send(fd: number, buffer: number, length: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  getsockname(fd: number, address: number, length: number): number;
  getpeername(fd: number, address: number, length: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  inet_pton(family: number, text: number, address: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, count: number, timeoutMs: number): number;
  /** Where errno(3) of this thread is. */
  __errno_location(): number;
}

const call = (...args: Signature["args"]): Signature => ({ args, returns: "i32" });

/** What `ssize_t` is comes back as `i32`: nothing here is as long as 2 GiB. */
const SIGNATURES: Readonly<Record<keyof Libc, Signature>> = {
  socket: call("i32", "i32", "i32"),
  bind: call("i32", "ptr", "i32"),
  listen: call("i32", "i32"),
  accept4: call("i32", "ptr", "ptr", "i32"),
  connect: call("i32", "ptr", "i32"),
  recv: call("i32", "ptr", "usize", "i32"),
  send: call("i32", "ptr", "usize", "i32"),
  shutdown: call("i32", "i32"),
  close: call("i32"),
  getsockopt: call("i32", "i32", "i32", "ptr", "ptr"),
  setsockopt: call("i32", "i32", "i32", "ptr", "i32"),
  getsockname: call("i32", "ptr", "ptr"),
  getpeername: call("i32", "ptr", "ptr"),
  fcntl: call("i32", "i32", "i32"),
  inet_pton: call("i32", "ptr", "ptr"),
  epoll_create1: call("i32"),
  epoll_ctl: call("i32", "i32", "i32", "ptr"),
  epoll_wait: call("i32", "ptr", "i32", "i32"),
  __errno_location: { args: [], returns: "ptr" },
};

/** Null where libc cannot be called, or lacks one of them. */
export function openSocketLibc(): Libc | null {
  return openLibc<Libc>(SIGNATURES);
}
