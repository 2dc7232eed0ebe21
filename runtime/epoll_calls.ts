/**
 * The system calls that epoll.ts is made of, on Linux, through `bun:ffi`. Everything that knows a number or a layout
 * of the kernel's is here: constants, `struct sockaddr`, `struct epoll_event`, errno.
 *
 * Arrays whose addresses are kept have an ArrayBuffer of their own: the engine moves the others.
 */
import process from "node:process";
import { bunFfi, openLibc, type Signature } from "./bun_libc.ts";

export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
/** The peer sends nothing more. */
export const EPOLLRDHUP = 0x2000;

/** Numbers of errno(3) that decide something here; the same on x86-64 and ARM64. */
export const ERRNO = {
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  EPIPE: 32,
  EPROTO: 71,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EINPROGRESS: 115,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ERRNO).map(([name, number]) => [number, name]),
);

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
/** SOCK_NONBLOCK and SOCK_CLOEXEC. */
const OPEN_FLAGS = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const TCP_NODELAY = 1;
const SHUT_WR = 1;
const MSG_PEEK = 0x2;
/** A broken connection is an answer, not a signal. */
const MSG_NOSIGNAL = 0x4000;
/** The kernel keeps the bytes until more follows, 200 ms at most. */
const MSG_MORE = 0x8000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const F_SETFD = 2;
const F_SETFL = 4;
const FD_CLOEXEC = 1;
const O_NONBLOCK = 0o4000;

/** `struct epoll_event` in words of 32 bits: packed on x86-64 only. */
const EVENT_WORDS = process.arch === "x64" ? 3 : 4;
const DATA_WORD = process.arch === "x64" ? 1 : 2;
const MAX_EVENTS = 512;
/** `struct sockaddr_in6`, the longest that we use. */
const SOCKADDR_BYTES = 28;

interface Libc {
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
  inet_pton(family: number, text: Uint8Array, address: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, count: number, timeoutMs: number): number;
  __errno_location(): number;
}

const call = (...args: Signature["args"]): Signature => ({ args, returns: "i32" });

const SIGNATURES: Readonly<Record<keyof Libc, Signature>> = {
  socket: call("i32", "i32", "i32"),
  bind: call("i32", "ptr", "i32"),
  listen: call("i32", "i32"),
  accept4: call("i32", "ptr", "ptr", "i32"),
  connect: call("i32", "ptr", "i32"),
  recv: call("i32", "ptr", "i32", "i32"),
  send: call("i32", "ptr", "i32", "i32"),
  shutdown: call("i32", "i32"),
  close: call("i32"),
  getsockopt: call("i32", "i32", "i32", "ptr", "ptr"),
  setsockopt: call("i32", "i32", "i32", "ptr", "i32"),
  getsockname: call("i32", "ptr", "ptr"),
  getpeername: call("i32", "ptr", "ptr"),
  fcntl: call("i32", "i32", "i32"),
  inet_pton: call("i32", "buffer", "ptr"),
  epoll_create1: call("i32"),
  epoll_ctl: call("i32", "i32", "i32", "ptr"),
  epoll_wait: call("i32", "ptr", "i32", "i32"),
  __errno_location: { args: [], returns: "ptr" },
};

/** An IP address and a port. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Whether the numbers and layouts below are those of this machine. */
export function canEpoll(): boolean {
  return process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
}

/** Null where they cannot be had: another platform, another processor, no libc. */
export function openSystemCalls(): SystemCalls | null {
  if (!canEpoll()) return null;
  const libc = openLibc<Libc>(SIGNATURES);
  return libc === null ? null : new SystemCalls(libc);
}

/**
 * System calls on sockets. Answers below zero are failures, and `errno` says which; it must be read before anything
 * else is called.
 */
export class SystemCalls {
  readonly #libc: Libc;
  readonly #addressOf: (array: ArrayBufferView) => number;
  readonly #readWord: (address: number, offset: number) => number;
  readonly #errnoAt: number;
  readonly #events = new Uint32Array(new ArrayBuffer(MAX_EVENTS * EVENT_WORDS * 4));
  readonly #eventsAt: number;
  /** One `struct epoll_event`, one socket option. */
  readonly #words = new Uint32Array(new ArrayBuffer(64));
  readonly #wordsAt: number;
  readonly #sockaddr = new Uint8Array(new ArrayBuffer(64));
  readonly #sockaddrAt: number;
  /** `socklen_t`. */
  readonly #length = new Uint32Array(new ArrayBuffer(64));
  readonly #lengthAt: number;

  constructor(libc: Libc) {
    const ffi = bunFfi();
    if (ffi === null) throw new Error("no bun:ffi");
    this.#libc = libc;
    this.#addressOf = ffi.ptr;
    this.#readWord = ffi.read.i32;
    this.#errnoAt = libc.__errno_location();
    this.#eventsAt = ffi.ptr(this.#events);
    this.#wordsAt = ffi.ptr(this.#words);
    this.#sockaddrAt = ffi.ptr(this.#sockaddr);
    this.#lengthAt = ffi.ptr(this.#length);
  }

