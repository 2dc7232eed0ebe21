/**
 * Several workers that share the slots of one upstream, in one process: real upstreams on one in-memory
 * network, a real ledger, and between them channels whose messages move one at a time when a test says so. A lab may
 * take the place of another one, which drains: then there are two ledgers, with channels between them.
 */

import assert from "node:assert/strict";
import { RoundRobin } from "../../src/upstream/balance/round_robin.ts";
import { Connector } from "../../src/client/connector.ts";
import { IoTurn } from "../../src/conn/io_turn.ts";
import type { PinHolder, UpstreamPeer, UpstreamStream } from "../../src/http/upstream_stream.ts";
import { ELDER, HEIR } from "../../src/process/supervisor/lineage_messages.ts";
import type { Slots } from "../../src/process/worker/messages.ts";
import { SlotLedger } from "../../src/process/supervisor/slot_ledger.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import type { Endpoint, EndpointSettings } from "../../src/upstream/endpoint.ts";
import { Upstream } from "../../src/upstream/upstream.ts";
import type { Waiter } from "../../src/upstream/waiting_room.ts";
import { createMemoryRuntime, type MemoryListener, MemoryNetwork } from "./memory_runtime.ts";

const UPSTREAM = "lab";

/** A connection on which a client has logged in. */
export class SlotPin implements PinHolder {
  readonly worker: SlotWorker;
  readonly connection: UpstreamPeer;
  readonly endpoint: Endpoint;
  /** Its request that waits, or is served. */
  user: SlotRequest | null = null;
  #resting = true;

  constructor(worker: SlotWorker, connection: UpstreamPeer, endpoint: Endpoint) {
    this.worker = worker;
    this.connection = connection;
    this.endpoint = endpoint;
    connection.pinnedTo = this;
    endpoint.pinned++;
    endpoint.pinnedIdle++;
    connection.rest(worker.turn.now, Infinity);
    worker.pins.add(this);
  }

  taken(): void {
    this.#resting = false;
    this.endpoint.pinnedIdle--;
  }

  rest(): void {
    this.user = null;
    this.#resting = true;
    this.endpoint.pinnedIdle++;
  }

  pinLost(): void {
    if (!this.worker.pins.delete(this)) return;
    this.endpoint.pinned--;
    if (!this.#resting) return;
    this.endpoint.pinnedIdle--;
    this.user?.leave();
  }
}

export class SlotRequest implements Waiter {
  readonly worker: SlotWorker;
  readonly name: string;
  readonly arrivedAt: number;
  /** It must go there; null = anywhere. */
  readonly pin: SlotPin | null;
  readonly ownConnection: UpstreamPeer | null;
  readonly goesLast = false;
  readonly probationMs = 0;
  readonly wantsFresh = false;
  readonly isRetry = false;
  readonly repeatable = true;
  readonly admitted = false;
  enteredAt = -1;
  heldAtEntry = 0;
  outage = 0;
  inRoom = false;
  roomBefore: Waiter | null = null;
  roomAfter: Waiter | null = null;
  state: "waiting" | "served" | "done" | "failed" | "left" | "dead" = "waiting";
  #connection: UpstreamPeer | null = null;
  #endpoint: Endpoint | null = null;

  constructor(worker: SlotWorker, name: string, pin: SlotPin | null) {
    this.worker = worker;
    this.name = name;
    this.pin = pin;
    this.ownConnection = pin === null ? null : pin.connection;
    if (pin !== null) pin.user = this;
    this.arrivedAt = worker.turn.now;
  }

  ask(): void {
    const stream = this.worker.upstream.acquire(this);
    if (stream !== null) this.streamReady(stream, stream.peer.owner as Endpoint);
    this.worker.turn.end();
  }

  streamReady(stream: UpstreamStream, endpoint: Endpoint): void {
    this.state = "served";
    this.pin?.taken();
    this.#connection = stream.peer;
    this.#endpoint = endpoint;
    this.worker.lab.order.push(this.name);
  }

  waitFailed(): void {
    this.state = "failed";
  }

