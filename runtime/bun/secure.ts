/**
 * `Runtime.secure` over a plain connection of Bun's, by `upgradeTLS`: TLS then costs what it costs in `Bun.listen` and
 * `Bun.connect`. A server's `isServer`, `initialData` and `secureContext` are undocumented, what Bun's node:tls is built on.
 */
import { closeSync } from "node:fs";
import type { ClientTls, SecureEvents, SecureOptions, Securing, ServerTls } from "../contract/contract.ts";
import {
  type BunGlobal,
  type NativeHandlers,
  type NativeOwner,
  type NativeSocket,
  type NativeTls,
  OWNER_HANDLERS,
} from "./native.ts";
import { BunSocket, type Host } from "./socket.ts";
import { alpnWire, clientFailure, clientTls, handshakeFailure, serverSession, session } from "./tls.ts";
import { BunTlsSocket, RawSide } from "./tls_socket.ts";
import type { EpollSocket } from "./epoll/socket.ts";
import { isIpLiteral } from "../shared/lazy_module.ts";
import { NOT_OPEN, PendingHandshake, unusable } from "../shared/securing.ts";
import { errorDetail, platformCode, socketErrorOf } from "../shared/socket_error.ts";
import { contextsByName, isClientTls, serverContext } from "../shared/stream_tls.ts";

declare const Bun: BunGlobal;

/** @returns whether Bun can do it: it checks an address against that of the connection only */
export function canUpgrade({ tls }: SecureOptions, socket: BunSocket): boolean {
  if (socket.tls !== null) return false;
  return !isClientTls(tls) || !isIpLiteral(tls.serverName) || tls.serverName === socket.remoteAddress;
}

export function secureBun(
  options: SecureOptions,
  socket: BunSocket,
  events: SecureEvents,
  host: Host,
): Securing {
  const pending = new PendingHandshake(options, events, host);
  const released = socket.release();
  if (released === null) return pending.refuse(socket);
  const { native, held } = released;
  const between = new Between(options.alreadyRead, held);
  native.data = between;
  pending.drop = (abort) => abort ? native.terminate() : native.close();
  // A handshake may end inside of `upgradeTLS`, and nothing is told inside of a call.
  queueMicrotask(() => {
    if (pending.over) return;
    if (between.closed) pending.fail(NOT_OPEN);
    else upgrade(options.tls, native, between.bytes(), pending, host);
  });
  return pending;
}

/** A descriptor of the epoll loop as a socket of Bun's; null when it is not open both ways. */
export function adopt(socket: EpollSocket, host: Host): BunSocket | null {
  const fd = socket.release();
  if (fd < 0) return null;
  let adopted: BunSocket | null = null;
  try {
    const open = (native: NativeSocket) => {
      adopted = new BunSocket(native, host, null);
    };
    // The owner is replaced inside of the call.
    const data = new Between(undefined, []);
    Bun.connect({ fd, allowHalfOpen: true, data, socket: { ...OWNER_HANDLERS, open, connectError() {} } });
  } catch {
    // Told below.
  }
  if (adopted === null) closeSync(fd);
  return adopted;
}

function upgrade(
  tls: ClientTls | ServerTls,
  native: NativeSocket,
  initialData: Uint8Array | null,
  pending: PendingHandshake,
  host: Host,
): void {
  const raw = new RawSide();
  if (initialData !== null) raw.records.received(initialData);
  const handshake = new UpgradeHandshake(tls, raw, pending, host);
  native.data = raw;
  try {
    const asked = isClientTls(tls)
      ? { tls: clientTls(tls, native.remoteAddress ?? ""), socket: HANDLERS }
      : { ...serverUpgrade(tls), isServer: true };
    const [, secured] = native.upgradeTLS({
      ...asked,
      data: handshake,
      ...(initialData === null ? {} : { initialData }),
    });
    handshake.began(secured);
  } catch (error) {
    pending.fail(unusable(error));
  }
}

const HANDLERS: NativeHandlers = {
  ...OWNER_HANDLERS,
  open() {},
  handshake(native, success, error) {
    // A server that asks for renegotiation makes it fire again, on an open socket.
    if (native.data instanceof UpgradeHandshake) native.data.onHandshake(native, success, error);
  },
};

