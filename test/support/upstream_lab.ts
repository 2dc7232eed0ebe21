/**
 * An upstream on the in-memory network, with waiters that record what becomes of them: for tests of the
 * waiting room, the dial loop and the slots, without a byte of HTTP.
 */

import assert from "node:assert/strict";
import type { SocketError, SocketEvents } from "../../runtime/contract/contract.ts";
import { RoundRobin } from "../../src/upstream/balance/round_robin.ts";
import { SocketConnector } from "../../src/client/connector.ts";
import { IoTurn } from "../../src/conn/io_turn.ts";
import type { UpstreamPeer, UpstreamStream } from "../../src/http/upstream_stream.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import type { Endpoint } from "../../src/upstream/endpoint.ts";
import type { EndpointSettings } from "../../src/upstream/endpoint_settings.ts";
import { namedRuntime } from "../../src/resolve/named_runtime.ts";
import { Upstream } from "../../src/upstream/upstream.ts";
import type { UpstreamObserver } from "../../src/upstream/upstream_observer.ts";
import type { UpstreamSettings } from "../../src/upstream/upstream_settings.ts";
import type { WaitFailure } from "../../src/upstream/wait_failure.ts";
import type { Waiter } from "../../src/upstream/waiting_room.ts";
import { SharedStream, SharingConnector } from "./sharing_peer.ts";
import { createMemoryRuntime, type MemoryListener, type MemoryRuntime } from "./memory_runtime.ts";
import type { MemoryNetworkOptions } from "./memory_network.ts";
import type { MemorySystem } from "./memory_system.ts";

/** One request, as the upstream sees it. */
export class TestWaiter implements Waiter {
  readonly lab: UpstreamLab;
  readonly name: string;
  arrivedAt: number;
  readonly ownConnection: UpstreamPeer | null = null;
  wantsFresh = false;
  isRetry = false;
  goesLast = false;
  balanceKey: number | null = null;
  probationMs = 0;
  repeatable = true;
  admitted = false;
  enteredAt = -1;
  heldAtEntry = 0;
  outage = 0;
  inRoom = false;
  roomBefore: Waiter | null = null;
  roomAfter: Waiter | null = null;
  stream: UpstreamStream | null = null;
  connection: UpstreamPeer | null = null;
  endpoint: Endpoint | null = null;
  /** Monotonic milliseconds of the connection or the failure. */
  settledAt = 0;
  failure: WaitFailure | "" = "";
  detail = "";
  #retryCounted = false;
  /** Called when a connection is in hand. */
  onReady: () => void = () => {};
  onFailed: () => void = () => {};

  constructor(lab: UpstreamLab, name: string) {
    this.lab = lab;
    this.name = name;
    this.arrivedAt = lab.turn.now;
  }

  ask(): this {
    const stream = this.lab.upstream.acquire(this);
    if (stream !== null) this.#got(stream, stream.peer.owner as Endpoint);
    this.lab.turn.end();
    return this;
  }

  streamReady(stream: UpstreamStream, endpoint: Endpoint): void {
    assert.equal(this.inRoom, false, `${this.name} has left the room`);
    this.#got(stream, endpoint);
  }