  /** The answer has come. */
  answered(keep: boolean): void {
    const connection = this.#connection;
    const endpoint = this.#endpoint;
    assert.ok(connection !== null && endpoint !== null);
    const { turn, upstream } = this.worker;
    turn.begin();
    this.state = "done";
    upstream.answered(endpoint, connection.uses > 1);
    if (!keep) connection.drop();
    const { pin } = this;
    const lasts = keep && (pin === null || this.worker.pins.has(pin));
    if (pin !== null) {
      if (lasts) pin.rest();
      else pin.pinLost();
    }
    const kept = pin === null ? "pool" : "pin";
    upstream.release(connection, endpoint, lasts ? kept : "close", false);
    turn.end();
  }

  /** The answer has come, and the connection is this client's own from now on. */
  login(): SlotPin {
    const connection = this.#connection;
    const endpoint = this.#endpoint;
    assert.ok(connection !== null && endpoint !== null);
    const { turn, upstream } = this.worker;
    turn.begin();
    this.state = "done";
    upstream.answered(endpoint, true);
    const pin = new SlotPin(this.worker, connection, endpoint);
    upstream.release(connection, endpoint, "pin", false);
    turn.end();
    return pin;
  }

  leave(): void {
    this.state = "left";
    if (this.pin !== null) this.pin.user = null;
    this.worker.upstream.leave(this);
  }

  /** With its process. */
  die(): void {
    if (this.state === "served") this.#connection?.drop();
    this.state = "dead";
  }
}

export class SlotWorker {
  readonly lab: SlotLab;
  readonly index: number;
  readonly turn: IoTurn;
  readonly upstream: Upstream;
  readonly requests: SlotRequest[] = [];
  readonly pins = new Set<SlotPin>();
  /** Messages on their way; a dead worker gets none, and what it had sent may still arrive. */
  toController: (() => void)[] = [];
  toWorker: (() => void)[] = [];
  dead = false;

  constructor(lab: SlotLab, index: number) {
    this.lab = lab;
    this.index = index;
    const runtime = createMemoryRuntime({ network: lab.network });
    this.turn = new IoTurn(runtime);
    const held = lab.ledger.join(index);
    this.upstream = new Upstream(runtime, new Connector(runtime, this.turn), {
      name: UPSTREAM,
      policy: (endpoints) => new RoundRobin(endpoints),
      holdMs: 600_000,
      holdIntervalMs: null,
      queueSize: lab.queueSize,
      queueBytes: 1 << 20,
      queueTimeoutMs: lab.queueTimeoutMs,
      connectTimeoutMs: 200,
      limits: DEFAULT_LIMITS,
      slotSource: {
        want: (_upstream, endpoint, count, waitedMs) =>
          this.#say(() =>
            lab.ledger.want(index, { upstream: UPSTREAM, endpoint: endpoint.name, count, waitedMs })
          ),
        give: (_upstream, endpoint, count) => this.give(endpoint.name, count),
      },
      endpoints: endpointsAt(lab.ports, lab.max, held),
    }, { endpointDown() {}, endpointUp() {} });
  }

  endpoint(name: string): Endpoint {
    const found = this.upstream.endpoints.find((endpoint) => endpoint.name === name);
    assert.ok(found !== undefined);
    return found;
  }

  /** The endpoints are these from now on. */
  use(ports: readonly number[]): void {
    const endpoints = endpointsAt(ports, this.lab.max, []);
    this.upstream.reconfigure({ ...this.upstream.settings, endpoints });
  }

  granted(name: string, count: number): void {
    const endpoint = this.upstream.sharedEndpoint(name);
    if (endpoint !== undefined) this.upstream.slotsGranted(endpoint, count);
    else this.give(name, count);
  }

  recalled(name: string, count: number, waitedMs: number): void {
    const endpoint = this.upstream.sharedEndpoint(name);
    if (endpoint !== undefined) this.upstream.slotsRecalled(endpoint, count, waitedMs);
  }

  give(endpoint: string, count: number): void {
    this.#say(() => {
      const given = this.lab.ledger.give(this.index, { upstream: UPSTREAM, endpoint, count });
      assert.ok(given, `worker ${this.index} gives ${count} slots that it has`);
    });
  }

  #say(message: () => void): void {
    if (!this.dead) this.toController.push(message);
  }

  /** A request that arrives now. */
  arrive(name: string, pin: SlotPin | null = null): SlotRequest {
    this.turn.begin();
    const request = new SlotRequest(this, name, pin);
    this.requests.push(request);
    request.ask();
    return request;
  }

  get served(): SlotRequest[] {
    return this.requests.filter(({ state }) => state === "served");
  }
}

