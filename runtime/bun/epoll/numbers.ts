/**
 * Numbers and layouts of the Linux kernel that the epoll adapter relies on. self_check.ts tries them at every
 * start, before a connection depends on them.
 *
 * All numbers are those of the generic ABI (include/uapi/asm-generic), which x86-64 and ARM64 share; glibc and musl
 * pass them on as they are. What differs by processor is in `LAYOUTS`.
 */

/** `struct epoll_event` in words of 32 bits. */
export interface EventLayout {
  /** Distance from one event to the next. */
  readonly words: number;
  /** Where `data` begins; `events` is word 0. */
  readonly data: number;
}

/** By `process.arch`. The structure is packed on x86-64 only (EPOLL_PACKED in include/uapi/linux/eventpoll.h). */
export const LAYOUTS: Readonly<Record<string, EventLayout>> = {
  x64: { words: 3, data: 1 },
  arm64: { words: 4, data: 2 },
};

export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
/** The peer sends nothing more. */
export const EPOLLRDHUP = 0x2000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLL_CLOEXEC = 0o2000000;

export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
/** SOCK_NONBLOCK and SOCK_CLOEXEC. */
export const OPEN_FLAGS = 0o4000 | 0o2000000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const IPPROTO_TCP = 6;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const TCP_NODELAY = 1;
export const SHUT_WR = 1;
export const MSG_PEEK = 0x2;
/** A broken connection is an answer, not a signal. */
export const MSG_NOSIGNAL = 0x4000;
/** The kernel keeps the bytes until more follows, 200 ms at most. */
export const MSG_MORE = 0x8000;
export const F_SETFD = 2;
export const F_SETFL = 4;
export const FD_CLOEXEC = 1;
export const O_NONBLOCK = 0o4000;

/** Numbers of errno(3) that have a meaning here. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  ENOTDIR: 20,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ELOOP: 40,
  EPROTO: 71,
  ENOTSOCK: 88,
  EPROTOTYPE: 91,
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

/** Name of an error number as the other platforms give it: "ECONNREFUSED". */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/** An error as the other platforms give it, with its name as `code`. */
export function errnoError(errno: number): Error {
  const code = errnoName(errno);
  return Object.assign(new Error(code), { code });
}
