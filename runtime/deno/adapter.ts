/**
 * The socket contract on Deno, over `Deno.listen` and `Deno.connect`, which cost a fifth less CPU per request
 * than Deno's `node:net`. TLS is in `shared/conn_tls.ts`.
 *
 * What Deno cannot do:
 * - `abort` sends an orderly end, since Deno closes with shutdown(2) and has no SO_LINGER. So
 *   `abortSendsReset` is false, and a message framed by close that is cut short looks complete to the peer.
 * - `reusePort` needs --unstable-net; asking for it without would end the process. Workers get the flag.
 * - A listening socket cannot be given to another process, nor taken from one: `handover` is false.
 * - IPV6_V6ONLY cannot be set, by node:net neither: a listener on [::] takes IPv4 as well, and both families on one
 *   port only if IPv4 is not bound on its own. So `ipv6Only` is false.
 * - `backlog` is for TCP; Unix sockets get the platform's.
 */
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
  type Listener,
  type ListenOptions,
  NO_HANDSHAKE_ROOM,
  type Runtime,
  type RuntimeOptions,
  type SecureEvents,
  type SecureOptions,
  type Securing,
  type ServerTls,
  type SocketError,
  SocketFailure,
  type Timer,
  type TlsSession,
} from "../contract/contract.ts";
import { openDatagrams } from "../shared/datagrams.ts";
import type { Conn } from "../shared/conn.ts";
import { ConnBuffers, LARGE_BYTES } from "../shared/conn_buffers.ts";
import { ConnSocket } from "../shared/conn_socket.ts";
import { secureInJavaScript } from "../shared/conn_secure.ts";
import { checkServerTls, secureConn } from "../shared/conn_tls.ts";
import type { DenoListener, DenoNamespace } from "./types.ts";
import { isIpLiteral, NO_LITERAL } from "../shared/lazy_module.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { canSpawn, HAS_PROCESS_GROUPS } from "../shared/command_process.ts";
import { canReapOrphans } from "../shared/orphans.ts";
import { createClock, resolveName } from "../shared/system.ts";
import { bindUnixPath, type OwnPath } from "../shared/unix_path.ts";
import { canStartWorkers } from "../shared/worker_process.ts";

/** Pause after a failed accept (out of descriptors): trying at once would spin. */
const ACCEPT_RETRY_MS = 100;

const NO_HANDOVER = "Deno does not know the descriptors of its sockets, nor listens on one that it is given";

const BOTH_FAMILIES = "on Deno [::] takes IPv4 as well, so that 0.0.0.0 cannot have the same port";

/** Must be called on Deno. Permissions: --allow-net, and --allow-read --allow-write for Unix sockets. */
export function createDenoRuntime(options: RuntimeOptions): Runtime {
  return new DenoRuntime(options);
}

class DenoRuntime implements Runtime {
  readonly name = "deno";
  readonly version: string;
  readonly capabilities: Capabilities;
  readonly clock: Clock = createClock();
  readonly deno: DenoNamespace;
  readonly onHandlerError: (error: unknown) => void;
  readonly buffers = new ConnBuffers();
  readonly closesWithPeer = false;

  constructor(options: RuntimeOptions) {
    // The cast: nothing in our types declares the global.
    this.deno = (globalThis as unknown as { readonly Deno: DenoNamespace }).Deno;
    this.onHandlerError = options.onHandlerError;
    this.version = this.deno.version.deno;
    this.capabilities = {
      // Looked for by what else the flag brings.
      reusePort: this.deno.listenDatagram !== undefined && this.deno.build.os !== "windows",
      backlog: true,
      unixSockets: this.deno.build.os !== "windows",
      // The platform stops looking at a socket that is not read, and its descriptor cannot be asked.
      endWhilePaused: false,
      abortSendsReset: false,
      serverNames: true,
      workers: canStartWorkers(),
      commands: canSpawn(),
      processGroups: HAS_PROCESS_GROUPS,
      reapsOrphans: canReapOrphans(),
      handover: false,
      ipv6Only: false,
      tlsEnd: true,
      tlsInTlsHalfOpen: true,
      plainAnswer: true,
      epoll: false,
      maxChunkBytes: LARGE_BYTES,
      ownChunks: false,
    };
  }