function endpointsAt(ports: readonly number[], max: number, held: readonly Slots[]): EndpointSettings[] {
  return ports.map((port) => ({
    name: `e${port}`,
    key: {
      scheme: "http",
      address: { kind: "tcp", host: "127.0.0.1", port },
      tls: null,
      proxyChain: [],
      credentials: "",
    },
    hostField: "lab.test",
    weight: 1,
    maxInFlight: max,
    slots: held.find(({ endpoint }) => endpoint === `e${port}`)?.count ?? 0,
    pool: { size: 16, idleTimeoutMs: 60_000, maxAgeMs: 0 },
  }));
}

export interface SlotLabOptions {
  readonly workers: number;
  readonly max: number;
  readonly endpoints?: number;
  readonly seed?: number;
  readonly queueSize?: number;
  readonly queueTimeoutMs?: number;
}

export class SlotLab {
  readonly network: MemoryNetwork;
  readonly max: number;
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
  readonly ports: readonly number[];
  readonly ledger: SlotLedger;
  workers: SlotWorker[] = [];
  /** Killed, and their end not noticed yet. */
  corpses: SlotWorker[] = [];
  /** Names of requests in the order in which they were served. */
  readonly order: string[] = [];
  messages = 0;
  /** The lab whose place this one takes, and the one that takes its own. */
  readonly before: SlotLab | null;
  after: SlotLab | null = null;
  toElder: (() => void)[] = [];
  toHeir: (() => void)[] = [];
  readonly #runtime;
  readonly #listeners = new Map<number, MemoryListener>();
  readonly #connections = new Set<() => void>();

  constructor(
    options: SlotLabOptions,
    before: SlotLab | null = null,
  ) {
    this.before = before;
    this.network = before?.network ??
      new MemoryNetwork(options.seed === undefined ? {} : { seed: options.seed });
    this.#runtime = createMemoryRuntime({ network: this.network });
    this.max = options.max;
    this.queueSize = options.queueSize ?? 1000;
    this.queueTimeoutMs = options.queueTimeoutMs ?? 600_000;
    this.ports = Array.from({ length: options.endpoints ?? 1 }, (_, i) => 3000 + i);
    const names = this.ports.map((port) => ({
      upstream: UPSTREAM,
      endpoint: `e${port}`,
      max: this.max,
    }));
    this.ledger = new SlotLedger(names, options.workers, () => this.network.clock.now(), {
      grant: (index, slots) => {
        const { endpoint, count } = slots;
        if (index === ELDER) this.toElder.push(() => this.before?.ledger.regain(slots));
        else if (index === HEIR) {
          this.toHeir.push(() => {
            assert.ok(this.after?.ledger.give(ELDER, slots) !== false, `${count} slots that it has`);
          });
        } else this.#tell(index, (worker) => worker.granted(endpoint, count));
      },
      recall: (index, wanted) => {
        const { endpoint, count, waitedMs } = wanted;
        if (index === ELDER) this.toElder.push(() => this.before?.ledger.press(wanted));
        else if (index === HEIR) this.toHeir.push(() => this.after?.ledger.want(ELDER, wanted));
        else this.#tell(index, (worker) => worker.recalled(endpoint, count, waitedMs));
      },
    });
    if (before !== null) this.ledger.expect(ELDER, names);
    for (let index = 0; index < options.workers; index++) this.workers.push(new SlotWorker(this, index));
  }

  /** The place is ours: the lab before drains. */
  succeed(): void {
    const { before } = this;
    assert.ok(before !== null);
    before.after = this;
    const names = this.ports.map((port) => ({ upstream: UPSTREAM, endpoint: `e${port}` }));
    this.toElder.push(() => before.ledger.submit(HEIR, names));
    this.ledger.wake(ELDER);
  }

  /** All its workers are gone, and so is its process; what it had said has arrived or never will. */
  gone(): void {
    const { after } = this;
    assert.ok(after !== null);
    this.toHeir = [];
    after.toElder = [];
    this.after = null;
    after.ledger.leave(ELDER);
  }

