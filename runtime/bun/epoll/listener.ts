/** A listener in the epoll loop, of TCP or of a Unix socket. */
import type { AcceptEvents, Address, Listener, ReserveOptions, Timer } from "../../contract/contract.ts";
import { SocketFailure } from "../../contract/contract.ts";
import type { SystemCalls } from "./calls.ts";
import { EPOLLIN, ERRNO, errnoError } from "./numbers.ts";
import { type EpollHost, failure, isPort } from "./host.ts";
import type { Pollable } from "./loop.ts";
import { EpollSocket } from "./socket.ts";
import { socketErrorOf } from "../../shared/socket_error.ts";
import { resolveName } from "../../shared/system.ts";
import { bindUnixPath, OwnPath } from "../../shared/unix_path.ts";

/** Connections accepted for one event, so that those which are open get their turn. */
const MAX_ACCEPTED = 64;
/** How long nothing is accepted after descriptors or memory ran out, or the socket proved to be of no use. */
const PAUSE_MS = 100;

export interface BoundSocket {
  readonly fd: number;
  readonly address: Address;
  /** Of a Unix socket. */
  readonly path: OwnPath | null;
}

/** A socket that listens, and is not in the loop yet. @throws SocketFailure */
export async function bindSocket(options: ReserveOptions, calls: SystemCalls): Promise<BoundSocket> {
  const { address, backlog, reusePort, inherited } = options;
  if (inherited !== undefined) {
    if (calls.adopt(inherited) < 0) throw failure(calls.errno, "bind");
    return { fd: inherited, address, path: address.kind === "unix" ? new OwnPath(address.path) : null };
  }
  if (address.kind === "unix") {
    const bind = (name: string): number => opened(calls.openUnixListener(name, backlog));
    const { bound, path } = await bindUnixPath(
      address.path,
      options.access,
      bind,
      (fd) => calls.close(fd),
    );
    return { fd: bound, address, path };
  }
  const [host = ""] = await resolveName(address.host);
  if (!isPort(address.port)) throw new SocketFailure("platform_error", `${address.port} is not a port`);
  const fd = opened(calls.openListener(host, address.port, backlog, reusePort));
  const bound = calls.localOf(fd);
  if (bound !== null) return { fd, address: { kind: "tcp", host, port: bound.port }, path: null };
  const { errno } = calls;
  calls.close(fd);
  throw failure(errno, "bind");
}

/** @throws SocketFailure for what is below zero */
function opened(fd: number): number {
  if (fd < 0) throw failure(-fd, "bind");
  return fd;
}

export class EpollListener implements Listener, Pollable {
  readonly address: Address;
  readonly fd: number;
  tag = 0;
  readonly #host: EpollHost;
  readonly #events: AcceptEvents;
  readonly #path: OwnPath | null;
  #open = true;
  #pause: Timer | null = null;

  /** @param bound owned from now on. @throws SocketFailure, and then it is closed */
  constructor(bound: BoundSocket, events: AcceptEvents, host: EpollHost) {
    this.address = bound.address;
    this.fd = bound.fd;
    this.#path = bound.path;
    this.#host = host;
    this.#events = events;
    const { loop } = host;
    if (loop.add(this, EPOLLIN) < 0) {
      const { errno } = loop.calls;
      loop.calls.close(this.fd);
      this.#path?.remove();
      throw failure(errno, "bind");
    }
  }

  get descriptor(): number {
    return this.fd;
  }

  onReady(): void {
    const { loop } = this.#host;
    for (let count = 0; count < MAX_ACCEPTED && this.#open && this.#pause === null; count++) {
      const fd = loop.calls.accept(this.fd);
      if (fd >= 0) this.#accept(fd);
      else {
        const { errno } = loop.calls;
        if (!NOT_OURS.has(errno)) this.#rest(errno);
        return;
      }
    }
  }

  #accept(fd: number): void {
    const { loop, onHandlerError } = this.#host;
    const socket = new EpollSocket(fd, loop, loop.calls.accepted(), onHandlerError);
    if (loop.add(socket, EPOLLIN) < 0) {
      const { errno } = loop.calls;
      loop.calls.close(fd);
      this.#rest(errno);
      return;
    }
    try {
      socket.events = this.#events.accepted(socket);
    } catch (error) {
      socket.threw(error);
    }
  }

  /**
   * Nothing is accepted for a while. Not watched at all, since a socket that was shut down would be
   * told of whatever we watch for.
   */
  #rest(errno: number): void {
    try {
      this.#events.acceptFailed(socketErrorOf(errnoError(errno), "bind"));
    } catch (error) {
      this.#host.onHandlerError(error);
    }
    if (!this.#open) return;
    this.#host.loop.detach(this);
    this.#pause = this.#host.setTimer(PAUSE_MS, () => this.#goOn(), true);
  }

  #goOn(): void {
    const { loop } = this.#host;
    this.#pause = null;
    if (loop.attach(this, EPOLLIN) < 0) this.#rest(loop.calls.errno);
  }

  /** TLS is not spoken here. */
  certify(): Promise<void> {
    return Promise.reject(new SocketFailure("platform_error", "this listener does not speak TLS"));
  }

  close(): Promise<void> {
    if (this.#open) this.#path?.remove();
    return this.leave();
  }

  leave(): Promise<void> {
    if (this.#open) {
      this.#open = false;
      this.#pause?.cancel();
      // Other processes may have the socket as well: closing it would not end the watching.
      this.#host.loop.detach(this);
      this.#host.loop.remove(this);
      this.#host.loop.calls.close(this.fd);
    }
    return Promise.resolve();
  }
}

/** Nothing waits any more, or what failed was the connection that waited: as if it had never come (accept(2)). */
const NOT_OURS: ReadonlySet<number> = new Set([
  ERRNO.EAGAIN,
  ERRNO.EINTR,
  ERRNO.ECONNABORTED,
  ERRNO.EPERM,
  ERRNO.EPROTO,
  ERRNO.ENETDOWN,
  ERRNO.ENETUNREACH,
  ERRNO.EHOSTDOWN,
  ERRNO.EHOSTUNREACH,
]);
