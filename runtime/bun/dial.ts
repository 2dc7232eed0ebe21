/** Dialling with Bun.connect: one deadline over connection and handshake, cancellation. */
import { closeSync, openSync } from "node:fs";
import type {
  ClientTls,
  Dial,
  DialEvents,
  DialOptions,
  SocketError,
  Timer,
  TlsSession,
} from "../contract/contract.ts";
import {
  type BunGlobal,
  type NativeAddress,
  type NativeHandlers,
  type NativeSocket,
  OWNER_HANDLERS,
} from "./native.ts";
import { HANDSHAKE_HANDLERS, HandshakeOwner } from "./handshake.ts";
import { BunSocket, type Host } from "./socket.ts";
import { BunTlsSocket, RawSide } from "./tls_socket.ts";
import { clientTls } from "./tls.ts";
import { platformCode, socketErrorOf } from "../shared/socket_error.ts";
import { isIpLiteral, NO_LITERAL } from "../shared/lazy_module.ts";

declare const Bun: BunGlobal;

/**
 * Bun cannot cancel a connection that is being set up, so one that was given up lives on until the
 * kernel gives it up as well (about two minutes to a host that does not answer; a refusal ends it at
 * once). This bounds the descriptors that one silent address can tie up.
 */
const MAX_ABANDONED_PER_ADDRESS = 128;

/** Connections that are still being set up although their dial was given up, by address. */
const abandoned = new Map<string, number>();

/** Shared by all dials; `data` of a native socket is a `BunDial` until it is open. */
const HANDLERS: NativeHandlers = {
  ...OWNER_HANDLERS,
  open: (native) => (native.data as BunDial).onOpen(native),
  connectError: (native, error) => (native.data as BunDial).onConnectError(error),
};

export class BunDial extends HandshakeOwner implements Dial {
  readonly #options: DialOptions;
  /** Null once the outcome was told or the dial was cancelled. */
  #events: DialEvents | null;
  #timer: Timer | null;
  /** The address being connected to, "" when none is. */
  #connecting = "";
  /** The TCP connection whose TLS handshake is going on. */
  #native: NativeSocket | null = null;
  /** What watches the records below TLS. */
  #raw: RawSide | null = null;
  /** Bun.connect is on the stack. */
  #inside = false;

  constructor(options: DialOptions, events: DialEvents, host: Host) {
    super(options.tls, host);
    this.#options = options;
    this.#events = events;
    this.#timer = host.clock.setTimer(options.timeoutMs, () => this.#expire());
    const { address } = options;
    if (address.kind === "unix") this.#connect(address.path, { unix: address.path });
    else if (isIpLiteral(address.host)) this.#connectTcp(address.host, address.port);
    else queueMicrotask(() => this.#fail(NO_LITERAL));
  }

  cancel(): void {
    this.#settle();
  }

  #connectTcp(hostname: string, port: number): void {
    this.#connect(`${hostname} ${port}`, { hostname, port });
  }

