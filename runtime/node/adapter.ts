/**
 * The adapter for Node, over node:net and node:tls. It can do all of the contract on Linux with Node 22.12 or
 * newer; before, there is no `reusePort`.
 */
import * as net from "node:net";
import process from "node:process";
import {
  type AcceptEvents,
  type Capabilities,
  type Clock,
  type DatagramEvents,
  type DatagramOptions,
  type DatagramSocket,
  type Dial,
  type DialEvents,
  type DialOptions,
  type Listener,
  type ListenOptions,
  type ReserveOptions,
  type Runtime,
  type RuntimeOptions,
  type SecureEvents,
  type SecureOptions,
  type Securing,
  type Socket,
  type SocketError,
  SocketFailure,
  type TlsSession,
} from "../contract/contract.ts";
import { openDatagrams } from "../shared/datagrams.ts";
import { NodeDial } from "./dial.ts";
import { bind } from "./listener.ts";
import { canReserve, reserve } from "./reserve.ts";
import { secureNode } from "./secure.ts";
import { NodeSocket } from "./socket.ts";
import { createTlsServer } from "./tls.ts";
import { secureInJavaScript } from "../shared/conn_secure.ts";
import { ConnBuffers } from "../shared/conn_buffers.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { canSpawn, HAS_PROCESS_GROUPS } from "../shared/command_process.ts";
import { canReapOrphans } from "../shared/orphans.ts";
import { createClock, resolveName } from "../shared/system.ts";
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
    // The platform stops looking at a socket that is not read, and its descriptor cannot be asked.
    endWhilePaused: false,
    abortSendsReset: true,
    serverNames: true,
    workers: canReusePort() && canStartWorkers(),
    commands: canSpawn(),
    processGroups: HAS_PROCESS_GROUPS,
    reapsOrphans: canReapOrphans(),
    handover: canReserve(),
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

  reserve(options: ReserveOptions): Promise<Listener> {
    return reserve(options);
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