  async listen(options: ListenOptions, events: AcceptEvents): Promise<Listener> {
    const { address, backlog, reusePort, inherited } = options;
    if (inherited !== undefined) throw new SocketFailure("platform_error", NO_HANDOVER);
    if (reusePort && !this.capabilities.reusePort) {
      throw new SocketFailure("platform_error", "reusePort needs Deno to run with --unstable-net");
    }
    try {
      if (options.tls !== null) checkServerTls(options.tls);
      if (address.kind === "unix") {
        const { bound, path } = await bindUnixPath(
          address.path,
          options.access,
          (name) => this.deno.listen({ transport: "unix", path: name }),
          (listener) => listener.close(),
        );
        return new AcceptLoop(this, bound, options, events, path);
      }
      const listener = this.deno.listen({
        transport: "tcp",
        hostname: address.host,
        port: address.port,
        tcpBacklog: backlog,
        reusePort,
      });
      return new AcceptLoop(this, listener, options, events, null);
    } catch (error) {
      if (error instanceof SocketFailure) throw error;
      const { code, detail } = socketErrorOf(error, "bind");
      const twice = code === "address_in_use" && address.kind === "tcp" &&
        /^(?:::|0\.0\.0\.0)$/.test(address.host);
      throw new SocketFailure(code, twice ? `${detail} (${BOTH_FAMILIES})` : detail);
    }
  }

  reserve(): Promise<Listener> {
    return Promise.reject(new SocketFailure("platform_error", NO_HANDOVER));
  }

  dial(options: DialOptions, events: DialEvents): Dial {
    return new DenoDial(this, options, events);
  }

  secure(options: SecureOptions, events: SecureEvents): Securing {
    return secureInJavaScript(options, events, this, (socket) => socket);
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

  wrap(conn: Conn, session: TlsSession | null): ConnSocket {
    return new ConnSocket(conn, session, this.buffers, this.onHandlerError);
  }

  /** Calls a handler that belongs to no socket. */
  guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.onHandlerError(error);
    }
  }
}

class AcceptLoop implements Listener {
  readonly address: Address;
  readonly descriptor = null;
  readonly #runtime: DenoRuntime;
  readonly #listener: DenoListener;
  #tls: ServerTls | null;
  readonly #handshakeTimeoutMs: number;
  /** Handshakes. */
  #underWay = 0;
  readonly #events: AcceptEvents;
  /** Of a Unix socket. */
  readonly #path: OwnPath | null;
  #open = true;
  #retry: Timer | null = null;
  #accepting = false;
  readonly #closed = Promise.withResolvers<void>();

  readonly #onConn = (conn: Conn) => this.#arrived(conn);
  readonly #onError = (error: unknown) => this.#acceptFailed(error);

  constructor(
    runtime: DenoRuntime,
    listener: DenoListener,
    options: ListenOptions,
    events: AcceptEvents,
    path: OwnPath | null,
  ) {
    this.#path = path;
    this.#runtime = runtime;
    this.#listener = listener;
    this.#tls = options.tls;
    this.#handshakeTimeoutMs = options.handshakeTimeoutMs;
    this.#events = events;
    const { hostname, port } = listener.addr;
    const asked = options.address;
    this.address = asked.kind === "unix"
      ? asked
      : { kind: "tcp", host: hostname ?? asked.host, port: port ?? asked.port };
    this.#accept();
  }

