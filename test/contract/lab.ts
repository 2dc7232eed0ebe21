/**
 * Where one scenario happens: a runtime, its listeners and sockets, and a watch over everything the
 * contract forbids. Every call to the adapter goes through here, so an event that fires inside a call,
 * overlaps another, or comes after `closed` is seen in every scenario and not just in one written for it.
 */
import assert from "node:assert/strict";
import { clearTimeout, setTimeout } from "node:timers";
import type {
  AcceptEvents,
  Address,
  ClientTls,
  Dial,
  DialEvents,
  DialOptions,
  Listener,
  ListenOptions,
  Runtime,
  RuntimeOptions,
  SecureEvents,
  SecureOptions,
  Securing,
  ServerTls,
  Socket,
  SocketError,
  SocketEvents,
} from "../../runtime/contract/contract.ts";
import { Endpoint } from "./endpoint.ts";
import { turns, Waiting, Watch } from "./watch.ts";

/** Groups of scenarios by what they need beside the contract. */
export type ScenarioGroup =
  /** Nothing: adapter to adapter over TCP. */
  | "sockets"
  /** A real loopback: scripted peers over node:net, names, descriptors. */
  | "peers"
  /** Unix sockets in a temporary folder. */
  | "unix"
  /** TLS with the certificates of test/support. */
  | "tls"
  /** TLS on open connections, adapter to adapter. */
  | "secure"
  /** The same over a real loopback, with certificates that count. */
  | "securePeers";

export interface Harness {
  readonly makeRuntime: (options: RuntimeOptions) => Runtime;
  readonly scenarios: readonly ScenarioGroup[];
}

export interface Scenario {
  readonly name: string;
  run(lab: Lab): Promise<void>;
}

/** Only a failure: no scenario waits for time to pass. */
const WATCHDOG_MS = 20_000;
const DIAL_TIMEOUT_MS = 15_000;

/** Runs one scenario, then tears everything down and reports what was forbidden. */
export async function runScenario(harness: Harness, scenario: Scenario): Promise<void> {
  const lab = new Lab(harness);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watchdog = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const state = lab.describe();
      reject(new Error(`nothing happened for ${WATCHDOG_MS} ms; waiting for: ${state}`));
    }, WATCHDOG_MS);
  });
  let failure: Error | null = null;
  try {
    await Promise.race([scenario.run(lab).then(() => lab.close()), watchdog]);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  clearTimeout(timer);
  lab.release();
  const faults = lab.faults();
  if (failure === null) assert.deepEqual(faults, []);
  else if (faults.length === 0) throw failure;
  else throw new Error(`${failure.message}; and: ${faults.join("; ")}`, { cause: failure });
}

export class Lab {
  readonly runtime: Runtime;
  /** What was thrown by handlers and reported; a scenario that throws on purpose empties it. */
  readonly handlerErrors: unknown[] = [];
  readonly watch = new Watch();
  readonly #endpoints: Endpoint[] = [];
  readonly #hosts: Host[] = [];
  readonly #calls: Call[] = [];
  readonly #securings: SecureCall[] = [];
  readonly #cleanups: (() => void)[] = [];

  constructor(harness: Harness) {
    this.runtime = harness.makeRuntime({ onHandlerError: (error) => this.handlerErrors.push(error) });
  }

  async listen(options: Partial<ListenOptions> = {}): Promise<Host> {
    const host = new Host(this);
    const full: ListenOptions = {
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: DIAL_TIMEOUT_MS,
      ...options,
    };
    host.listener = await this.watch.call("listen", () => this.runtime.listen(full, host));
    this.#hosts.push(host);
    return host;
  }

  /** Starts a dial; `Call.whenOpen` and `Call.whenFailed` tell what became of it. */
  startDial(
    address: Address,
    options: Partial<DialOptions> = {},
    prepare: (endpoint: Endpoint) => void = () => {},
  ): Call {
    const call = new Call(this, prepare);
    this.#calls.push(call);
    const full: DialOptions = { address, timeoutMs: DIAL_TIMEOUT_MS, tls: null, ...options };
    call.dial = this.watch.call("dial", () => this.runtime.dial(full, call));
    return call;
  }

  /** Dials and waits for the connection. */
  async dial(
    address: Address,
    options: Partial<DialOptions> = {},
    prepare: (endpoint: Endpoint) => void = () => {},
  ): Promise<Endpoint> {
    return await this.startDial(address, options, prepare).whenOpen();
  }

