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
 * TLS is a flag: nothing is encrypted. Where both ends ask for it when they dial and listen, the handshake settles
 * server name, ALPN and certificate in one step; else it goes over the wire (memory_secure.ts). A certificate is valid when one of its names fits the server name, whoever signed it. Names come
 * from `memoryCertificate(...)`, or from the certificate if it is a real one. `ca: null` trusts nobody,
 * since no certificate of a test is signed by the platform's authorities; any other `ca` trusts all.
 */
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
  SecureEvents,
  SecureOptions,
  Securing,
  ServerTls,
  SocketError,
  SocketErrorCode,
  Timer,
} from "../../runtime/contract/contract.ts";
import { SocketFailure } from "../../runtime/contract/contract.ts";
import { PendingHandshake } from "../../runtime/shared/securing.ts";
import { judgeServer, type ServerAnswer, serverAnswer } from "./memory_certificates.ts";
import { MemoryDatagrams } from "./memory_datagrams.ts";
import { isIpLiteral, MemoryNetwork, type MemoryNetworkOptions, Task } from "./memory_network.ts";
import { secureInMemory, shakeHands } from "./memory_secure.ts";
import { type Ends, lentFiller, maxChunkBytes, MemorySocket } from "./memory_socket.ts";

export { MemoryNetwork, type MemoryNetworkOptions } from "./memory_network.ts";
export { memoryCertificate } from "./memory_certificates.ts";
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
  tlsInTlsHalfOpen: true,
  plainAnswer: true,
  epoll: false,
  maxChunkBytes,
  ownChunks: false, // `MemoryNetworkOptions.ownChunks`
};

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

  reserve(): Promise<never> {
    return Promise.reject(new SocketFailure("platform_error", "there is but one process in memory"));
  }

  dial(options: DialOptions, events: DialEvents): Dial {
    return new MemoryDial(this.network, options, events, this.#onHandlerError);
  }

  secure(options: SecureOptions, events: SecureEvents): Securing {
    return secureInMemory(this.network, options, events, this.#onHandlerError);
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
    else if (hello === null) this.#shakeHandsOnWire(socket, tls);
    else this.#shakeHands(arrival, hello, tls);
    return true;
  }

  #handOver(socket: MemorySocket): void {
    socket.open((open) => this.#events.accepted(open));
  }

  /** A client that dialled without TLS: it speaks TLS later, or something else. */
  #shakeHandsOnWire(socket: MemorySocket, tls: ServerTls): void {
    const options: SecureOptions = { socket, tls, timeoutMs: this.options.handshakeTimeoutMs };
    const events: SecureEvents = {
      secured: (open) => this.#events.accepted(open),
      failed: (error) => {
        socket.dropUnseen();
        this.#events.acceptFailed(error);
      },
    };
    const host = { clock: this.#network.clock, onHandlerError: this.#onHandlerError };
    shakeHands(this.#network, socket, tls, new PendingHandshake(options, events, host));
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
    if (listener.options.tls === null) this.#shakeHandsOnWire(near, hello);
    else near.startHandshake((error) => this.#fail(error.code, error.detail));
  }

  /** With a server that listens without TLS: it speaks TLS later, or never. */
  #shakeHandsOnWire(near: MemorySocket, tls: ClientTls): void {
    const options: SecureOptions = { socket: near, tls, timeoutMs: this.#options.timeoutMs };
    const events: SecureEvents = {
      secured: (socket) => {
        this.#done = true;
        this.#timer.cancel();
        return this.#events.opened(socket);
      },
      failed: ({ code, detail }) => {
        near.dropUnseen();
        this.#fail(code, detail);
      },
    };
    const host = { clock: this.#network.clock, onHandlerError: this.#onHandlerError };
    shakeHands(this.#network, near, tls, new PendingHandshake(options, events, host));
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
    else error = judgeServer(answer.cert, tls);
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
