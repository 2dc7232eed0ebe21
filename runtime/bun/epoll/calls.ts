/**
 * The system calls that adapter.ts is made of, on Linux, through `bun:ffi`: the one file that makes them. Numbers and
 * layouts stand in numbers.ts, `struct sockaddr` in address.ts, what keeps addresses inside of their arrays
 * in kernel_memory.ts.
 */
import process from "node:process";
import { bunFfi } from "../../shared/libc.ts";
import { type Peer, SocketAddress } from "./address.ts";
import type { Libc } from "./libc.ts";
import {
  AF_INET6,
  AF_UNSPEC,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  ERRNO,
  type EventLayout,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  LAYOUTS,
  MSG_MORE,
  MSG_NOSIGNAL,
  MSG_PEEK,
  O_NONBLOCK,
  OPEN_FLAGS,
  SHUT_WR,
  SO_ERROR,
  SO_LINGER,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from "./numbers.ts";
import { type KeptBytes, type KernelMemory, viewOf } from "../kernel_memory.ts";

const MAX_EVENTS = 512;
/** Of the longest layout, so that no kernel writes beyond them. */
const EVENTS_BYTES = MAX_EVENTS * 16;
/** One `struct epoll_event`, one socket option. */
const WORDS_BYTES = 16;

/** What the calls are made with. Tests put others in their place. */
export interface EpollParts {
  readonly libc: Libc;
  readonly memory: KernelMemory;
  readonly layout: EventLayout;
  /** Milliseconds: what others left for later (`setImmediate`, `setTimeout`) must not wait longer for a wait of ours. */
  readonly longestWaitMs: number;
}

/** Whether numbers and layouts are known for this machine. */
export function canEpoll(): boolean {
  return process.platform === "linux" && LAYOUTS[process.arch] !== undefined;
}

/**
 * System calls on sockets. Answers below zero are failures, and `errno` says which, where the answer itself does not;
 * it must be read before anything else is called.
 */
export class SystemCalls {
  readonly memory: KernelMemory;
  readonly #libc: Libc;
  readonly #readWord: (address: number, offset: number) => number;
  readonly #errnoAt: number;
  readonly #eventWords: number;
  readonly #dataWord: number;
  readonly #eventsKept: KeptBytes;
  readonly #events: Uint32Array;
  readonly #wordsKept: KeptBytes;
  readonly #words: Uint32Array;
  /** `socklen_t` of a socket option. */
  readonly #lengthKept: KeptBytes;
  readonly #length: DataView;
  readonly #address: SocketAddress;

  constructor({ libc, memory, layout }: EpollParts) {
    const ffi = bunFfi();
    if (ffi === null) throw new Error("no bun:ffi");
    this.memory = memory;
    this.#libc = libc;
    this.#readWord = ffi.read.i32;
    this.#errnoAt = libc.__errno_location();
    this.#eventWords = layout.words;
    this.#dataWord = layout.data;
    this.#eventsKept = memory.keep(EVENTS_BYTES);
    this.#events = wordsOf(this.#eventsKept);
    this.#wordsKept = memory.keep(WORDS_BYTES);
    this.#words = wordsOf(this.#wordsKept);
    this.#lengthKept = memory.keep(8);
    this.#length = viewOf(this.#lengthKept.bytes);
    this.#address = new SocketAddress(libc, memory);
  }

  get errno(): number {
    return this.#readWord(this.#errnoAt, 0);
  }

  // Bytes

  recv(fd: number, into: KeptBytes, length: number): number {
    return this.#libc.recv(fd, into.at(0, length), length, 0);
  }

  /** Whether something can be received: more than 0 yes, 0 the peer's end, below 0 no. */
  peek(fd: number): number {
    return this.#libc.recv(fd, this.#wordsKept.at(0, 1), 1, MSG_PEEK);
  }

  send(fd: number, bytes: Uint8Array, from: number, length: number): number {
    return this.#libc.send(fd, this.memory.lent(bytes, from, length), length, MSG_NOSIGNAL);
  }

  /** The same, to leave in one packet with the FIN that follows. */
  sendLast(fd: number, bytes: Uint8Array, from: number, length: number): number {
    return this.#libc.send(fd, this.memory.lent(bytes, from, length), length, MSG_NOSIGNAL | MSG_MORE);
  }

  /** FIN after what was sent. */
  shutdown(fd: number): number {
    return this.#libc.shutdown(fd, SHUT_WR);
  }

  /** Linux frees the descriptor whatever close(2) answers: it is never to be called again for it. */
  close(fd: number): void {
    this.#libc.close(fd);
  }

  /**
   * Closes with a reset: SO_LINGER of zero seconds. Where that is refused a connect(2) to no address makes one: an end in
   * order would make an answer that was cut look complete.
   */
  reset(fd: number): void {
    this.#words[0] = 1;
    this.#words[1] = 0;
    if (this.#libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, this.#wordsKept.at(0, 8), 8) < 0) {
      this.#words[0] = AF_UNSPEC;
      this.#libc.connect(fd, this.#wordsKept.at(0, WORDS_BYTES), WORDS_BYTES);
    }
    this.#libc.close(fd);
  }

  /** SO_ERROR, which is taken by asking; 0 when there is none. */
  pendingError(fd: number): number {
    this.#length.setUint32(0, 4, true);
    const valueAt = this.#wordsKept.at(0, 4);
    if (this.#libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, valueAt, this.#lengthKept.at(0, 4)) < 0) {
      return this.errno;
    }
    return this.#words[0] ?? 0;
  }

  // Sockets. Failures of those that open one are -errno.

  /**
   * A socket that listens, without Nagle's algorithm, which accepted ones inherit (Linux). One for IPv6 leaves the
   * port of the other family free (RFC 3493 §5.3), whatever net.ipv6.bindv6only says.
   */
  openListener(host: string, port: number, backlog: number, reusePort: boolean): number {
    if (!this.#address.setTcp(host, port)) return -ERRNO.EAFNOSUPPORT;
    const fd = this.#open();
    if (fd < 0) return fd;
    const six = this.#address.family === AF_INET6;
    this.#setOption(fd, IPPROTO_TCP, TCP_NODELAY);
    if (
      this.#setOption(fd, SOL_SOCKET, SO_REUSEADDR) < 0 ||
      (reusePort && this.#setOption(fd, SOL_SOCKET, SO_REUSEPORT) < 0) ||
      (six && this.#setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0)
    ) return this.#closeFailed(fd);
    return this.#listen(fd, backlog);
  }

  /** @param path as of `SocketAddress.setUnix` */
  openUnixListener(path: string, backlog: number): number {
    if (!this.#address.setUnix(path)) return -ERRNO.ENAMETOOLONG;
    const fd = this.#open();
    return fd < 0 ? fd : this.#listen(fd, backlog);
  }

  /**
   * Makes an inherited socket one of ours: it must not block, nor reach the processes that we start unasked.
   * @returns below zero when that cannot be
   */
  adopt(fd: number): number {
    this.#setOption(fd, IPPROTO_TCP, TCP_NODELAY);
    const kept = this.#libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
    return kept < 0 ? kept : this.#libc.fcntl(fd, F_SETFL, O_NONBLOCK);
  }

  /** The next connection that waits; `accepted` says whose it is. */
  accept(fd: number): number {
    const address = this.#address;
    return this.#libc.accept4(fd, address.room(), address.lengthAt, OPEN_FLAGS);
  }

  /** The peer of the connection that was accepted last. */
  accepted(): Peer {
    return this.#address.read();
  }

  /** A socket being connected; below zero when that failed at once. */
  connect(host: string, port: number): number {
    if (!this.#address.setTcp(host, port)) return -ERRNO.EAFNOSUPPORT;
    const fd = this.#open();
    if (fd < 0) return fd;
    this.#setOption(fd, IPPROTO_TCP, TCP_NODELAY);
    return this.#connect(fd);
  }

  connectUnix(path: string): number {
    if (path === "" || !this.#address.setUnix(path)) return -ERRNO.ENAMETOOLONG;
    const fd = this.#open();
    return fd < 0 ? fd : this.#connect(fd);
  }

  /** To where another socket listens. */
  connectTo(listener: number): number {
    const address = this.#address;
    if (this.#libc.getsockname(listener, address.room(), address.lengthAt) < 0) return this.#failure();
    address.take();
    const fd = this.#open();
    return fd < 0 ? fd : this.#connect(fd);
  }

  /** Null when the kernel does not say. */
  localOf(fd: number): Peer | null {
    const address = this.#address;
    return this.#libc.getsockname(fd, address.room(), address.lengthAt) < 0 ? null : address.read();
  }

  /** Null when it is not connected. */
  remoteOf(fd: number): Peer | null {
    const address = this.#address;
    return this.#libc.getpeername(fd, address.room(), address.lengthAt) < 0 ? null : address.read();
  }

  // epoll(7)

  openEpoll(): number {
    return this.#libc.epoll_create1(EPOLL_CLOEXEC);
  }

  /** @param tag comes back with each event, beside the descriptor; 32 bits */
  watch(epoll: number, fd: number, events: number, tag: number): number {
    return this.#control(epoll, EPOLL_CTL_ADD, fd, events, tag);
  }

  change(epoll: number, fd: number, events: number, tag: number): number {
    return this.#control(epoll, EPOLL_CTL_MOD, fd, events, tag);
  }

  unwatch(epoll: number, fd: number): number {
    return this.#control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
  }

  /**
   * Waits for events. @returns how many there are
   * @param timeoutMs 0 = do not wait
   */
  wait(epoll: number, timeoutMs: number): number {
    const eventsAt = this.#eventsKept.at(0, EVENTS_BYTES);
    return this.#libc.epoll_wait(epoll, eventsAt, MAX_EVENTS, timeoutMs);
  }

  /** Of the events of the last `wait`, the one at `index`: what, where, and the tag. */
  eventAt(index: number): number {
    return this.#events[index * this.#eventWords] as number;
  }

  descriptorAt(index: number): number {
    return this.#events[index * this.#eventWords + this.#dataWord] as number;
  }

  tagAt(index: number): number {
    return this.#events[index * this.#eventWords + this.#dataWord + 1] as number;
  }

  #control(epoll: number, operation: number, fd: number, events: number, tag: number): number {
    const words = this.#words;
    words[0] = events;
    words[this.#dataWord] = fd;
    words[this.#dataWord + 1] = tag;
    return this.#libc.epoll_ctl(epoll, operation, fd, this.#wordsKept.at(0, this.#eventWords * 4));
  }

  /** A socket for the family of `#address`. */
  #open(): number {
    const fd = this.#libc.socket(this.#address.family, SOCK_STREAM | OPEN_FLAGS, 0);
    return fd < 0 ? this.#failure() : fd;
  }

  #listen(fd: number, backlog: number): number {
    const { at, used } = this.#address;
    if (this.#libc.bind(fd, at, used) < 0) return this.#closeFailed(fd);
    return this.#libc.listen(fd, backlog) < 0 ? this.#closeFailed(fd) : fd;
  }

  #connect(fd: number): number {
    const { at, used } = this.#address;
    if (this.#libc.connect(fd, at, used) < 0) {
      const { errno } = this;
      if (errno !== ERRNO.EINPROGRESS && errno !== ERRNO.EINTR) return this.#closeFailed(fd, errno);
    }
    return fd;
  }

  #setOption(fd: number, level: number, name: number): number {
    this.#words[0] = 1;
    return this.#libc.setsockopt(fd, level, name, this.#wordsKept.at(0, 4), 4);
  }

  #closeFailed(fd: number, errno = this.errno): number {
    this.#libc.close(fd);
    return this.#failure(errno);
  }

  /** Below zero whatever became of errno: 0 is a descriptor. */
  #failure(errno = this.errno): number {
    return errno > 0 ? -errno : -ERRNO.EIO;
  }
}

function wordsOf({ bytes }: KeptBytes): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}
