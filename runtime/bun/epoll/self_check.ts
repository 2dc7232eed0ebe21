/**
 * Tries the system calls of the epoll adapter, with their numbers and layouts, before any connection depends on them:
 * a kernel, a libc or a seccomp(2) filter that is not as expected is an answer at the start, and no mishap later. Every
 * call is made once or twice, on sockets without a network: a Unix socket with a name of the kernel's choice, and a TCP
 * socket that listens for that time.
 */
import type { SystemCalls } from "./calls.ts";
import { EPOLLHUP, EPOLLIN, EPOLLOUT, ERRNO, errnoName } from "./numbers.ts";
import type { KeptBytes } from "../kernel_memory.ts";

const TAGS = [0xfedcba98, 0x01234567] as const;

/** @returns null when all is as it should be, or what is not */
export function selfCheck(calls: SystemCalls, buffer: KeptBytes): string | null {
  const check = new Check(calls, buffer);
  try {
    check.run();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    check.closeAll();
  }
}

class Check {
  readonly #calls: SystemCalls;
  readonly #buffer: KeptBytes;
  readonly #open: number[] = [];

  constructor(calls: SystemCalls, buffer: KeptBytes) {
    this.#calls = calls;
    this.#buffer = buffer;
  }

  run(): void {
    this.#addresses();
    const { client, server } = this.#connection();
    this.#bytes(client, server);
    this.#events(client, server);
  }

  closeAll(): void {
    for (const fd of this.#open) this.#calls.close(fd);
  }

  /** An address of TCP goes into the kernel and comes back as it was. */
  #addresses(): void {
    const calls = this.#calls;
    const fd = this.#made("a TCP listener", calls.openListener("127.0.0.1", 0, 1, true));
    const bound = calls.localOf(fd);
    expect(bound?.address === "127.0.0.1" && bound.port > 0, "getsockname", bound?.address ?? this.#why());
    expect(calls.remoteOf(fd) === null && calls.errno === ERRNO.ENOTCONN, "getpeername", this.#why());
  }

  #connection(): { readonly client: number; readonly server: number } {
    const calls = this.#calls;
    const listener = this.#made("a Unix listener", calls.openUnixListener("", 1));
    expect(calls.adopt(listener) >= 0, "fcntl", this.#why());
    // No connection is there yet: so it does not block, and errno is where we look for it.
    expect(
      calls.accept(listener) < 0 && calls.errno === ERRNO.EAGAIN,
      "accept4 that finds nobody",
      this.#why(),
    );
    const client = this.#made("connect", calls.connectTo(listener));
    const server = calls.accept(listener);
    expect(server >= 0, "accept4", this.#why());
    this.#open.push(server);
    expect(calls.remoteOf(client) !== null, "getpeername", this.#why());
    expect(calls.pendingError(client) === 0, "getsockopt", this.#why());
    return { client, server };
  }

  #bytes(client: number, server: number): void {
    const calls = this.#calls;
    const buffer = this.#buffer;
    const nothing = calls.recv(server, buffer, 8);
    expect(nothing < 0 && calls.errno === ERRNO.EAGAIN, "recv that finds nothing", this.#why());
    const sent = Uint8Array.of(1, 2, 3, 4, 5);
    expect(
      calls.send(client, sent, 1, 2) === 2 && calls.sendLast(client, sent, 3, 2) === 2,
      "send",
      this.#why(),
    );
    expect(calls.peek(server) === 1, "recv with MSG_PEEK", this.#why());
    buffer.bytes.fill(0, 0, 8);
    const received = calls.recv(server, buffer, 8);
    const [a, b, c, d, e] = buffer.bytes;
    expect(received === 4 && a === 2 && b === 3 && c === 4 && d === 5 && e === 0, "recv", this.#why());
  }

  /** Two at once, so that the second event is where we look for it, and all bits of both tags come back. */
  #events(client: number, server: number): void {
    const calls = this.#calls;
    const epoll = calls.openEpoll();
    expect(epoll >= 0, "epoll_create1", this.#why());
    this.#open.push(epoll);
    expect(calls.wait(epoll, 0) === 0, "epoll_wait", this.#why());
    expect(calls.watch(epoll, client, EPOLLOUT, TAGS[0]) === 0, "epoll_ctl", this.#why());
    expect(calls.watch(epoll, server, EPOLLIN, TAGS[1]) === 0, "epoll_ctl", this.#why());
    expect(calls.shutdown(client) === 0, "shutdown", this.#why());
    this.#expectEvents(epoll, [[client, EPOLLOUT, TAGS[0]], [server, EPOLLIN, TAGS[1]]]);
    expect(calls.recv(server, this.#buffer, 8) === 0, "recv at the end", this.#why());
    expect(calls.change(epoll, server, 0, TAGS[0]) === 0, "epoll_ctl", this.#why());
    expect(calls.unwatch(epoll, client) === 0, "epoll_ctl", this.#why());
    expect(calls.wait(epoll, 0) === 0, "epoll_wait after epoll_ctl", "an event that nobody watches for");
    this.#open.splice(this.#open.indexOf(client), 1);
    calls.reset(client);
    this.#expectEvents(epoll, [[server, EPOLLHUP, TAGS[0]]]);
  }

  #expectEvents(epoll: number, expected: readonly (readonly [number, number, number])[]): void {
    const calls = this.#calls;
    const count = calls.wait(epoll, 0);
    expect(count === expected.length, "epoll_wait", count < 0 ? this.#why() : `${count} events`);
    for (let at = 0; at < count; at++) {
      const found = expected.some(([fd, events, tag]) =>
        calls.descriptorAt(at) === fd && calls.tagAt(at) === tag && (calls.eventAt(at) & events) === events
      );
      expect(found, "epoll_wait", "its events are not laid out as expected");
    }
  }

  /** Of calls that say -errno. */
  #made(what: string, fd: number): number {
    expect(fd >= 0, what, errnoName(-fd));
    this.#open.push(fd);
    return fd;
  }

  #why(): string {
    return errnoName(this.#calls.errno);
  }
}

function expect(holds: boolean, call: string, why: string): void {
  if (!holds) throw new Error(`${call}: ${why}`);
}
