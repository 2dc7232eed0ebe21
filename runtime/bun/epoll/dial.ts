/** Dialling in the epoll loop: one deadline, cancellation. */
import type { Dial, DialEvents, DialOptions, SocketError, Timer } from "../../contract/contract.ts";
import { EPOLLHUP, EPOLLIN, EPOLLOUT } from "./numbers.ts";
import { type EpollHost, failure, isPort } from "./host.ts";
import type { Pollable } from "./loop.ts";
import { EpollSocket } from "./socket.ts";
import { isIpLiteral, NO_LITERAL } from "../../shared/lazy_module.ts";

export class EpollDial implements Dial, Pollable {
  /** Of the socket being connected, -1 when there is none. */
  fd = -1;
  tag = 0;
  readonly #timeoutMs: number;
  readonly #host: EpollHost;
  /** Null once the outcome was told or the dial was cancelled. */
  #events: DialEvents | null;
  #timer: Timer | null;

  constructor(options: DialOptions, events: DialEvents, host: EpollHost) {
    const { address, timeoutMs } = options;
    this.#timeoutMs = timeoutMs;
    this.#host = host;
    this.#events = events;
    this.#timer = host.setTimer(timeoutMs, () => this.#expire(), false);
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
    if (loop.add(this, EPOLLOUT) >= 0) return;
    const { errno } = loop.calls;
    this.fd = -1;
    loop.calls.close(fd);
    this.#failLater(failure(errno, "dial"));
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
    if (errno !== 0) {
      this.#drop();
      this.#fail(failure(errno, "dial"));
      return;
    }
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
    this.#host.loop.remove(this);
    this.#host.loop.calls.close(this.fd);
    this.fd = -1;
  }
}
