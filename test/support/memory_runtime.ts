/**
 * The socket contract in memory, for tests that must be exact and for fuzzing the whole program from a
 * seed. Several runtimes on one `MemoryNetwork` are several processes on one machine: a raw client, the
 * proxy, an origin.
 *
 *     const runtime = createMemoryRuntime({ seed: 42 });
 *     const listener = await runtime.listen({ ... }, accepting);
 *     runtime.dial({ address: listener.address, timeoutMs: 1000, tls: null }, dialling);
 *     runtime.network.run(); // events fire here and nowhere else
 *
 * TLS is a flag: nothing is encrypted. The handshake settles server name, ALPN and certificate in one
 * step; a certificate is valid when one of its names fits the server name, whoever signed it. Names come
 * from `memoryCertificate(...)`, or from the certificate if it is a real one. `ca: null` trusts nobody,
 * since no certificate of a test is signed by the platform's authorities; any other `ca` trusts all.
 */
import { X509Certificate } from "node:crypto";
import type {
  AcceptEvents,
  Address,
  Capabilities,
  ClientTls,
  Clock,
  DatagramEvents,
  DatagramOptions,
  DatagramSocket,
  Dial,
  DialEvents,
  DialOptions,
  Listener,
  ListenOptions,
  Runtime,
  ServerTls,
  SocketError,
  SocketErrorCode,
  Timer,
  TlsSession,
} from "../../runtime/contract/contract.ts";
import { SocketFailure } from "../../runtime/contract/contract.ts";
import { MemoryDatagrams } from "./memory_datagrams.ts";
import { isIpLiteral, MemoryNetwork, type MemoryNetworkOptions, Task } from "./memory_network.ts";
import { type Ends, lentFiller, maxChunkBytes, MemorySocket } from "./memory_socket.ts";

export { MemoryNetwork, type MemoryNetworkOptions } from "./memory_network.ts";
export { lentFiller };

export interface MemoryRuntimeOptions extends MemoryNetworkOptions {
  /** The network to live in; the other options are for a new one and have no effect with this. */
  readonly network?: MemoryNetwork;
  /** Default: the error is thrown out of `network.step()`, so that the test fails. */
  readonly onHandlerError?: (error: unknown) => void;
}

export interface MemoryRuntime extends Runtime {
  readonly network: MemoryNetwork;
  listen(options: ListenOptions, events: AcceptEvents): Promise<MemoryListener>;
}

const memoryCapabilities: Capabilities = {
  reusePort: true,
  backlog: true,
  unixSockets: true,
  abortSendsReset: true,
  endWhilePaused: true,
  serverNames: true,
  workers: false,
  commands: true,
  processGroups: true,
  reapsOrphans: true,
  handover: false,
  ipv6Only: true,
  tlsEnd: true,
  plainAnswer: true,
  epoll: false,
  maxChunkBytes,
  ownChunks: false, // `MemoryNetworkOptions.ownChunks`
};

/** What a client says first when it speaks TLS to a server that does not: the start of a ClientHello. */
const clientHello = Uint8Array.of(0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x03);

const certificateMark = "memory certificate for ";

/** A "certificate" for these names (exact or `*.example.com`); use it as both cert and key. */
export function memoryCertificate(...names: string[]): string {
  return certificateMark + names.join(" ");
}

export function createMemoryRuntime(options: MemoryRuntimeOptions = {}): MemoryRuntime {
  return new InMemoryRuntime(options);
}

function rethrow(error: unknown): void {
  throw error;
}

class InMemoryRuntime implements MemoryRuntime {
  readonly name = "memory";
  readonly version = "0";
  readonly capabilities: Capabilities;
  readonly network: MemoryNetwork;
  readonly clock: Clock;
  readonly #onHandlerError: (error: unknown) => void;

  constructor(options: MemoryRuntimeOptions) {
    this.network = options.network ?? new MemoryNetwork(options);
    this.capabilities = { ...memoryCapabilities, ownChunks: this.network.ownChunks };
    this.clock = this.network.clock;
    this.#onHandlerError = options.onHandlerError ?? rethrow;
  }