  #got(stream: UpstreamStream, endpoint: Endpoint): void {
    assert.equal(this.connection, null, `${this.name} gets one connection at a time`);
    assert.equal(this.failure, "", `${this.name} has not failed`);
    this.stream = stream;
    this.connection = stream.peer;
    this.endpoint = endpoint;
    this.#retryCounted = this.isRetry;
    this.settledAt = this.lab.turn.now;
    this.lab.order.push(this.name);
    this.onReady();
  }

  waitFailed(failure: WaitFailure, detail: string): void {
    assert.equal(this.inRoom, false, `${this.name} has left the room`);
    assert.equal(this.failure, "", `${this.name} fails once`);
    this.failure = failure;
    this.detail = detail;
    this.settledAt = this.lab.turn.now;
    this.onFailed();
  }

  /** The response has come; the connection may serve again. */
  answered(keep = true): void {
    const { upstream } = this.lab;
    assert.ok(this.endpoint !== null);
    upstream.answered(this.endpoint, (this.connection?.uses ?? 0) > 1, this.settledAt);
    this.release(keep);
  }

  release(keep: boolean): void {
    const { stream, connection, endpoint } = this;
    assert.ok(stream !== null && connection !== null && endpoint !== null, `${this.name} has a connection`);
    this.stream = null;
    this.connection = null;
    // An exchange hears of the end of its connection; this one has sent nothing on it, and has to look.
    const fit = stream instanceof SharedStream ? stream.completes() : connection.freeStreams > 0;
    const serves = keep && fit;
    if (!serves) stream.discard(false);
    this.lab.upstream.release(connection, endpoint, serves ? "pool" : "close", this.#retryCounted);
    this.lab.turn.end();
  }

  /** The connection ended without an answer: what an exchange does about it, then asks again. */
  resetAndRetry(probationMs = 0): void {
    const { connection, endpoint } = this;
    assert.ok(connection !== null && endpoint !== null);
    const reused = this.stream?.reused === true;
    if (reused) this.lab.upstream.suspect(endpoint);
    else {
      this.lab.upstream.failed(connection, endpoint, { code: "connection_terminated", detail: "test" });
    }
    this.release(false);
    this.isRetry = true;
    this.wantsFresh = reused || probationMs > 0;
    this.probationMs = probationMs;
    this.ask();
  }

  leave(): void {
    this.lab.upstream.leave(this);
  }
}

/** A backend: listens at `port`, keeps what it accepts. */
export class Backend {
  readonly lab: UpstreamLab;
  readonly port: number;
  readonly host: string;
  accepted = 0;
  open = 0;
  mostOpen = 0;
  listener: MemoryListener | null = null;
  closers: (() => void)[] = [];

  constructor(lab: UpstreamLab, port: number, host = "127.0.0.1") {
    this.lab = lab;
    this.port = port;
    this.host = host;
  }

  get address() {
    return { kind: "tcp", host: this.host, port: this.port } as const;
  }

  async up(): Promise<void> {
    const options = {
      address: this.address,
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    };
    this.listener = await this.lab.runtime.listen(options, {
      accepted: (socket): SocketEvents => {
        this.accepted++;
        this.open++;
        this.mostOpen = Math.max(this.mostOpen, this.open);
        this.closers.push(() => socket.abort());
        return {
          data() {},
          drained() {},
          ended: () => socket.close(),
          closed: () => {
            this.open--;
          },
        };
      },
      acceptFailed() {},
    });
  }

  /** Nobody listens any more; connections stay. */
  down(): void {
    void this.listener?.close();
    this.listener = null;
  }

  /** Tears down every connection. */
  resetAll(): void {
    for (const close of this.closers.splice(0)) close();
  }
}

export interface LabOptions extends Partial<Omit<UpstreamSettings, "endpoints">> {
  readonly endpoints?: number;
  /** Of the endpoints, in their order; 1 where there is none. */
  readonly weights?: readonly number[];
  readonly maxInFlight?: number;
  readonly poolSize?: number;
  readonly network?: MemoryNetworkOptions;
  readonly tls?: boolean;
  /** Endpoints are dialled by this name, which the files of `system` know. */
  readonly hostName?: string;
  readonly system?: MemorySystem;
  /** Connections carry several streams: how many the next one does at most. */
  readonly streams?: () => number;
}

export class UpstreamLab implements UpstreamObserver {
  readonly runtime: MemoryRuntime;
  readonly turn: IoTurn;
  readonly upstream: Upstream;
  readonly backends: Backend[];
  /** Has the connections if they carry several streams. */
  readonly shared: SharingConnector;
  readonly events: string[] = [];
  /** Names of waiters in the order they got connections. */
  readonly order: string[] = [];
  /** Times of all dials so far. */
  readonly dials: { readonly at: number; readonly port: number }[] = [];
  #names = 0;