  /** Dials and waits for the failure. */
  async dialFailure(address: Address, options: Partial<DialOptions> = {}): Promise<SocketError> {
    return await this.startDial(address, options).whenFailed();
  }

  /** Begins TLS on the connection of `endpoint`, which is over as an endpoint. */
  startSecure(
    endpoint: Endpoint,
    tls: ClientTls | ServerTls,
    options: Partial<SecureOptions> & { readonly prepare?: (endpoint: Endpoint) => void } = {},
  ): SecureCall {
    const { prepare = () => {}, ...rest } = options;
    const call = new SecureCall(this, "serverName" in tls ? "secured client" : "secured server", prepare);
    this.#securings.push(call);
    const full: SecureOptions = { socket: endpoint.socket, tls, timeoutMs: DIAL_TIMEOUT_MS, ...rest };
    endpoint.givenAway = true;
    call.securing = this.watch.call("secure", () => this.runtime.secure(full, call));
    // What was lent may be overwritten.
    full.alreadyRead?.fill(0xee);
    endpoint.exerciseAfterClosed();
    return call;
  }

  /** Two ends of one connection, adapter to adapter. */
  async pair(
    listen: Partial<ListenOptions> = {},
    dial: Partial<DialOptions> = {},
    prepare: { client?: (end: Endpoint) => void; server?: (end: Endpoint) => void } = {},
  ): Promise<{ client: Endpoint; server: Endpoint; host: Host }> {
    const host = await this.listen(listen);
    if (prepare.server !== undefined) host.prepare = prepare.server;
    const client = await this.dial(host.address, dial, prepare.client);
    const server = await host.accept();
    return { client, server, host };
  }

