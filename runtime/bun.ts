/**
 * The adapter for Bun, over its native sockets; node:net on Bun costs a quarter more per request. What
 * Bun does where its documentation is silent stands in bun_native.ts.
 *
 * What Bun lacks: the accept queue is always 512; the reason why connect(2) failed is mostly lost
 * (an unreachable host is `connection_refused`); a connection being set up cannot be given up (see
 * bun_dial.ts); `accept` failing for want of descriptors is not reported, and Bun spins meanwhile, so
 * limit connections below `ulimit -n`.
 */
import type {
  AcceptEvents,
  Address,
  Capabilities,
  Listener,
  ListenOptions,
  Runtime,
  RuntimeOptions,
  SocketError,
  Timer,
} from "./contract.ts";
import { SocketFailure } from "./contract.ts";
import { BunDial, outOfDescriptors } from "./bun_dial.ts";
import {
  type BunGlobal,
  type NativeAddress,
  type NativeHandlers,
  type NativeListener,
  type NativeOwner,
  type NativeSocket,
  OWNER_HANDLERS,
} from "./bun_native.ts";
import { BunSocket, type Host } from "./bun_socket.ts";
import { certificateChooser, serverSession, serverTls } from "./bun_tls.ts";
import { errorDetail, platformCode, socketErrorOf } from "./socket_error.ts";
import { canSpawn, HAS_PROCESS_GROUPS } from "./command_process.ts";
import { createClock, resolveName } from "./system.ts";
import { canStartWorkers } from "./worker_process.ts";

declare const Bun: BunGlobal;

const CAPABILITIES: Capabilities = {
  reusePort: true,
  backlog: false,
  unixSockets: true,
  abortSendsReset: true,
  serverNames: true,
  workers: canStartWorkers(),
  commands: canSpawn(),
  processGroups: HAS_PROCESS_GROUPS,
  maxChunkBytes: 512 * 1024,
};

/** @param options `onHandlerError` serves all sockets, listeners and dials of the runtime */
export function createBunRuntime(options: RuntimeOptions): Runtime {
  const host: Host = { clock: createClock(), onHandlerError: options.onHandlerError };
  return {
    name: "bun",
    version: Bun.version,
    capabilities: CAPABILITIES,
    clock: host.clock,
    listen: (listenOptions, events) => listen(listenOptions, events, host),
    dial: (dialOptions, events) => new BunDial(dialOptions, events, host),
    resolve: resolveName,
  } satisfies Runtime;
}

async function listen(options: ListenOptions, events: AcceptEvents, host: Host): Promise<Listener> {
  const { address, reusePort } = options;
  // Bun would not say why a name cannot be bound.
  const [ip = ""] = address.kind === "tcp" ? await resolveName(address.host) : [];
  const native: NativeAddress = address.kind === "unix"
    ? { unix: address.path }
    : { hostname: ip, port: address.port };
  try {
    const listener = Bun.listen({
      ...native,
      reusePort,
      allowHalfOpen: true,
      socket: options.tls === null ? plainHandlers(events, host) : await tlsHandlers(options, events, host),
      ...(options.tls === null ? {} : { tls: serverTls(options.tls) }),
    });
    const bound: Address = address.kind === "unix"
      ? address
      : { kind: "tcp", host: ip, port: listener.port ?? address.port };
    return new BunListener(listener, bound);
  } catch (error) {
    throw bindFailure(error);
  }
}

class BunListener implements Listener {
  readonly address: Address;
  readonly #native: NativeListener;

  constructor(native: NativeListener, address: Address) {
    this.#native = native;
    this.address = address;
  }

  /** Bun unlinks a Unix path and closes the descriptor at once; accepted sockets live on. */
  close(): Promise<void> {
    this.#native.stop();
    return Promise.resolve();
  }
}

function plainHandlers(events: AcceptEvents, host: Host): NativeHandlers {
  return { ...OWNER_HANDLERS, open: (native) => accept(new BunSocket(native, host, null), events) };
}

async function tlsHandlers(
  options: ListenOptions,
  events: AcceptEvents,
  host: Host,
): Promise<NativeHandlers> {
  const names = options.tls?.names ?? [];
  return {
    ...OWNER_HANDLERS,
    open(native) {
      native.data = new Handshake(native, options.handshakeTimeoutMs, events, host);
    },
    handshake(native, success, error) {
      if (native.data instanceof Handshake) native.data.onHandshake(success, error);
    },
    ...(names.length === 0 ? {} : { serverName: await certificateChooser(names) }),
  };
}

function accept(socket: BunSocket, events: AcceptEvents): void {
  try {
    socket.events = events.accepted(socket);
  } catch (error) {
    socket.threw(error);
  }
}

/** Owns an accepted connection until its TLS handshake is done. */
class Handshake implements NativeOwner {
  readonly #native: NativeSocket;
  readonly #events: AcceptEvents;
  readonly #host: Host;
  readonly #timer: Timer;
  #settled = false;

  constructor(native: NativeSocket, timeoutMs: number, events: AcceptEvents, host: Host) {
    this.#native = native;
    this.#events = events;
    this.#host = host;
    this.#timer = host.clock.setTimer(timeoutMs, () => {
      this.#fail({ code: "connection_timeout", detail: `no TLS handshake within ${timeoutMs} ms` });
    }, true);
  }

  /** An error beside success is about the client's certificate, which was not asked for. */
  onHandshake(success: boolean, error: unknown): void {
    if (this.#settled) return;
    if (!success) {
      this.#fail(socketErrorOf(error, "handshake"));
      return;
    }
    this.#settled = true;
    this.#timer.cancel();
    accept(new BunSocket(this.#native, this.#host, serverSession(this.#native)), this.#events);
  }

  onClose(error: unknown): void {
    const detail = error === undefined ? "closed during the TLS handshake" : errorDetail(error);
    this.#fail({ code: "connection_terminated", detail });
  }

  onError(error: unknown): void {
    if (platformCode(error) === "") this.#host.onHandlerError(error);
    this.#fail(socketErrorOf(error, "handshake"));
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}

  #fail(error: SocketError): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer.cancel();
    // In order, so that the alert which says why arrives before a reset could overtake it.
    this.#native.close();
    try {
      this.#events.acceptFailed(error);
    } catch (thrown) {
      this.#host.onHandlerError(thrown);
    }
  }
}

function bindFailure(error: unknown): SocketFailure {
  const { code, detail } = socketErrorOf(error, "bind");
  if (code === "platform_error" && outOfDescriptors()) {
    return new SocketFailure("resource_exhausted", "no file descriptor is left");
  }
  return new SocketFailure(code, detail);
}
