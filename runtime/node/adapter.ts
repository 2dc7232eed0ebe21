/**
 * The adapter for Node, over node:net and node:tls. It can do all of the contract on Linux with Node 22.12 or
 * newer; before, there is no `reusePort`.
 */
import * as net from "node:net";
import process from "node:process";
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { getSystemErrorMap } from "node:util";
import {
  type AcceptEvents,
  type Address,
  type Capabilities,
  type Clock,
  type DatagramEvents,
  type DatagramOptions,
  type DatagramSocket,
  type Dial,
  type DialEvents,
  type DialOptions,
  type HoldOptions,
  type Listener,
  type ListenOptions,
  type Runtime,
  type RuntimeOptions,
  type SecureEvents,
  type SecureOptions,
  type Securing,
  type ServerTls,
  type Socket,
  type SocketError,
  SocketFailure,
  type TlsSession,
} from "../contract/contract.ts";
import { openDatagrams } from "../shared/datagrams.ts";
import { ReservedSocket } from "../shared/reserved_socket.ts";
import { NodeSocket, reset } from "./socket.ts";
import { secureNode } from "./secure.ts";
import { changeTls, createTlsServer, type TlsServer } from "./tls.ts";
import { secureInJavaScript } from "../shared/conn_secure.ts";
import { ConnBuffers } from "../shared/conn_buffers.ts";
import { secureClient } from "../shared/stream_tls.ts";
import { NO_LITERAL } from "../shared/lazy_module.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { canSpawn, HAS_PROCESS_GROUPS } from "../shared/command_process.ts";
import { canReapOrphans } from "../shared/orphans.ts";
import { createClock, resolveName } from "../shared/system.ts";
import { bindUnixPath, OwnPath } from "../shared/unix_path.ts";
import { canStartWorkers } from "../shared/worker_process.ts";

/** What libuv reads at once, and node's buffer for TLS is smaller. */
const MAX_CHUNK_BYTES = 65_536;

export function createNodeRuntime(options: RuntimeOptions): Runtime {
  return new NodeRuntime(options);
}

class NodeRuntime implements Runtime {
  readonly name = "node";
  readonly version = process.version.replace(/^v/, "");
  readonly capabilities: Capabilities = {
    reusePort: canReusePort(),
    backlog: true,
    unixSockets: process.platform !== "win32",
    // The platform stops looking at a socket that nobody reads, and its descriptor cannot be asked.
    endWhilePaused: false,
    abortSendsReset: true,
    serverNames: true,
    workers: canReusePort() && canStartWorkers(),
    commands: canSpawn(),
    processGroups: HAS_PROCESS_GROUPS,
    reapsOrphans: canReapOrphans(),
    handover: process.platform !== "win32" && createHandle !== undefined,
    ipv6Only: true,
    tlsEnd: false,
    tlsInTlsHalfOpen: true,
    plainAnswer: true,
    epoll: false,
    maxChunkBytes: MAX_CHUNK_BYTES,
    ownChunks: true,
  };
  readonly clock: Clock = createClock();
  readonly onHandlerError: (error: unknown) => void;
  readonly buffers = new ConnBuffers(true);
  readonly closesWithPeer = false;

  constructor(options: RuntimeOptions) {
    this.onHandlerError = options.onHandlerError;
  }

  async listen(options: ListenOptions, events: AcceptEvents): Promise<Listener> {
    if (options.reusePort && !this.capabilities.reusePort) {
      throw new SocketFailure("platform_error", `reusePort does not work with Node ${this.version} here`);
    }
    if (options.address.kind === "unix" && !this.capabilities.unixSockets) {
      throw new SocketFailure("platform_error", "Unix sockets do not work on this platform");
    }
    try {
      const server = this.#createServer(options, events);
      const listener = await bind(server, options);
      server.on("error", (error) => this.#acceptFailed(events, socketErrorOf(error, "bind")));
      return listener;
    } catch (error) {
      if (error instanceof SocketFailure) throw error;
      const { code, detail } = socketErrorOf(error, "bind");
      throw new SocketFailure(code, detail);
    }
  }

  /** Until the first process that gets it calls listen(2), it is bound and no more. */
  async hold({ address, access, inherited, reusePort }: HoldOptions): Promise<Listener> {
    if (createHandle === undefined || !this.capabilities.handover) {
      throw new SocketFailure("platform_error", `Node ${this.version} cannot give a listening socket away`);
    }
    if (inherited !== undefined) return new ReservedSocket(address, inherited);
    if (address.kind === "unix") {
      const create = createHandle;
      const { bound, apart } = await bindUnixPath(
        address.path,
        access,
        (name) => opened(create(name, -1, -1)),
        (handle) => handle.close(),
      );
      if (apart) return new ReservedSocket(address, bound.fd, () => bound.close());
      bound.close();
      throw new SocketFailure("platform_error", "the path is too long");
    }
    const [host = ""] = await resolveName(address.host);
    const flags = (reusePort ? UV_TCP_REUSEPORT : 0) | (net.isIPv6(host) ? UV_TCP_IPV6ONLY : 0);
    const handle = opened(createHandle(host, address.port, net.isIP(host), null, flags));
    const name: { port?: number } = {};
    handle.getsockname(name);
    if (address.port !== 0 && name.port !== address.port) {
      // libuv keeps EADDRINUSE of bind(2) to itself until listen(2).
      handle.close();
      throw new SocketFailure("address_in_use", `port ${address.port} is in use`);
    }
    const bound: Address = { kind: "tcp", host, port: name.port ?? address.port };
    return new ReservedSocket(bound, handle.fd, () => handle.close());
  }

  dial(options: DialOptions, events: DialEvents): Dial {
    return new NodeDial(options, events, this.onHandlerError);
  }

  /** Over plain connections node does it itself; all else goes in JavaScript. */
  secure(options: SecureOptions, events: SecureEvents): Securing {
    const { socket } = options;
    if (socket instanceof NodeSocket && socket.tls === null) {
      return secureNode(options, socket, events, this);
    }
    return secureInJavaScript(options, events, this, takeOver);
  }

  /** V8 collects by itself when it is idle. */
  releaseMemory(): void {}
  discard(): void {}

  openDatagrams(options: DatagramOptions, events: DatagramEvents): DatagramSocket {
    return openDatagrams(options, events, this.onHandlerError);
  }

  resolve(host: string): Promise<readonly string[]> {
    return resolveName(host);
  }

  #createServer(options: ListenOptions, events: AcceptEvents): net.Server {
    const accept = (stream: net.Socket, transport: net.Socket, tls: TlsSession | null) => {
      new NodeSocket(stream, transport, tls, this.onHandlerError).open((socket) => events.accepted(socket));
    };
    if (options.tls !== null) {
      return createTlsServer(options, options.tls, {
        secured: accept,
        failed: (error) => this.#acceptFailed(events, error),
        room: () => events.handshakeRoom?.() ?? Infinity,
        plain: () => events.answerPlain?.() ?? null,
      });
    }
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    server.on("connection", (stream) => accept(stream, stream, null));
    return server;
  }

