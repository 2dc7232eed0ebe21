/** Dialling in the epoll loop: one deadline, cancellation. */
import type { Dial, DialEvents, DialOptions, SocketError, Timer } from "./contract.ts";
import { EPOLLIN, EPOLLOUT } from "./epoll_calls.ts";
import { type EpollHost, failure, isPort } from "./epoll_host.ts";
import type { Pollable } from "./epoll_loop.ts";
import { EpollSocket } from "./epoll_socket.ts";
import { isIpLiteral, NO_LITERAL } from "./lazy_module.ts";

export class EpollDial implements Dial, Pollable {
  /** Of the socket being connected, -1 when there is none. */
  fd = -1;
  tag = 0;
  readonly #timeoutMs: number;
  readonly #port: number;
  readonly #host: EpollHost;
  /** Null once the outcome was told or the dial was cancelled. */
  #events: DialEvents | null;
  #timer: Timer | null;

  constructor(options: DialOptions, events: DialEvents, host: EpollHost) {
    const { address, timeoutMs } = options;
    this.#timeoutMs = timeoutMs;
    this.#port = address.kind === "tcp" ? address.port : -1;
    this.#host = host;
    this.#events = events;
    this.#timer = host.setTimer(timeoutMs, () => this.#expire(), false);
    if (address.kind !== "tcp" || !isPort(address.port)) {
      this.#failLater({ code: "platform_error", detail: "not a TCP address with a port" });
    } else if (isIpLiteral(address.host)) this.#connect(address.host);
    else this.#failLater(NO_LITERAL);
  }

  cancel(): void {
    this.#settle();
  }

  #connect(host: string): void {
    const { loop } = this.#host;
    const fd = loop.calls.connect(host, this.#port);
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
  onReady(): void {
    const { loop, onHandlerError } = this.#host;
    const errno = loop.calls.pendingError(this.fd);
    if (errno !== 0) {
      this.#drop();
      this.#fail(failure(errno, "dial"));
      return;
    }
    const socket = new EpollSocket(this.fd, loop, null, onHandlerError);
    loop.hand(this, socket, EPOLLIN);
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