  /** The endpoints are these now: workers are told, and the slots of new ones follow. */
  use(ports: readonly number[]): void {
    for (const { index } of this.workers) this.#tell(index, (worker) => worker.use(ports));
    this.ledger.reconfigure(
      ports.map((port) => ({ upstream: UPSTREAM, endpoint: `e${port}`, max: this.max })),
      this.workers.map(({ index }) => index),
    );
  }

  #tell(index: number, act: (worker: SlotWorker) => void): void {
    const worker = this.workers[index];
    if (worker !== undefined && !worker.dead) worker.toWorker.push(() => act(worker));
  }

  async up(port: number): Promise<void> {
    if (this.#listeners.has(port)) return;
    const listener = await this.#runtime.listen({
      address: { kind: "tcp", host: "127.0.0.1", port },
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket) => {
        const reset = () => socket.abort();
        this.#connections.add(reset);
        return {
          data() {},
          drained() {},
          ended: () => socket.close(),
          closed: () => void this.#connections.delete(reset),
        };
      },
      acceptFailed() {},
    }) as MemoryListener;
    this.#listeners.set(port, listener);
  }

  /** Stops listening; connections stay. */
  down(port: number): void {
    void this.#listeners.get(port)?.close();
    this.#listeners.delete(port);
  }

  resetAll(): void {
    for (const reset of [...this.#connections]) reset();
  }

  /** A worker's process ends in the middle of whatever it does; `bury` is when that is noticed. */
  kill(worker: SlotWorker): void {
    worker.dead = true;
    for (const request of worker.requests) {
      if (request.state === "waiting") worker.upstream.leave(request);
      request.die();
    }
    worker.upstream.stop();
    worker.toWorker = [];
    this.corpses.push(worker);
  }

  /** Its connections are closed and its end is known: another one takes its place. */
  bury(worker: SlotWorker): void {
    this.corpses = this.corpses.filter((other) => other !== worker);
    worker.toController = [];
    this.ledger.leave(worker.index);
    this.workers[worker.index] = new SlotWorker(this, worker.index);
  }

  /** Every channel on which a message waits. */
  get channels(): (() => void)[][] {
    return [...this.workers, ...this.corpses].filter((worker, at, all) => all.indexOf(worker) === at)
      .flatMap((worker) => [worker.toController, worker.toWorker])
      .concat([this.toElder, this.toHeir]).filter((channel) => channel.length > 0);
  }

  deliver(channel: (() => void)[]): void {
    this.messages++;
    channel.shift()?.();
  }

  /** Delivers and steps until nothing moves. */
  settle(): void {
    for (let rounds = 0; rounds < 100_000; rounds++) {
      const channel = this.channels[0];
      if (channel !== undefined) this.deliver(channel);
      else if (!this.network.step()) return;
    }
    throw new Error("the workers keep each other busy for ever");
  }

  advance(ms: number): void {
    this.network.advance(ms);
    for (const worker of this.workers) worker.turn.begin();
  }

  /** The limit holds: by what the workers believe, by what they use, and by the ledger's books. */
  check(): void {
    const all = [...new Set([...this.workers, ...this.corpses])];
    for (const port of this.ports) {
      const name = `e${port}`;
      const endpoints = all.map((worker) => ({ worker, endpoint: worker.endpoint(name) }));
      const limits = endpoints.reduce((sum, { endpoint }) => sum + endpoint.slotLimit, 0);
      // Connections of clients that have logged in stay open without a slot, and beside the pool.
      const usedOf = (endpoint: Endpoint) => endpoint.pinned > 0 ? endpoint.taken : endpoint.used;
      const used = endpoints.reduce((sum, { endpoint }) => sum + usedOf(endpoint), 0);
      assert.ok(limits <= this.max, `${name}: workers hold ${limits} slots of ${this.max}`);
      assert.ok(used <= this.max, `${name}: workers use ${used} slots of ${this.max}`);
      for (const { worker, endpoint } of endpoints) {
        assert.ok(usedOf(endpoint) <= endpoint.slotLimit, `worker ${worker.index} uses more than it has`);
      }
      const { free, held } = this.ledger.heldOf({ upstream: UPSTREAM, endpoint: name });
      const booked = [...held.values()].reduce((sum, count) => sum + count, free);
      assert.equal(booked, this.max, `${name}: the ledger's books`);
      assert.ok(free >= 0 && [...held.values()].every((count) => count >= 0));
    }
  }
}
