/**
 * The socket contract on Deno: plain connections over `Deno.listen` and `Deno.connect`, which cost a fifth
 * less CPU per request than Deno's `node:net`.
 *
 * What Deno's own sockets cannot do is left to the Node adapter, which works on Deno as well:
 * - TLS: `Deno.startTls` only adds to the trusted authorities, cannot skip verification and takes no client
 *   certificate; `Deno.listenTls` has one certificate and does not tell the server name.
 * - `reusePort` without --unstable-net: asking for it would end the process.
 *
 * What neither can: `abort` sends an orderly end (Deno closes with shutdown(2) and has no SO_LINGER), so
 * `abortSendsReset` is false, and a message framed by close that is cut short looks complete to the peer.
 */
import {
  type AcceptEvents,
  type Address,
  type Capabilities,
  type Clock,
  type Dial,
  type DialEvents,
  type DialOptions,
  type Listener,
  type ListenOptions,
  type Runtime,
  type RuntimeOptions,
  SocketFailure,
  type Timer,
} from "./contract.ts";
import { DenoBuffers, DenoSocket, LARGE_BYTES } from "./deno_socket.ts";
import type { DenoConn, DenoListener, DenoNamespace } from "./deno_types.ts";
import { createNodeRuntime } from "./node.ts";
import { socketErrorOf } from "./socket_error.ts";
import { createClock, resolveName } from "./system.ts";

/** Pause after a failed accept (out of descriptors): trying at once would spin. */
const ACCEPT_RETRY_MS = 100;

/** Must be called on Deno. Permissions: --allow-net, and --allow-read --allow-write for Unix sockets. */
export function createDenoRuntime(options: RuntimeOptions): Runtime {
  return new DenoRuntime(options);
}

class DenoRuntime implements Runtime {
  readonly name = "deno";
  readonly version: string;
  readonly capabilities: Capabilities;
  readonly clock: Clock = createClock();
  readonly #deno: DenoNamespace;
  readonly #buffers = new DenoBuffers();
  readonly #onHandlerError: (error: unknown) => void;
  /** For what Deno's own sockets lack. */
  readonly #node: Runtime;

  constructor(options: RuntimeOptions) {
    // The cast: nothing in our types declares the global.
    this.#deno = (globalThis as unknown as { readonly Deno: DenoNamespace }).Deno;
    this.#onHandlerError = options.onHandlerError;
    this.#node = createNodeRuntime(options);
    this.version = this.#deno.version.deno;
    const { reusePort, serverNames, maxChunkBytes } = this.#node.capabilities;
    this.capabilities = {
      reusePort: reusePort || this.#unstableNet,
      backlog: true,
      unixSockets: this.#deno.build.os !== "windows",
      abortSendsReset: false,
      serverNames,
      maxChunkBytes: Math.max(maxChunkBytes, LARGE_BYTES),
    };
  }

