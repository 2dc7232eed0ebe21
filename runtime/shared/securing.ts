/**
 * One handshake of `Runtime.secure` until its outcome is told: deadline, cancellation, and that nothing is told inside
 * of a call. What an adapter does beside is a `start` that begins and answers how the connection is dropped.
 */
import type {
  Clock,
  SecureEvents,
  SecureOptions,
  Securing,
  Socket,
  SocketError,
  SocketEvents,
  Timer,
} from "../contract/contract.ts";

import { errorDetail } from "./socket_error.ts";

/** What all parts of one runtime share. */
export interface SecuringHost {
  readonly clock: Pick<Clock, "setTimer">;
  readonly onHandlerError: (error: unknown) => void;
}

/** Drops a connection whose handshake has failed. In order, or (`abort`) with a reset. */
export type Drop = (abort: boolean) => void;

const NO_EVENTS: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

export const NOT_OPEN: SocketError = { code: "connection_terminated", detail: "the connection is not open" };

/** A certificate, key or authority of ours that the platform does not take. */
export function unusable(error: unknown): SocketError {
  return { code: "platform_error", detail: errorDetail(error) };
}

export class PendingHandshake implements Securing {
  readonly #host: SecuringHost;
  /** Null once the outcome was told. */
  #events: SecureEvents | null;
  readonly #timer: Timer;
  #drop: Drop = () => {};

  constructor({ timeoutMs }: SecureOptions, events: SecureEvents, host: SecuringHost) {
    this.#host = host;
    this.#events = events;
    this.#timer = host.clock.setTimer(timeoutMs, () => {
      this.fail({ code: "connection_timeout", detail: `no TLS handshake within ${timeoutMs} ms` });
    });
  }

  /** How the connection is dropped from now on. */
  set drop(drop: Drop) {
    this.#drop = drop;
  }

  get over(): boolean {
    return this.#events === null;
  }

  cancel(): void {
    if (this.#settle() !== null) this.#drop(true);
  }

  /** Not inside a call of the user's. @param open makes the socket, and hands it to what the function answers */
  succeed(open: (hand: SecureEvents["secured"]) => void): void {
    const events = this.#settle();
    if (events === null) this.#drop(true);
    else open((socket) => events.secured(socket));
  }

  /** Not inside a call of the user's. */
  fail(error: SocketError): void {
    const events = this.#settle();
    if (events === null) return;
    this.#drop(false);
    try {
      events.failed({ code: error.code, detail: error.detail });
    } catch (thrown) {
      this.#host.onHandlerError(thrown);
    }
  }

  /** The socket was not open both ways: it is dropped, and its handlers hear nothing more. */
  refuse(socket: Socket): this {
    socket.events = NO_EVENTS;
    socket.abort();
    this.failLater(NOT_OPEN);
    return this;
  }

  failLater(error: SocketError): void {
    queueMicrotask(() => this.fail(error));
  }

  #settle(): SecureEvents | null {
    const events = this.#events;
    this.#events = null;
    this.#timer.cancel();
    return events;
  }
}
