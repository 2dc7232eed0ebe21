/** Dialling in the epoll loop: one deadline, cancellation. */
import type { Dial, DialEvents, DialOptions, SocketError, Timer } from "../../contract/contract.ts";
import { EPOLLHUP, EPOLLIN, EPOLLOUT } from "./numbers.ts";
import type { Peer } from "./address.ts";
import { type EpollHost, failure, isPort } from "./host.ts";
import type { Pollable } from "./loop.ts";
import { EpollSocket } from "./socket.ts";
import { isIpLiteral, NO_LITERAL } from "../../shared/lazy_module.ts";

export class EpollDial implements Dial, Pollable {
  /** Of the socket being connected, -1 when there is none. */
  fd = -1;
  tag = 0;
  /** The loop tells of it. */
  #watched = false;
  readonly #timeoutMs: number;
  readonly #host: EpollHost;
  /** Null once the outcome was told or the dial was cancelled. */
  #events: DialEvents | null;
  #timer: Timer | null = null;

  constructor(options: DialOptions, events: DialEvents, host: EpollHost) {
    const { address, timeoutMs } = options;
    this.#timeoutMs = timeoutMs;
    this.#host = host;
    this.#events = events;
    const { calls } = host.loop;
    if (address.kind === "unix") this.#connect(calls.connectUnix(address.path));
    else if (!isPort(address.port)) {
      this.#failLater({ code: "platform_error", detail: `${address.port} is not a port` });
    } else if (isIpLiteral(address.host)) this.#connect(calls.connect(address.host, address.port));
    else this.#failLater(NO_LITERAL);
  }

  cancel(): void {
    this.#settle();
  }

  /** @param fd of a socket being connected; below zero, why there is none */
  #connect(fd: number): void {
    const { loop } = this.#host;
    if (fd < 0) {
      this.#failLater(failure(-fd, "dial"));
      return;
    }
    this.fd = fd;
    // Within this machine the peer has answered before connect(2) returns, although it says EINPROGRESS. To look at once
    // costs less than to be told, and whoever asks whom we are connected to asks for the same.
    const peer = loop.calls.remoteOf(fd);
    if (peer !== null) {
      loop.later(() => this.#connected(peer));
      return;
    }
    if (loop.add(this, EPOLLOUT) < 0) {
      this.#failLater(failure(loop.calls.errno, "dial"));
      return;
    }
    this.#watched = true;
    this.#timer = this.#host.setTimer(this.#timeoutMs, () => this.#expire(), false);
  }

  #connected(peer: Peer): void {
    const { loop, onHandlerError } = this.#host;
    // It was cancelled.
    if (this.#events === null) return;
    const socket = new EpollSocket(this.fd, loop, peer, onHandlerError);
    if (loop.add(socket, EPOLLIN) < 0) this.#fail(failure(loop.calls.errno, "dial"));
    else this.#open(socket);
  }

  /** Connected, or not. */
  onReady(ready: number): void {
    const { loop, onHandlerError } = this.#host;
    let errno = loop.calls.pendingError(this.fd);
    // connect(2) was interrupted before it began: such a socket hangs up without an error. So does one whose peer has
    // accepted and gone (Unix), but that one has a peer.
    if (errno === 0 && (ready & EPOLLHUP) !== 0 && loop.calls.remoteOf(this.fd) === null) {
      errno = loop.calls.errno;
    }
    const socket = new EpollSocket(this.fd, loop, null, onHandlerError);
    if (errno === 0 && loop.hand(this, socket, EPOLLIN) < 0) errno = loop.calls.errno;
    if (errno !== 0) this.#fail(failure(errno, "dial"));
    else this.#open(socket);
  }

  /** @param socket has the descriptor, and is in the loop */
  #open(socket: EpollSocket): void {
    this.fd = -1;
    const events = this.#settle();
    if (events === null) return;
    try {
      socket.events = events.opened(socket);
    } catch (error) {
      socket.threw(error);
    }
  }

  #expire(): void {
    this.#fail({ code: "connection_timeout", detail: `not connected within ${this.#timeoutMs} ms` });
  }

  #failLater(error: SocketError): void {
    this.#host.loop.later(() => this.#fail(error));
  }

  #fail(error: SocketError): void {
    const events = this.#settle();
    if (events === null) return;
    try {
      events.failed({ code: error.code, detail: error.detail });
    } catch (thrown) {
      this.#host.onHandlerError(thrown);
    }
  }

  /** Ends the dial, whatever it is at. Answers who is to be told, null when that was settled before. */
  #settle(): DialEvents | null {
    const events = this.#events;
    this.#events = null;
    this.#timer?.cancel();
    this.#timer = null;
    this.#drop();
    return events;
  }

  #drop(): void {
    if (this.fd < 0) return;
    const { loop } = this.#host;
    if (this.#watched) loop.remove(this);
    loop.calls.close(this.fd);
    this.fd = -1;
  }
}
