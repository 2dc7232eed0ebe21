/** Dialling with node:net and node:tls: one deadline over connection and handshake, cancellation. */
import * as net from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import type { Dial, DialEvents, DialOptions, SocketError, TlsSession } from "../contract/contract.ts";
import { NodeSocket, reset } from "./socket.ts";
import { NO_LITERAL } from "../shared/lazy_module.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { secureClient } from "../shared/stream_tls.ts";

export class NodeDial implements Dial {
  readonly #options: DialOptions;
  readonly #events: DialEvents;
  readonly #onHandlerError: (error: unknown) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  /** What is to be dropped when we give up. */
  #transport: net.Socket | null = null;
  #settled = false;

  constructor(options: DialOptions, events: DialEvents, onHandlerError: (error: unknown) => void) {
    this.#options = options;
    this.#events = events;
    this.#onHandlerError = onHandlerError;
    this.#timer = setTimeout(() => {
      this.#fail({ code: "connection_timeout", detail: `not open after ${options.timeoutMs} ms` });
    }, options.timeoutMs);
    const { address } = options;
    if (address.kind === "unix" || net.isIP(address.host) !== 0) this.#connect();
    else queueMicrotask(() => this.#fail(NO_LITERAL));
  }

  cancel(): void {
    if (this.#settled) return;
    this.#settle();
    this.#drop();
  }

  #connect(): void {
    const { address } = this.#options;
    let transport: net.Socket;
    try {
      transport = address.kind === "unix"
        ? net.connect({ path: address.path, allowHalfOpen: true })
        : net.connect({ host: address.host, port: address.port, allowHalfOpen: true, noDelay: true });
    } catch (error) {
      // An impossible port or path. Never inside `dial`.
      queueMicrotask(() => this.#fail(socketErrorOf(error, "dial")));
      return;
    }
    this.#transport = transport;
    const onError = (error: unknown) => this.#fail(socketErrorOf(error, "dial"));
    transport.once("error", onError);
    transport.once("connect", () => {
      transport.off("error", onError);
      if (this.#settled) transport.destroy();
      else if (this.#options.tls === null) this.#open(transport, transport, null);
      else this.#secure(transport);
    });
  }

  #secure(transport: net.Socket): void {
    // The TLS stream reports them as well.
    transport.on("error", () => {});
    this.#tell(() => this.#events.connected?.());
    // The handler may have cancelled the dial.
    if (this.#settled) return;
    try {
      // The cast: checked by the caller.
      secureClient(transport, this.#options.tls as NonNullable<DialOptions["tls"]>, {
        secured: (stream, session) => this.#open(stream, transport, session),
        failed: (error) => this.#fail(error),
      });
    } catch (error) {
      this.#fail(socketErrorOf(error, "handshake"));
    }
  }

  #open(stream: net.Socket, transport: net.Socket, session: TlsSession | null): void {
    if (this.#settled) return;
    this.#settle();
    new NodeSocket(stream, transport, session, this.#onHandlerError)
      .open((socket) => this.#events.opened(socket));
  }

  #fail(error: SocketError): void {
    if (this.#settled) return;
    this.#settle();
    this.#drop();
    this.#tell(() => this.#events.failed(error));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (thrown) {
      this.#onHandlerError(thrown);
    }
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
  }

  /** TLS goes with its transport. */
  #drop(): void {
    if (this.#transport !== null) reset(this.#transport);
  }
}