  get errno(): number {
    return this.#readWord(this.#errnoAt, 0);
  }

  /** Of an array that has an ArrayBuffer of its own and is kept by the caller. */
  addressOf(array: ArrayBufferView): number {
    return this.#addressOf(array);
  }

  // Bytes

  recv(fd: number, address: number, length: number): number {
    return this.#libc.recv(fd, address, length, 0);
  }

  /** Whether something can be received: more than 0 yes, 0 the peer's end, below 0 no. */
  peek(fd: number): number {
    return this.#libc.recv(fd, this.#wordsAt, 1, MSG_PEEK);
  }

  send(fd: number, bytes: Uint8Array, from: number, length: number): number {
    return this.#libc.send(fd, this.#addressOf(bytes) + from, length, MSG_NOSIGNAL);
  }

  /** The same, to leave in one packet with the FIN that follows. */
  sendLast(fd: number, bytes: Uint8Array, from: number, length: number): number {
    return this.#libc.send(fd, this.#addressOf(bytes) + from, length, MSG_NOSIGNAL | MSG_MORE);
  }

  /** FIN after what was sent. */
  shutdown(fd: number): void {
    this.#libc.shutdown(fd, SHUT_WR);
  }

  close(fd: number): void {
    this.#libc.close(fd);
  }

  /** Closes with a reset: SO_LINGER of zero seconds. */
  reset(fd: number): void {
    this.#words[0] = 1;
    this.#words[1] = 0;
    this.#libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, this.#wordsAt, 8);
    this.#libc.close(fd);
  }

  /** SO_ERROR, which is taken by asking; 0 when there is none. */
  pendingError(fd: number): number {
    this.#length[0] = 4;
    if (this.#libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#wordsAt, this.#lengthAt) < 0) return this.errno;
    return this.#words[0] ?? 0;
  }

  // Sockets

  /**
   * A socket that listens, without Nagle's algorithm, which accepted ones inherit (Linux). One for IPv6 leaves the
   * port of the other family free (RFC 3493 §5.3), whatever net.ipv6.bindv6only says.
   */
  openListener(host: string, port: number, backlog: number, reusePort: boolean): number {
    const fd = this.#openFor(host, port);
    if (fd < 0) return fd;
    this.#setOption(fd, SOL_SOCKET, SO_REUSEADDR);
    if (reusePort) this.#setOption(fd, SOL_SOCKET, SO_REUSEPORT);
    if (this.#sockaddr[0] === AF_INET6) this.#setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    this.#setOption(fd, IPPROTO_TCP, TCP_NODELAY);
    if (this.#libc.bind(fd, this.#sockaddrAt, this.#sockaddrLength) < 0) return this.#closeFailed(fd);
    if (this.#libc.listen(fd, backlog) < 0) return this.#closeFailed(fd);
    return fd;
  }

  /** Makes an inherited socket one of ours: it must not block, nor reach the processes that we start unasked. */
  adopt(fd: number): void {
    this.#libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
    this.#libc.fcntl(fd, F_SETFL, O_NONBLOCK);
    this.#setOption(fd, IPPROTO_TCP, TCP_NODELAY);
  }

  /** The next connection that waits; `accepted` says whose it is. */
  accept(fd: number): number {
    this.#length[0] = SOCKADDR_BYTES;
    return this.#libc.accept4(fd, this.#sockaddrAt, this.#lengthAt, OPEN_FLAGS);
  }

  /** The peer of the connection that was accepted last. */
  accepted(): Peer {
    return this.#readPeer();
  }

  /** A socket being connected; below zero when that failed at once. */
  connect(host: string, port: number): number {
    const fd = this.#openFor(host, port);
    if (fd < 0) return fd;
    this.#setOption(fd, IPPROTO_TCP, TCP_NODELAY);
    if (this.#libc.connect(fd, this.#sockaddrAt, this.#sockaddrLength) < 0) {
      const { errno } = this;
      if (errno !== ERRNO.EINPROGRESS && errno !== ERRNO.EINTR) return this.#closeFailed(fd, errno);
    }
    return fd;
  }

  localOf(fd: number): Peer {
    this.#length[0] = SOCKADDR_BYTES;
    return this.#libc.getsockname(fd, this.#sockaddrAt, this.#lengthAt) < 0 ? NOWHERE : this.#readPeer();
  }

  remoteOf(fd: number): Peer {
    this.#length[0] = SOCKADDR_BYTES;
    return this.#libc.getpeername(fd, this.#sockaddrAt, this.#lengthAt) < 0 ? NOWHERE : this.#readPeer();
  }

  // epoll(7)

  openEpoll(): number {
    return this.#libc.epoll_create1(OPEN_FLAGS & ~O_NONBLOCK);
  }

  /** @param tag comes back with each event, beside the descriptor; 32 bits */
  watch(epoll: number, fd: number, events: number, tag: number): number {
    return this.#control(epoll, EPOLL_CTL_ADD, fd, events, tag);
  }

  change(epoll: number, fd: number, events: number, tag: number): number {
    return this.#control(epoll, EPOLL_CTL_MOD, fd, events, tag);
  }

  unwatch(epoll: number, fd: number): void {
    this.#control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
  }

  /**
   * Waits for events. @returns how many there are
   * @param timeoutMs 0 = do not wait
   */
  wait(epoll: number, timeoutMs: number): number {
    return this.#libc.epoll_wait(epoll, this.#eventsAt, MAX_EVENTS, timeoutMs);
  }

  /** Of the events of the last `wait`, the one at `index`: what, where, and the tag. */
  eventAt(index: number): number {
    return this.#events[index * EVENT_WORDS] as number;
  }

  descriptorAt(index: number): number {
    return this.#events[index * EVENT_WORDS + DATA_WORD] as number;
  }

  tagAt(index: number): number {
    return this.#events[index * EVENT_WORDS + DATA_WORD + 1] as number;
  }

  #control(epoll: number, operation: number, fd: number, events: number, tag: number): number {
    const words = this.#words;
    words[0] = events;
    words[DATA_WORD] = fd;
    words[DATA_WORD + 1] = tag;
    return this.#libc.epoll_ctl(epoll, operation, fd, this.#wordsAt);
  }

  /** A socket for `host`, whose `struct sockaddr` is in `#sockaddr` then. */
  #openFor(host: string, port: number): number {
    const six = host.includes(":");
    const bytes = this.#sockaddr.fill(0);
    new DataView(bytes.buffer).setUint16(0, six ? AF_INET6 : AF_INET, true);
    bytes[2] = port >>> 8;
    bytes[3] = port & 0xff;
    const text = new TextEncoder().encode(`${host}\0`);
    if (this.#libc.inet_pton(six ? AF_INET6 : AF_INET, text, this.#sockaddrAt + (six ? 8 : 4)) !== 1) {
      return -ERRNO.EAFNOSUPPORT;
    }
    const fd = this.#libc.socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | OPEN_FLAGS, 0);
    return fd < 0 ? -this.errno : fd;
  }

  get #sockaddrLength(): number {
    return this.#sockaddr[0] === AF_INET6 ? SOCKADDR_BYTES : 16;
  }

  #setOption(fd: number, level: number, name: number): void {
    this.#words[0] = 1;
    this.#libc.setsockopt(fd, level, name, this.#wordsAt, 4);
  }