  #acceptFailed(events: AcceptEvents, error: SocketError): void {
    try {
      events.acceptFailed(error);
    } catch (thrown) {
      this.onHandlerError(thrown);
    }
  }
}

/** Sockets that are not of this adapter stay what they are. */
function takeOver(socket: Socket): Socket | null {
  return socket instanceof NodeSocket ? socket.handOver() : socket;
}

/** Node passes `reusePort` on since 22.12 and 23.1; libuv refuses it where ports are not shared evenly. */
function canReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const known = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return known && (process.platform === "linux" || process.platform === "freebsd");
}

/** A bound socket of libuv, as node:cluster uses it. */
interface NativeHandle {
  readonly fd: number;
  getsockname(name: { port?: number }): number;
  close(): void;
}

const UV_TCP_IPV6ONLY = 1;
const UV_TCP_REUSEPORT = 2;

/** Undocumented, and there since Node 0.9: binds without listening. A number is an error of libuv. */
const createHandle = (net as unknown as {
  _createServerHandle?(
    address: string,
    port: number,
    family: number,
    fd?: null,
    flags?: number,
  ): NativeHandle | number;
})._createServerHandle;

function opened(handle: NativeHandle | number): NativeHandle {
  if (typeof handle !== "number") return handle;
  const [code = "", message = ""] = getSystemErrorMap().get(handle) ?? [];
  const error = Object.assign(new Error(`bind ${code}: ${message}`), { code });
  const failure = socketErrorOf(error, "bind");
  throw new SocketFailure(failure.code, failure.detail);
}

async function bind(server: net.Server, options: ListenOptions): Promise<NodeListener> {
  const { address, backlog, inherited, reusePort } = options;
  if (inherited !== undefined) {
    await listening(server, { fd: inherited, backlog });
    const path = address.kind === "unix" ? new OwnPath(address.path) : null;
    return new NodeListener(server, address, true, path);
  }
  if (address.kind === "tcp") {
    const { host, port } = address;
    await listening(server, { host, port, backlog, ipv6Only: true, ...(reusePort ? { reusePort } : {}) });
    return new NodeListener(server, address, true);
  }
  const { apart, path } = await bindUnixPath(
    address.path,
    options.access,
    (name) => listening(server, { path: name, backlog }),
    () => server.close(),
  );
  return new NodeListener(server, address, apart, path);
}

function listening(server: net.Server, how: net.ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    server.listen(how);
  });
}

class NodeListener implements Listener {
  readonly address: Address;
  readonly descriptor: number | null;
  readonly #server: net.Server;
  readonly #path: OwnPath | null;
  #closed: Promise<void> | null = null;

  /**
   * @param ours false when Node itself knows the path of the socket, and removes it at the end
   * @param path of a Unix socket
   */
  constructor(server: net.Server, asked: Address, ours: boolean, path: OwnPath | null = null) {
    const bound = server.address();
    this.#path = path;
    this.#server = server;
    this.address = asked.kind === "tcp" && typeof bound === "object" && bound !== null
      ? { kind: "tcp", host: bound.address, port: bound.port }
      : asked;
    const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } };
    const fd = handle?.fd ?? -1;
    this.descriptor = ours && fd >= 0 ? fd : null;
  }

  close(): Promise<void> {
    if (this.#closed === null) this.#path?.remove();
    return this.leave();
  }

  certify(tls: ServerTls): Promise<void> {
    try {
      // The cast: only listeners with TLS are asked.
      changeTls(this.#server as TlsServer, tls);
      return Promise.resolve();
    } catch (error) {
      const { code, detail } = socketErrorOf(error, "bind");
      return Promise.reject(new SocketFailure(code, detail));
    }
  }

  leave(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      // Its callback would wait for all connections to end; the descriptor is closed in this turn.
      this.#server.close();
      setImmediate(resolve);
    });
    return this.#closed;
  }
}

/** One deadline over connection and handshake. */
class NodeDial implements Dial {
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
    // Whoever is told may have given up.
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