  async listen(options: ListenOptions, events: AcceptEvents): Promise<MemoryListener> {
    let address = options.address;
    if (address.kind === "tcp") {
      const host = this.network.lookUp(address.host)?.[0];
      if (host === undefined) throw new SocketFailure("dns_error", `no such name: ${address.host}`);
      address = { kind: "tcp", host, port: address.port || this.network.freePort() };
    }
    const fault = this.network.faultAt(address);
    if (fault !== null && fault !== "blackhole") throw new SocketFailure(fault, "as the test asked for");
    const listener = new MemoryListener(this.network, address, options, events, this.#onHandlerError);
    if (!this.network.addListener(listener)) throw new SocketFailure("address_in_use", "EADDRINUSE");
    return listener;
  }

  hold(): Promise<never> {
    return Promise.reject(new SocketFailure("platform_error", "there is but one process in memory"));
  }

  dial(options: DialOptions, events: DialEvents): Dial {
    return new MemoryDial(this.network, options, events, this.#onHandlerError);
  }

  openDatagrams(options: DatagramOptions, events: DatagramEvents): DatagramSocket {
    return new MemoryDatagrams(this.network, options, events, this.#onHandlerError);
  }

  /** Times that memory was to be given back. */
  released = 0;

  releaseMemory(): void {
    this.released++;
  }

  discard = (bytes: Uint8Array): void => {
    new Uint8Array(bytes.buffer).fill(lentFiller);
  };

  async resolve(host: string): Promise<readonly string[]> {
    const addresses = this.network.lookUp(host);
    if (addresses === null) throw new SocketFailure("dns_error", `no such name: ${host}`);
    return addresses;
  }
}

/** A connection on its way through a listener. */
interface Arrival {
  readonly socket: MemorySocket;
  /** What the client offers, or null for a plain connection. */
  readonly hello: ClientTls | null;
  /** Tells the client what the handshake came to; true when the client is content. */
  readonly answer: (answer: ServerAnswer) => boolean;
}

/** What a server settles in a handshake: a session and its certificate, or why not. */
type ServerAnswer =
  | { readonly session: TlsSession; readonly cert: string }
  | { readonly error: SocketError };

/** A dial that a listener has not answered yet. */
interface Knock {
  readonly enter: (listener: MemoryListener) => void;
  readonly refuse: () => void;
}

export class MemoryListener implements Listener {
  readonly address: Address;
  readonly descriptor = null;
  readonly options: ListenOptions;
  readonly #network: MemoryNetwork;
  readonly #events: AcceptEvents;
  readonly #onHandlerError: (error: unknown) => void;
  /** Connected, not accepted. */
  #queue: Arrival[] = [];
  /** Did not fit into the queue. */
  #knocks: Knock[] = [];
  #open = true;
  #held = false;
  readonly #acceptTask = new Task(() => this.#accept());

  constructor(
    network: MemoryNetwork,
    address: Address,
    options: ListenOptions,
    events: AcceptEvents,
    onHandlerError: (error: unknown) => void,
  ) {
    this.#network = network;
    this.address = address;
    this.options = options;
    this.#events = events;
    this.#onHandlerError = onHandlerError;
  }

  get onHandlerError(): (error: unknown) => void {
    return this.#onHandlerError;
  }

  /** Lets a dial into the queue; while that is full the dial waits outside, as a lost SYN does. */
  knock(knock: Knock): void {
    this.#knocks.push(knock);
    this.#letIn();
  }

  #letIn(): void {
    while (this.#queue.length < Math.max(1, this.options.backlog)) {
      const knock = this.#knocks.shift();
      if (knock === undefined) return;
      knock.enter(this);
    }
  }

  enqueue(arrival: Arrival): void {
    this.#queue.push(arrival);
    this.#network.schedule(this.#acceptTask);
  }

  /** There are no certificates here. */
  certify(): Promise<void> {
    return Promise.resolve();
  }

  leave(): Promise<void> {
    return this.close();
  }

  close(): Promise<void> {
    if (this.#open) {
      this.#open = false;
      this.#network.removeListener(this);
      if (this.#network.resetQueueOnClose) {
        for (const arrival of this.#queue) arrival.socket.dropUnseen();
        this.#queue = [];
      }
      for (const knock of this.#knocks) knock.refuse();
      this.#knocks = [];
    }
    return this.#network.closing;
  }

  /** The process behind the listener is stuck: connections open and wait in the accept queue. */
  hold(): void {
    this.#held = true;
  }

  /** Ends `hold`. */
  release(): void {
    this.#held = false;
    this.#network.schedule(this.#acceptTask);
  }

  #accept(): boolean {
    if (this.#held) return false;
    const arrival = this.#queue.shift();
    if (arrival === undefined) return false;
    if (this.#queue.length > 0) this.#network.schedule(this.#acceptTask);
    this.#letIn();
    const { socket, hello } = arrival;
    const tls = this.options.tls;
    if (tls === null) this.#handOver(socket);
    else if (hello === null) this.#awaitHandshake(socket);
    else this.#shakeHands(arrival, hello, tls);
    return true;
  }

  #handOver(socket: MemorySocket): void {
    socket.open((open) => this.#events.accepted(open));
  }

  /** A peer that does not speak TLS: what it sends, its end or the deadline is the failure. */
  #awaitHandshake(socket: MemorySocket): void {
    const timer = this.#network.clock.setTimer(this.options.handshakeTimeoutMs, () => {
      socket.dropUnseen();
      this.#failed({ code: "connection_timeout", detail: "TLS handshake timed out" });
    });
    socket.startHandshake((error) => {
      timer.cancel();
      this.#failed(error);
    });
  }

  #shakeHands(arrival: Arrival, hello: ClientTls, tls: ServerTls): void {
    const { socket } = arrival;
    if (socket.wasReset) {
      socket.dropUnseen();
      this.#failed({ code: "connection_terminated", detail: "ECONNRESET" });
      return;
    }
    const answer = serverAnswer(hello, tls);
    const accepted = arrival.answer(answer);
    if ("error" in answer || !accepted) {
      socket.dropUnseen();
      const error: SocketError = "error" in answer
        ? answer.error
        : { code: "tls_certificate_error", detail: "the client refused the certificate" };
      this.#failed(error);
      return;
    }
    socket.tls = answer.session;
    this.#handOver(socket);
  }

  #failed(error: SocketError): void {
    report(this.#onHandlerError, () => this.#events.acceptFailed(error));
  }
}

class MemoryDial implements Dial {
  readonly #network: MemoryNetwork;
  readonly #options: DialOptions;
  readonly #events: DialEvents;
  readonly #onHandlerError: (error: unknown) => void;
  readonly #timer: Timer;
  #done = false;
  #socket: MemorySocket | null = null;