interface ServerUpgrade {
  readonly tls: NativeTls;
  readonly socket: NativeHandlers;
}

/** Contexts are made once per set of options. */
const serverUpgrades = new WeakMap<ServerTls, ServerUpgrade>();

function serverUpgrade(own: ServerTls): ServerUpgrade {
  let made = serverUpgrades.get(own);
  if (made === undefined) {
    const { secureContext } = serverContext(own);
    const clients = own.clientCa !== undefined;
    const choose = own.names === undefined || own.names.length === 0 ? null : contextsByName(own, own.names);
    made = {
      tls: {
        // `context` is the native object; @types/node calls it any.
        secureContext: secureContext.context,
        requestCert: clients,
        rejectUnauthorized: clients,
        ...(own.alpn === undefined || own.alpn.length === 0 ? {} : { ALPNProtocols: alpnWire(own.alpn) }),
      },
      socket: choose === null
        ? HANDLERS
        : { ...HANDLERS, serverName: (_: unknown, name: string) => choose(name)?.context },
    };
    serverUpgrades.set(own, made);
  }
  return made;
}

/** Owner of the plain connection until TLS has it. */
class Between implements NativeOwner {
  closed = false;
  readonly #chunks: Uint8Array[];

  constructor(alreadyRead: Uint8Array | undefined, held: readonly Uint8Array[]) {
    this.#chunks = alreadyRead === undefined ? [...held] : [new Uint8Array(alreadyRead), ...held];
  }

  /** All that was read; null = nothing. */
  bytes(): Uint8Array | null {
    const chunks = this.#chunks.filter((chunk) => chunk.length > 0);
    const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return at === 0 ? null : whole;
  }

  onData(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
  }
  onDrain(): void {}
  onEnd(): void {
    this.closed = true;
  }
  onClose(): void {
    this.closed = true;
  }
  onError(): void {}
}

/** Owns the secured side until the handshake is done. */
class UpgradeHandshake implements NativeOwner {
  readonly #tls: ClientTls | ServerTls;
  readonly #raw: RawSide;
  readonly #pending: PendingHandshake;
  readonly #host: Host;

  constructor(tls: ClientTls | ServerTls, raw: RawSide, pending: PendingHandshake, host: Host) {
    this.#tls = tls;
    this.#raw = raw;
    this.#pending = pending;
    this.#host = host;
    raw.onHungUp = () => pending.fail(HUNG_UP);
  }

  began(secured: NativeSocket): void {
    if (this.#pending.over) return;
    this.#pending.drop = (abort) => abort ? secured.terminate() : secured.close();
  }

  onHandshake(native: NativeSocket, success: boolean, error: unknown): void {
    const pending = this.#pending;
    if (pending.over) return;
    // In order after a failure, so that the alert which says why arrives before a reset could overtake it.
    pending.drop = (abort) => abort ? native.terminate() : native.close();
    const tls = this.#tls;
    const client = isClientTls(tls);
    const failure = client
      ? handshakeFailure(tls, native, success, error)
      : clientFailure(tls, native, success, error);
    if (failure !== null) return pending.fail(failure);
    this.#raw.onHungUp = () => {};
    pending.succeed((hand) => {
      const settled = client ? session(native, tls.serverName) : serverSession(native);
      const socket = new BunTlsSocket(native, this.#host, settled, this.#raw.records);
      try {
        socket.events = hand(socket);
      } catch (thrown) {
        socket.threw(thrown);
      }
    });
  }

  onClose(error: unknown): void {
    const detail = error === undefined || error === null ? HUNG_UP.detail : errorDetail(error);
    this.#pending.fail({ code: "connection_terminated", detail });
  }

  onError(error: unknown): void {
    if (platformCode(error) === "") this.#host.onHandlerError(error);
    this.#pending.fail(socketErrorOf(error, "handshake"));
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
}

const HUNG_UP = { code: "connection_terminated", detail: "closed during the TLS handshake" } as const;