  constructor(options: LabOptions = {}) {
    this.runtime = createMemoryRuntime(options.network ?? {});
    this.turn = new IoTurn(this.runtime);
    this.backends = Array.from({ length: options.endpoints ?? 1 }, (_, i) => new Backend(this, 3000 + i));
    const { runtime, dials } = this;
    const counting = {
      ...runtime,
      clock: runtime.clock,
      openDatagrams: (...args: Parameters<typeof runtime.openDatagrams>) => runtime.openDatagrams(...args),
      dial: (...args: Parameters<typeof runtime.dial>) => {
        const { address } = args[0];
        dials.push({ at: runtime.clock.now(), port: address.kind === "tcp" ? address.port : 0 });
        return runtime.dial(...args);
      },
    } as MemoryRuntime;
    const named = options.system === undefined ? counting : namedRuntime(counting, options.system);
    const sockets = new SocketConnector(named, this.turn);
    this.shared = new SharingConnector(sockets, options.streams ?? (() => 1));
    this.upstream = new Upstream(named, options.streams === undefined ? sockets : this.shared, {
      name: "lab",
      policy: (endpoints) => new RoundRobin(endpoints),
      holdMs: 30_000,
      holdIntervalMs: null,
      queueSize: 1000,
      queueBytes: 1 << 20,
      queueTimeoutMs: 30_000,
      connectTimeoutMs: 5000,
      limits: DEFAULT_LIMITS,
      ...options,
      endpoints: this.backends.map((backend, i) => this.#endpoint(backend, i, options)),
    }, this);
  }

  #endpoint(backend: Backend, i: number, options: LabOptions): EndpointSettings {
    return {
      name: `e${i}`,
      key: {
        scheme: options.tls === true ? "https" : "http",
        address: { ...backend.address, host: options.hostName ?? backend.address.host },
        tls: options.tls === true ? { serverName: "backend.test", verify: true, ca: null } : null,
        proxyChain: [],
        credentials: "",
      },
      hostField: "backend.test",
      weight: options.weights?.[i] ?? 1,
      maxInFlight: options.maxInFlight ?? 0,
      pool: { size: options.poolSize ?? 16, idleTimeoutMs: 60_000, maxAgeMs: 0 },
    };
  }

  get network() {
    return this.runtime.network;
  }

  get now(): number {
    return this.runtime.clock.now();
  }

  backend(i = 0): Backend {
    const backend = this.backends[i];
    assert.ok(backend !== undefined);
    return backend;
  }

  endpoint(i = 0): Endpoint {
    const endpoint = this.upstream.endpoints[i];
    assert.ok(endpoint !== undefined);
    return endpoint;
  }

  /** A request that arrives now; does not ask yet. */
  waiter(name = `w${++this.#names}`): TestWaiter {
    this.turn.begin();
    return new TestWaiter(this, name);
  }

  /** A request that arrives now and asks. */
  ask(name?: string): TestWaiter {
    return this.waiter(name).ask();
  }

  asks(count: number): TestWaiter[] {
    return Array.from({ length: count }, () => this.ask());
  }

  run(): void {
    this.network.run();
    this.turn.begin();
  }

  advance(ms: number): void {
    this.network.advance(ms);
    this.turn.begin();
  }

  /** Nothing is counted that is not there. */
  assertQuiet(): void {
    assert.equal(this.upstream.waiting, 0, "nobody waits");
    assert.equal(this.upstream.inFlight, 0, "nothing is in flight");
    assert.equal(this.upstream.bufferedBytes, 0, "nothing is buffered");
    assert.equal(this.upstream.copiedBytes, 0, "no copy is kept");
    for (const endpoint of this.upstream.endpoints) {
      assert.equal(endpoint.busy, 0, `${endpoint.name} is not busy`);
      assert.equal(endpoint.dialing, 0, `${endpoint.name} is not being dialled`);
    }
  }

  endpointDown(_upstream: Upstream, endpoint: Endpoint, error: SocketError): void {
    this.events.push(`down ${endpoint.name} ${error.code}`);
  }

  endpointUp(_upstream: Upstream, endpoint: Endpoint, downMs: number): void {
    this.events.push(`up ${endpoint.name} ${Math.round(downMs)}`);
  }
}