  constructor(
    network: MemoryNetwork,
    options: DialOptions,
    events: DialEvents,
    onHandlerError: (error: unknown) => void,
  ) {
    this.#network = network;
    this.#options = options;
    this.#events = events;
    this.#onHandlerError = onHandlerError;
    this.#timer = network.clock.setTimer(options.timeoutMs, () => {
      this.#later(() => {
        this.#socket?.dropUnseen();
        this.#fail("connection_timeout", "dial deadline passed");
      });
    });
    this.#later(() => this.#begin());
  }

  cancel(): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    this.#socket?.dropUnseen();
  }

  /** Runs `act` as a step of its own, unless the dial is over by then. */
  #later(act: () => void): void {
    this.#network.schedule(
      new Task(() => {
        if (this.#done) return false;
        act();
        return true;
      }),
    );
  }

  #begin(): void {
    const { address } = this.#options;
    if (address.kind === "tcp" && !isIpLiteral(address.host)) {
      return this.#fail("dns_error", "not an IP address");
    }
    const fault = this.#network.faultAt(address);
    if (fault === "blackhole") return;
    if (fault !== null) return this.#fail(fault, "as the test asked for");
    const listener = this.#network.listenerAt(address);
    if (listener === null) return this.#fail("connection_refused", "nobody listens there");
    listener.knock({
      enter: (at) => this.#connect(at, address),
      refuse: () => this.#later(() => this.#fail("connection_refused", "nobody listens there")),
    });
  }

  #connect(listener: MemoryListener, address: Address): void {
    if (this.#done) return; // given up while it waited for the queue
    const near = new MemorySocket(this.#network, this.#ends(address), this.#onHandlerError);
    const far = new MemorySocket(this.#network, reversed(near), listener.onHandlerError);
    MemorySocket.join(near, far);
    this.#socket = near;
    const hello = this.#options.tls;
    listener.enqueue({
      socket: far,
      hello,
      answer: (answer) => this.#answered(near, answer),
    });
    if (hello === null) {
      this.#later(() => this.#opened(near));
      return;
    }
    this.#later(() => this.#events.connected?.());
    near.startHandshake((error) => this.#fail(error.code, error.detail));
    if (listener.options.tls === null) near.sendRaw(clientHello);
  }

  #ends(address: Address): Ends {
    if (address.kind === "unix") {
      return { remoteAddress: "", remotePort: 0, localAddress: "", localPort: 0 };
    }
    return {
      remoteAddress: address.host,
      remotePort: address.port,
      localAddress: address.host,
      localPort: this.#network.dialPort(),
    };
  }

  /** The server's side of the handshake is known. */
  #answered(near: MemorySocket, answer: ServerAnswer): boolean {
    const tls = this.#options.tls;
    if (this.#done || tls === null) return false;
    let error: SocketError | null = null;
    if ("error" in answer) error = answer.error;
    else if (tls.verify) error = verify(answer.cert, tls);
    if (error !== null) {
      near.dropUnseen();
      const { code, detail } = error;
      this.#later(() => this.#fail(code, detail));
      return false;
    }
    near.endHandshake();
    if ("session" in answer) near.tls = { ...answer.session, serverName: tls.serverName };
    this.#later(() => this.#opened(near));
    return true;
  }

  #opened(near: MemorySocket): void {
    this.#done = true;
    this.#timer.cancel();
    near.open((socket) => this.#events.opened(socket));
  }

  #fail(code: SocketErrorCode, detail: string): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    report(this.#onHandlerError, () => this.#events.failed({ code, detail }));
  }
}