  close(): Promise<void> {
    if (!this.#open) return this.#closed.promise;
    const closed = this.leave();
    this.#path?.remove();
    return closed;
  }

  certify(tls: ServerTls): Promise<void> {
    try {
      checkServerTls(tls);
      this.#tls = tls;
      return Promise.resolve();
    } catch (error) {
      const { code, detail } = socketErrorOf(error, "bind");
      return Promise.reject(error instanceof SocketFailure ? error : new SocketFailure(code, detail));
    }
  }

  leave(): Promise<void> {
    if (!this.#open) return this.#closed.promise;
    this.#open = false;
    this.#retry?.cancel();
    this.#listener.close();
    // A pending accept keeps the port open until it has been told, a turn later.
    if (!this.#accepting) this.#closed.resolve();
    return this.#closed.promise;
  }

  #accept(): void {
    this.#accepting = true;
    this.#listener.accept().then(this.#onConn, this.#onError);
  }

  #arrived(conn: Conn): void {
    this.#accepting = false;
    if (!this.#open) {
      conn.close();
      this.#closed.resolve();
      return;
    }
    if (this.#tls === null) this.#accepted(conn, null);
    else this.#shakeHands(this.#tls, conn);
    if (this.#open) this.#accept();
  }

  #accepted(conn: Conn, session: TlsSession | null): void {
    this.#runtime.wrap(conn, session).open((socket) => this.#events.accepted(socket));
  }

  #shakeHands(tls: ServerTls, conn: Conn): void {
    if (this.#underWay >= (this.#events.handshakeRoom?.() ?? Infinity)) {
      closeQuietly(conn);
      this.#runtime.guard(() => this.#events.acceptFailed(NO_HANDSHAKE_ROOM));
      return;
    }
    let done = false;
    this.#underWay++;
    const settled = () => {
      done = true;
      this.#underWay--;
      timer.cancel();
    };
    const failed = (error: SocketError) => {
      if (done) return;
      settled();
      closeQuietly(conn);
      this.#runtime.guard(() => this.#events.acceptFailed(error));
    };
    const timer = this.#runtime.clock.setTimer(this.#handshakeTimeoutMs, () => {
      failed({ code: "connection_timeout", detail: "TLS handshake timed out" });
    });
    const answerPlain = () => this.#events.answerPlain?.() ?? null;
    secureConn(conn, tls, { answerPlain }).then((secured) => {
      if (done) return;
      settled();
      this.#accepted(secured.conn, secured.session);
    }, (error: SocketFailure) => failed(error));
  }

  #acceptFailed(error: unknown): void {
    this.#accepting = false;
    if (!this.#open) {
      this.#closed.resolve(); // our own close rejects the pending accept
      return;
    }
    this.#runtime.guard(() => this.#events.acceptFailed(socketErrorOf(error, "bind")));
    this.#retry = this.#runtime.clock.setTimer(ACCEPT_RETRY_MS, () => this.#accept(), true);
  }
}

class DenoDial implements Dial {
  readonly #runtime: DenoRuntime;
  readonly #options: DialOptions;
  readonly #events: DialEvents;
  readonly #abort = new AbortController();
  readonly #timer: Timer;
  /** Connected, shaking hands. */
  #conn: Conn | null = null;
  #done = false;

  constructor(runtime: DenoRuntime, options: DialOptions, events: DialEvents) {
    this.#runtime = runtime;
    this.#options = options;
    this.#events = events;
    this.#timer = runtime.clock.setTimer(options.timeoutMs, () => {
      this.#fail({ code: "connection_timeout", detail: `no connection within ${options.timeoutMs} ms` });
      this.#abort.abort();
    });
    const { address } = options;
    if (address.kind === "tcp" && !isIpLiteral(address.host)) {
      queueMicrotask(() => this.#fail(NO_LITERAL));
      return;
    }
    runtime.deno.connect(
      address.kind === "unix"
        ? { transport: "unix", path: address.path }
        : { transport: "tcp", hostname: address.host, port: address.port, signal: this.#abort.signal },
    ).then(
      (conn) => this.#connected(conn),
      (error: unknown) => this.#fail(socketErrorOf(error, "dial")),
    );
  }

  cancel(): void {
    if (!this.#end()) return;
    this.#abort.abort();
    if (this.#conn !== null) closeQuietly(this.#conn);
  }

  /** True for the first that ends the dial. */
  #end(): boolean {
    if (this.#done) return false;
    this.#done = true;
    this.#timer.cancel();
    return true;
  }

  #connected(conn: Conn): void {
    const { tls } = this.#options;
    if (this.#done) {
      closeQuietly(conn);
    } else if (tls === null) {
      this.#opened(conn, null);
    } else {
      this.#conn = conn;
      this.#runtime.guard(() => this.#events.connected?.());
      // The caller may have given up when it is told.
      if (this.#done) return;
      secureConn(conn, tls).then(
        (secured) => this.#opened(secured.conn, secured.session),
        (error: SocketFailure) => this.#fail(error),
      );
    }
  }

  #opened(conn: Conn, session: TlsSession | null): void {
    if (!this.#end()) return;
    this.#runtime.wrap(conn, session).open((socket) => this.#events.opened(socket));
  }

  #fail(error: SocketError): void {
    if (!this.#end()) return;
    if (this.#conn !== null) closeQuietly(this.#conn);
    this.#runtime.guard(() => this.#events.failed(error));
  }
}

function closeQuietly(conn: Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before.
  }
}