  /** Makes the endpoint of a new socket. When `prepare` throws, the socket is the adapter's to drop. */
  introduce(name: string, socket: Socket, event: string, prepare: (endpoint: Endpoint) => void): Endpoint {
    const endpoint = new Endpoint(this.watch, name, socket, this.runtime.capabilities.maxChunkBytes);
    endpoint.enter(event);
    try {
      prepare(endpoint);
    } finally {
      endpoint.leave();
    }
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** Runs at the end whatever happens; for raw peers and files. */
  defer(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Aborts what is still open and waits for each to be `closed`: that too is part of the contract. */
  async close(): Promise<void> {
    for (const call of this.#calls) call.cancel();
    for (const securing of this.#securings) securing.cancel();
    for (const host of this.#hosts) await host.close();
    for (let dropped = 0; dropped < this.#endpoints.length;) {
      const known = this.#endpoints.length;
      for (const endpoint of this.#endpoints) if (!isOver(endpoint)) endpoint.abort();
      for (; dropped < known; dropped++) {
        const endpoint = this.#endpoints[dropped];
        if (endpoint?.givenAway === false) await endpoint.whenClosed();
      }
      // A handshake may be done only now.
      await turns();
    }
    for (const endpoint of this.#endpoints) endpoint.exerciseAfterClosed();
    await turns();
  }

  /** Last resort after a failure. */
  release(): void {
    for (const call of this.#calls) call.cancel();
    for (const securing of this.#securings) securing.cancel();
    for (const endpoint of this.#endpoints) if (!isOver(endpoint)) endpoint.abort();
    for (const host of this.#hosts) host.close().catch(() => {});
    for (const cleanup of this.#cleanups.splice(0).reverse()) cleanup();
  }

  /** What went against the contract. */
  faults(): string[] {
    return [...this.watch.violations, ...this.handlerErrors.map((error) => `handler error: ${error}`)];
  }

  describe(): string {
    const waiting = [...this.#hosts, ...this.#calls, ...this.#securings, ...this.#endpoints].flatMap((each) =>
      each.pending
    );
    return waiting.join("; ") || "something outside of the adapter";
  }
}

/** A listener with everything it has accepted. */
export class Host extends Waiting implements AcceptEvents {
  /** Set by `Lab.listen`. */
  declare listener: Listener;
  readonly failures: SocketError[] = [];
  /** What clients are sent that speak HTTP instead of TLS. */
  plainAnswer = "";
  /** Called inside `accepted`, before it returns. */
  prepare: (endpoint: Endpoint) => void = () => {};
  /** TLS handshakes that may be under way. */
  room = Infinity;
  /** Connections accepted in all. */
  count = 0;
  /** Those that no scenario has asked for yet. */
  readonly waiting: Endpoint[] = [];
  readonly #lab: Lab;

  constructor(lab: Lab) {
    super();
    this.#lab = lab;
  }

  override name(): string {
    return "listener";
  }

  get address(): Address {
    return this.listener.address;
  }

  /** Of a TCP listener. */
  get port(): number {
    return this.address.kind === "tcp" ? this.address.port : 0;
  }

  /** The next connection accepted. */
  async accept(): Promise<Endpoint> {
    await this.until("a connection to accept", () => this.waiting.length > 0);
    return this.waiting.shift() as Endpoint;
  }

  async acceptFailure(): Promise<SocketError> {
    await this.until("acceptFailed", () => this.failures.length > 0);
    return this.failures.shift() as SocketError;
  }

  async close(): Promise<void> {
    await this.#lab.watch.call("Listener.close", () => this.listener?.close());
  }

  accepted(socket: Socket): SocketEvents {
    this.#lab.watch.eventFired("accepted");
    const endpoint = this.#lab.introduce(`server ${++this.count}`, socket, "accepted", this.prepare);
    this.waiting.push(endpoint);
    this.check();
    return endpoint;
  }

  handshakeRoom(): number {
    return this.room;
  }

  answerPlain(): Uint8Array {
    return new TextEncoder().encode(this.plainAnswer);
  }

  acceptFailed(error: SocketError): void {
    this.#lab.watch.eventFired("acceptFailed");
    this.failures.push(error);
    this.check();
  }
}

function isOver({ closedWith, givenAway }: Endpoint): boolean {
  return closedWith !== null || givenAway;
}

/** Something asked of the adapter that opens a connection or fails, and what became of it. */
abstract class Attempt extends Waiting {
  endpoint: Endpoint | null = null;
  error: SocketError | null = null;
  #cancelled = false;
  readonly #lab: Lab;
  readonly #prepare: (endpoint: Endpoint) => void;

  constructor(lab: Lab, prepare: (endpoint: Endpoint) => void) {
    super();
    this.#lab = lab;
    this.#prepare = prepare;
  }

  override over(): string {
    if (this.endpoint !== null) return "it opened";
    return this.error === null ? "" : `it failed, ${this.error.code} (${this.error.detail})`;
  }

  async whenOpen(): Promise<Endpoint> {
    await this.until("opened", () => this.endpoint !== null);
    return this.endpoint as Endpoint;
  }

  async whenFailed(): Promise<SocketError> {
    await this.until("failed", () => this.error !== null);
    return this.error as SocketError;
  }

  /** Resolves with the outcome, whichever it is. */
  async whenOver(): Promise<void> {
    await this.until("an outcome", () => this.over() !== "");
  }

  protected cancelBy(name: string, cancel: () => void): void {
    this.#cancelled = true;
    this.#lab.watch.call(name, cancel);
  }

  protected opens(event: string, name: string, socket: Socket): SocketEvents {
    this.#outcome(event);
    const endpoint = this.#lab.introduce(name, socket, event, this.#prepare);
    this.endpoint = endpoint;
    this.check();
    return endpoint;
  }

  failed(error: SocketError): void {
    this.#outcome("failed");
    this.error = error;
    this.check();
  }

  #outcome(name: string): void {
    this.#lab.watch.eventFired(name);
    if (this.over() !== "") this.#lab.watch.violation(`${name} after an outcome`);
    if (this.#cancelled) this.#lab.watch.violation(`${name} after cancel`);
  }
}

/** A handshake on an open connection. */
export class SecureCall extends Attempt implements SecureEvents {
  declare securing: Securing;
  readonly #name: string;

  constructor(lab: Lab, name: string, prepare: (endpoint: Endpoint) => void) {
    super(lab, prepare);
    this.#name = name;
  }

  override name(): string {
    return this.#name;
  }

  cancel(): void {
    if (this.securing !== undefined) this.cancelBy("Securing.cancel", () => this.securing.cancel());
  }

  secured(socket: Socket): SocketEvents {
    return this.opens("secured", this.#name, socket);
  }
}

/** A dial and what became of it. */
export class Call extends Attempt implements DialEvents {
  declare dial: Dial;

  override name(): string {
    return "dial";
  }

  cancel(): void {
    if (this.dial !== undefined) this.cancelBy("Dial.cancel", () => this.dial.cancel());
  }

  opened(socket: Socket): SocketEvents {
    return this.opens("opened", "client", socket);
  }
}