  #connect(name: string, address: NativeAddress): void {
    if (abandoned.size > 0 && (abandoned.get(name) ?? 0) >= MAX_ABANDONED_PER_ADDRESS) {
      const detail = `${MAX_ABANDONED_PER_ADDRESS} connections to ${name} are still being set up`;
      queueMicrotask(() => this.#fail({ code: "resource_exhausted", detail }));
      return;
    }
    this.#connecting = name;
    this.#inside = true;
    try {
      Bun.connect({ ...address, allowHalfOpen: true, data: this, socket: HANDLERS });
    } catch (error) {
      // A port that Bun does not accept.
      this.#connecting = "";
      queueMicrotask(() => this.#fail(socketErrorOf(error, "dial")));
    } finally {
      this.#inside = false;
    }
  }

  onConnectError(error: unknown): void {
    if (this.#events === null) {
      forget(this.#connecting);
      return;
    }
    this.#connecting = "";
    const failure = this.#inside ? immediateFailure(error, this.#options) : socketErrorOf(error, "dial");
    if (this.#inside) queueMicrotask(() => this.#fail(failure));
    else this.#fail(failure);
  }

  onOpen(native: NativeSocket): void {
    if (this.#events === null) {
      forget(this.#connecting);
      native.terminate();
      return;
    }
    this.#connecting = "";
    const { tls } = this.#options;
    if (tls === null) this.#opened(native, null);
    else this.#secure(native, tls);
  }

  #secure(native: NativeSocket, tls: ClientTls): void {
    const { address } = this.#options;
    const options = clientTls(tls, address.kind === "tcp" ? address.host : "");
    const raw = new RawSide();
    try {
      this.#raw = raw;
      native.data = raw;
      const [, secured] = native.upgradeTLS({ data: this, tls: options, socket: HANDSHAKE_HANDLERS });
      this.#native = secured;
    } catch (error) {
      // A certificate that Bun does not accept.
      native.terminate();
      this.#fail(socketErrorOf(error, "dial"));
      return;
    }
    this.#tell(() => this.#events?.connected?.());
  }

  protected override get over(): boolean {
    return this.#events === null;
  }

  protected override secured(native: NativeSocket, settled: TlsSession): void {
    this.#opened(native, settled);
  }

  protected override refused(failure: SocketError, native: NativeSocket): void {
    this.#native = null;
    this.#fail(failure);
    // In order, so that the alert which says why arrives before a reset could overtake it.
    native.close();
  }

  /** Only during the handshake; Bun ends that with `onHandshake` first, so this is for safety. */
  protected override lost(failure: SocketError): void {
    this.#fail(failure);
  }

  #opened(native: NativeSocket, tls: TlsSession | null): void {
    this.#native = null;
    const socket = tls === null || this.#raw === null
      ? new BunSocket(native, this.host, tls)
      : new BunTlsSocket(native, this.host, tls, this.#raw.records);
    const events = this.#settle();
    if (events === null) return;
    try {
      socket.events = events.opened(socket);
    } catch (error) {
      socket.threw(error);
    }
  }

  #expire(): void {
    const { timeoutMs } = this.#options;
    this.#fail({ code: "connection_timeout", detail: `not connected within ${timeoutMs} ms` });
  }

  #fail(error: SocketError): void {
    const events = this.#settle();
    if (events !== null) this.#tell(() => events.failed({ code: error.code, detail: error.detail }));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (thrown) {
      this.host.onHandlerError(thrown);
    }
  }

  /** Ends the dial, whatever it is at. @returns the events to tell, null when it was settled before */
  #settle(): DialEvents | null {
    const events = this.#events;
    if (events === null) return null;
    this.#events = null;
    this.#timer?.cancel();
    this.#timer = null;
    this.#native?.terminate();
    this.#native = null;
    if (this.#connecting !== "") {
      abandoned.set(this.#connecting, (abandoned.get(this.#connecting) ?? 0) + 1);
    }
    return events;
  }
}

function forget(name: string): void {
  const count = abandoned.get(name) ?? 0;
  if (count > 1) abandoned.set(name, count - 1);
  else abandoned.delete(name);
}

/**
 * Bun calls every failure of connect(2) ECONNREFUSED but a few, running out of descriptors included.
 * Failures inside Bun.connect are the Unix sockets' own, and for TCP never a refusal: those take a
 * round trip, even on loopback.
 */
function immediateFailure(error: unknown, options: DialOptions): SocketError {
  const failure = socketErrorOf(error, "dial");
  if (failure.code !== "connection_refused" || platformCode(error) === "ENOENT") return failure;
  if (outOfDescriptors()) return { code: "resource_exhausted", detail: "no file descriptor is left" };
  if (options.address.kind === "unix") return failure;
  return { code: "destination_ip_unroutable", detail: "connect(2) failed at once" };
}

/** Bun reports running out of descriptors as something else, so it is asked for one. */
export function outOfDescriptors(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch (error) {
    return platformCode(error) === "EMFILE" || platformCode(error) === "ENFILE";
  }
}