function report(onHandlerError: (error: unknown) => void, call: () => void): void {
  try {
    call();
  } catch (error) {
    onHandlerError(error);
  }
}

function reversed(ends: Ends): Ends {
  return {
    remoteAddress: ends.localAddress,
    remotePort: ends.localPort,
    localAddress: ends.remoteAddress,
    localPort: ends.remotePort,
  };
}

function serverAnswer(hello: ClientTls, tls: ServerTls): ServerAnswer {
  const offered = hello.alpn ?? [];
  const known = tls.alpn ?? [];
  const alpn = known.find((protocol) => offered.includes(protocol)) ?? "";
  if (alpn === "" && offered.length > 0 && known.length > 0) {
    return { error: { code: "tls_protocol_error", detail: "no application protocol in common" } };
  }
  const serverName = isIpLiteral(hello.serverName) ? "" : hello.serverName;
  const chosen = tls.names?.find((entry) => nameFits(entry.name, serverName));
  return { session: { alpn, serverName, version: "TLSv1.3" }, cert: (chosen ?? tls).cert };
}

function verify(cert: string, tls: ClientTls): SocketError | null {
  if (tls.ca === null) return { code: "tls_certificate_error", detail: "unknown authority" };
  if (certificateNames(cert).some((name) => nameFits(name, tls.serverName))) return null;
  return { code: "tls_certificate_error", detail: `the certificate is not for ${tls.serverName}` };
}

function certificateNames(cert: string): string[] {
  if (cert.startsWith(certificateMark)) return cert.slice(certificateMark.length).split(" ");
  const names = new X509Certificate(cert).subjectAltName ?? "";
  return names.split(", ").map((entry) => entry.replace(/^(DNS|IP Address):/, ""));
}

function nameFits(pattern: string, name: string): boolean {
  const wanted = name.toLowerCase();
  if (!pattern.startsWith("*.")) return pattern.toLowerCase() === wanted;
  const dot = wanted.indexOf(".");
  return dot > 0 && wanted.slice(dot + 1) === pattern.slice(2).toLowerCase();
}
