/**
 * `Runtime.secure` over a plain connection of Bun's, by `upgradeTLS`: TLS then costs what it costs in `Bun.listen` and
 * `Bun.connect`. A server's `isServer`, `initialData` and `secureContext` are undocumented, what Bun's node:tls is built on.
 */
import { closeSync } from "node:fs";
import type {
  ClientTls,
  SecureEvents,
  SecureOptions,
  Securing,
  ServerTls,
  SocketError,
  TlsSession,
} from "../contract/contract.ts";
import {
  type BunGlobal,
  type NativeHandlers,
  type NativeOwner,
  type NativeSocket,
  type NativeTls,
  OWNER_HANDLERS,
} from "./native.ts";
import { HANDSHAKE_HANDLERS, HandshakeOwner, HUNG_UP } from "./handshake.ts";
import { BunSocket, type Host } from "./socket.ts";
import { alpnWire, clientTls } from "./tls.ts";
import { BunTlsSocket, RawSide } from "./tls_socket.ts";
import type { EpollSocket } from "./epoll/socket.ts";
import { isIpLiteral } from "../shared/lazy_module.ts";
import { NOT_OPEN, PendingHandshake, unusable } from "../shared/securing.ts";
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
      ? { tls: clientTls(tls, native.remoteAddress ?? ""), socket: HANDSHAKE_HANDLERS }
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
        ? HANDSHAKE_HANDLERS
        : { ...HANDSHAKE_HANDLERS, serverName: (_: unknown, name: string) => choose(name)?.context },
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
class UpgradeHandshake extends HandshakeOwner {
  readonly #raw: RawSide;
  readonly #pending: PendingHandshake;

  constructor(tls: ClientTls | ServerTls, raw: RawSide, pending: PendingHandshake, host: Host) {
    super(tls, host);
    this.#raw = raw;
    this.#pending = pending;
    raw.onHungUp = () => pending.fail(HUNG_UP);
  }

  began(secured: NativeSocket): void {
    if (this.#pending.over) return;
    this.#drops(secured);
  }

  #drops(native: NativeSocket): void {
    this.#pending.drop = (abort) => abort ? native.terminate() : native.close();
  }

  protected override get over(): boolean {
    return this.#pending.over;
  }

  /** In order, so that the alert which says why arrives before a reset could overtake it. */
  protected override refused(failure: SocketError, native: NativeSocket): void {
    this.#drops(native);
    this.#pending.fail(failure);
  }

  protected override secured(native: NativeSocket, settled: TlsSession): void {
    this.#drops(native);
    this.#raw.onHungUp = () => {};
    this.#pending.succeed((hand) => {
      const socket = new BunTlsSocket(native, this.host, settled, this.#raw.records);
      try {
        socket.events = hand(socket);
      } catch (thrown) {
        socket.threw(thrown);
      }
    });
  }

  protected override lost(failure: SocketError): void {
    this.#pending.fail(failure);
  }
}