  #closeFailed(fd: number, errno = this.errno): number {
    this.#libc.close(fd);
    return -errno;
  }

  #readPeer(): Peer {
    const bytes = this.#sockaddr;
    const port = (bytes[2] as number) << 8 | (bytes[3] as number);
    if (bytes[0] === AF_INET) return { address: dotted(bytes, 4), port };
    return { address: ipv6Text(bytes.subarray(8, 24)), port };
  }
}

const NOWHERE: Peer = { address: "", port: 0 };

/** Name of an error number as the other platforms give it: "ECONNREFUSED". */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/** An error as the other platforms give it, with its name as `code`. */
export function errnoError(errno: number): Error {
  const code = errnoName(errno);
  return Object.assign(new Error(code), { code });
}

/** Connections come several at a time from one client: they share the text that was made last. */
let lastAddress = 0;
let lastText = "0.0.0.0";

function dotted(bytes: Uint8Array, at: number): string {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  const address = a << 24 | b << 16 | c << 8 | d;
  if (address !== lastAddress) {
    lastText = `${a}.${b}.${c}.${d}`;
    lastAddress = address;
  }
  return lastText;
}

/**
 * IPv6 in the form of RFC 5952 §4: no leading zeros, lower case, the longest run of zeros as `::`. An IPv4 peer of a
 * dual-stack listener (::ffff:192.0.2.1) as IPv4.
 *
 * @param bytes 16 of them
 */
export function ipv6Text(bytes: Uint8Array): string {
  if (bytes.subarray(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff))) return dotted(bytes, 12);
  const words = Array.from(
    { length: 8 },
    (_, at) => (bytes[2 * at] as number) << 8 | (bytes[2 * at + 1] as number),
  );
  let [best, bestLength] = [-1, 1];
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && words[end] === 0) end++;
    if (end - at > bestLength) [best, bestLength] = [at, end - at];
  }
  const hex = (part: number[]): string => part.map((word) => word.toString(16)).join(":");
  return best < 0 ? hex(words) : `${hex(words.slice(0, best))}::${hex(words.slice(best + bestLength))}`;
}