  /** `reusePort` without the flag ends the process, so the flag is looked for by what else it brings. */
  get #unstableNet(): boolean {
    return this.#deno.listenDatagram !== undefined;
  }

  async listen(options: ListenOptions, events: AcceptEvents): Promise<Listener> {
    const { address, backlog, reusePort, tls } = options;
    if (tls !== null || (reusePort && !this.#unstableNet)) return await this.#node.listen(options, events);
    let listener: DenoListener;
    try {
      listener = this.#deno.listen(
        address.kind === "unix"
          ? { transport: "unix", path: address.path }
          : { transport: "tcp", hostname: address.host, port: address.port, tcpBacklog: backlog, reusePort },
      );
    } catch (error) {
      const { code, detail } = socketErrorOf(error, "bind");
      throw new SocketFailure(code, detail);
    }
    return new AcceptLoop(
      listener,
      address,
      events,
      this.clock,
      (conn) => new DenoSocket(conn, this.#buffers, this.#onHandlerError),
      this.#onHandlerError,
      (path) => this.#deno.removeSync(path),
    );
  }

  dial(options: DialOptions, events: DialEvents): Dial {
    if (options.tls !== null) return this.#node.dial(options, events);
    return new DenoDial(
      this.#deno,
      options,
      events,
      this.clock,
      (conn) => new DenoSocket(conn, this.#buffers, this.#onHandlerError),
      this.#onHandlerError,
    );
  }

  resolve(host: string): Promise<readonly string[]> {
    return resolveName(host);
  }
}

class AcceptLoop implements Listener {
  readonly address: Address;
  readonly #listener: DenoListener;
  readonly #events: AcceptEvents;
  readonly #clock: Clock;
  readonly #wrap: (conn: DenoConn) => DenoSocket;
  readonly #onHandlerError: (error: unknown) => void;
  readonly #removePath: (path: string) => void;
  #open = true;
  #retry: Timer | null = null;
  #accepting = false;
  readonly #closed = Promise.withResolvers<void>();

  readonly #onConn = (conn: DenoConn) => this.#accepted(conn);
  readonly #onError = (error: unknown) => this.#failed(error);

  constructor(
    listener: DenoListener,
    asked: Address,
    events: AcceptEvents,
    clock: Clock,
    wrap: (conn: DenoConn) => DenoSocket,
    onHandlerError: (error: unknown) => void,
    removePath: (path: string) => void,
  ) {
    this.#listener = listener;
    this.#events = events;
    this.#clock = clock;
    this.#wrap = wrap;
    this.#onHandlerError = onHandlerError;
    this.#removePath = removePath;
    const { hostname, port } = listener.addr;
    this.address = asked.kind === "unix"
      ? asked
      : { kind: "tcp", host: hostname ?? asked.host, port: port ?? asked.port };
    this.#accept();
  }

  close(): Promise<void> {
    if (!this.#open) return this.#closed.promise;
    this.#open = false;
    this.#retry?.cancel();
    this.#listener.close();
    // A pending accept keeps the port open until it has been told, a turn later.
    if (!this.#accepting) this.#closed.resolve();
    if (this.address.kind === "unix") {
      try {
        this.#removePath(this.address.path);
      } catch {
        // Somebody removed it already.
      }
    }
    return this.#closed.promise;
  }

  #accept(): void {
    this.#accepting = true;
    this.#listener.accept().then(this.#onConn, this.#onError);
  }

  #accepted(conn: DenoConn): void {
    this.#accepting = false;
    if (!this.#open) {
      conn.close();
      this.#closed.resolve();
      return;
    }
    this.#wrap(conn).open((socket) => this.#events.accepted(socket));
    if (this.#open) this.#accept();
  }

  #failed(error: unknown): void {
    this.#accepting = false;
    if (!this.#open) {
      this.#closed.resolve(); // our own close rejects the pending accept
      return;
    }
    try {
      this.#events.acceptFailed(socketErrorOf(error, "bind"));
    } catch (thrown) {
      this.#onHandlerError(thrown);
    }
    this.#retry = this.#clock.setTimer(ACCEPT_RETRY_MS, () => this.#accept(), true);
  }
}

class DenoDial implements Dial {
  readonly #events: DialEvents;
  readonly #wrap: (conn: DenoConn) => DenoSocket;
  readonly #onHandlerError: (error: unknown) => void;
  readonly #abort = new AbortController();
  readonly #timer: Timer;
  #done = false;

  constructor(
    deno: DenoNamespace,
    options: DialOptions,
    events: DialEvents,
    clock: Clock,
    wrap: (conn: DenoConn) => DenoSocket,
    onHandlerError: (error: unknown) => void,
  ) {
    this.#events = events;
    this.#wrap = wrap;
    this.#onHandlerError = onHandlerError;
    this.#timer = clock.setTimer(options.timeoutMs, () => {
      this.#fail({ code: "connection_timeout", detail: `no connection within ${options.timeoutMs} ms` });
      this.#abort.abort();
    });
    const { address } = options;
    deno.connect(
      address.kind === "unix"
        ? { transport: "unix", path: address.path }
        : { transport: "tcp", hostname: address.host, port: address.port, signal: this.#abort.signal },
    ).then(
      (conn) => this.#connected(conn),
      (error: unknown) => this.#fail(socketErrorOf(error, "dial")),
    );
  }

  cancel(): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    this.#abort.abort();
  }

  #connected(conn: DenoConn): void {
    if (this.#done) {
      conn.close();
      return;
    }
    this.#done = true;
    this.#timer.cancel();
    this.#wrap(conn).open((socket) => this.#events.opened(socket));
  }

  #fail(error: Parameters<DialEvents["failed"]>[0]): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    try {
      this.#events.failed(error);
    } catch (thrown) {
      this.#onHandlerError(thrown);
    }
  }
}
