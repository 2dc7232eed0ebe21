/**
 * Several workers that share the slots of one upstream, in one process: real upstreams on one in-memory
 * network, a real ledger, and between them channels whose messages move one at a time when a test says so. A lab may
 * take the place of another one, which drains: then there are two ledgers, with channels between them.
 */

import assert from "node:assert/strict";
import { RoundRobin } from "../../src/upstream/balance/round_robin.ts";
import { SocketConnector } from "../../src/client/connector.ts";
import { IoTurn } from "../../src/conn/io_turn.ts";
import type { PinHolder, UpstreamPeer, UpstreamStream } from "../../src/http/upstream_stream.ts";
import { ELDER, HEIR } from "../../src/process/supervisor/lineage_messages.ts";
import type { EndpointConfig } from "../../src/config/values/config.ts";
import { formerNames } from "../../src/config/renamed.ts";
import type { LimitedEndpoint } from "../../src/process/worker/limits.ts";
import type { EndpointName, Slots } from "../../src/process/worker/messages.ts";
import { LineageNames, type NamedUpstream } from "../../src/process/supervisor/lineage_names.ts";
import { SlotLedger } from "../../src/process/supervisor/slot_ledger.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import type { Endpoint } from "../../src/upstream/endpoint.ts";
import type { EndpointSettings } from "../../src/upstream/endpoint_settings.ts";
import { Upstream } from "../../src/upstream/upstream.ts";
import type { Waiter } from "../../src/upstream/waiting_room.ts";
import { createMemoryRuntime, type MemoryListener, MemoryNetwork } from "./memory_runtime.ts";

/** What the configuration calls what there is: the upstream, and its endpoints with their ports after them. */
export interface Calls {
  readonly upstream: string;
  readonly endpoint: string;
}

const CALLS: Calls = { upstream: "lab", endpoint: "e" };

function endpointsCalled({ endpoint }: Calls, ports: readonly number[]): EndpointConfig[] {
  return ports.map((port) => ({
    name: `${endpoint}${port}`,
    address: { kind: "tcp", host: "127.0.0.1", port },
    scheme: "http",
    weight: 1,
  }));
}

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

  isResting(): boolean {
    return this.#resting;
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
  readonly balanceKey = null;
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

  /** An exchange hears of the end of its connection; this one has sent nothing on it, and has to look. */
  get connected(): boolean {
    return this.#connection !== null && this.#connection.freeStreams > 0;
  }

  /** The answer has come. */
  answered(keep: boolean): void {
    const connection = this.#connection;
    const endpoint = this.#endpoint;
    assert.ok(connection !== null && endpoint !== null);
    const { turn, upstream } = this.worker;
    turn.begin();
    this.state = "done";
    upstream.answered(endpoint, connection.uses > 1, turn.now);
    const fit = keep && this.connected;
    if (!fit) connection.drop();
    const { pin } = this;
    const lasts = fit && (pin === null || this.worker.pins.has(pin));
    if (pin !== null) {
      if (lasts) pin.rest();
      else pin.pinLost();
    }
    const kept = pin === null ? "pool" : "pin";
    upstream.release(connection, endpoint, lasts ? kept : "close", false);
    turn.end();
  }

  /** The answer has come, and the connection, which must be there, is this client's own from now on. */
  login(): SlotPin {
    const connection = this.#connection;
    const endpoint = this.#endpoint;
    assert.ok(connection !== null && endpoint !== null);
    const { turn, upstream } = this.worker;
    turn.begin();
    this.state = "done";
    upstream.answered(endpoint, true, turn.now);
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
  /** All endpoints that it has had, those included that others have taken the place of. */
  readonly endpoints = new Set<Endpoint>();
  readonly requests: SlotRequest[] = [];
  readonly pins = new Set<SlotPin>();
  /** Messages on their way; a dead worker gets none, and what it had sent may still arrive. */
  toSupervisor: (() => void)[] = [];
  toWorker: (() => void)[] = [];
  dead = false;

  constructor(lab: SlotLab, index: number) {
    this.lab = lab;
    this.index = index;
    const runtime = createMemoryRuntime({ network: lab.network });
    this.turn = new IoTurn(runtime);
    const held = lab.ledger.join(index);
    this.upstream = new Upstream(runtime, new SocketConnector(runtime, this.turn), {
      name: lab.calls.upstream,
      policy: (endpoints) => new RoundRobin(endpoints),
      holdMs: 600_000,
      holdIntervalMs: null,
      queueSize: lab.queueSize,
      queueBytes: 1 << 20,
      queueTimeoutMs: lab.queueTimeoutMs,
      connectTimeoutMs: 200,
      limits: DEFAULT_LIMITS,
      slotSource: {
        want: (upstream, endpoint, count, waitedMs) =>
          this.#say(() => lab.ledger.want(index, { upstream, endpoint: endpoint.name, count, waitedMs })),
        give: (upstream, endpoint, count) => this.give({ upstream, endpoint: endpoint.name }, count),
      },
      endpoints: endpointsAt(endpointsCalled(lab.calls, lab.ports), lab.max, held),
    }, { endpointDown() {}, endpointUp() {} });
    this.#note();
  }

  #note(): void {
    for (const endpoint of this.upstream.endpoints) this.endpoints.add(endpoint);
  }

  /** By what any configuration has called it. */
  at(port: number): Endpoint[] {
    return [...this.endpoints].filter(({ settings: { key: { address } } }) =>
      address.kind === "tcp" && address.port === port
    );
  }

  endpoint(name: string): Endpoint {
    const found = this.upstream.endpoints.find((endpoint) => endpoint.name === name);
    assert.ok(found !== undefined);
    return found;
  }

  /** It is called so, and the endpoints are these from now on. */
  use(name: string, endpoints: readonly EndpointConfig[]): void {
    this.upstream.reconfigure({
      ...this.upstream.settings,
      name,
      endpoints: endpointsAt(endpoints, this.lab.max, []),
    });
    this.#note();
    this.#say(() => this.lab.used(this));
  }

  #shared({ upstream, endpoint }: EndpointName): Endpoint | undefined {
    return upstream === this.upstream.name ? this.upstream.sharedEndpoint(endpoint) : undefined;
  }

  granted(name: EndpointName, count: number): void {
    const endpoint = this.#shared(name);
    if (endpoint !== undefined) this.upstream.slotsGranted(endpoint, count);
    else this.give(name, count);
  }

  recalled(name: EndpointName, count: number, waitedMs: number): void {
    const endpoint = this.#shared(name);
    if (endpoint !== undefined) this.upstream.slotsRecalled(endpoint, count, waitedMs);
  }

  give({ upstream, endpoint }: EndpointName, count: number): void {
    this.#say(() => {
      const given = this.lab.ledger.give(this.index, { upstream, endpoint, count });
      assert.ok(given, `worker ${this.index} gives ${count} slots that it has`);
    });
  }

  #say(message: () => void): void {
    if (!this.dead) this.toSupervisor.push(message);
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

function endpointsAt(
  endpoints: readonly EndpointConfig[],
  max: number,
  held: readonly Slots[],
): EndpointSettings[] {
  return endpoints.map(({ name, address }) => ({
    name,
    key: {
      scheme: "http",
      address,
      tls: null,
      proxyChain: [],
      credentials: "",
    },
    hostField: "lab.test",
    weight: 1,
    maxInFlight: max,
    slots: held.find(({ endpoint }) => endpoint === name)?.count ?? 0,
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
  readonly calls?: Calls;
}

export class SlotLab {
  readonly network: MemoryNetwork;
  readonly max: number;
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
  ports: readonly number[];
  calls: Calls;
  /** What the lab before calls what this one has. */
  readonly names: LineageNames | null;
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
  readonly #changing = new Set<SlotWorker>();
  readonly #later: (() => void)[] = [];
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
    this.calls = options.calls ?? CALLS;
    this.names = before === null ? null : new LineageNames([before.named], [this.named]);
    this.ledger = new SlotLedger(this.limits, options.workers, () => this.network.clock.now(), {
      grant: (index, slots) => {
        const { count } = slots;
        if (index === ELDER) {
          const theirs = this.#names.theirsSlots(slots);
          this.toElder.push(() => this.before?.ledger.regain(theirs));
        } else if (index === HEIR) {
          this.toHeir.push(() => {
            const { after } = this;
            if (after === null) return;
            const given = after.ledger.give(ELDER, after.#names.oursSlots(slots));
            assert.ok(given, `${count} slots that it has`);
          });
        } else this.#tell(index, (worker) => worker.granted(slots, count));
      },
      recall: (index, wanted) => {
        const { count, waitedMs } = wanted;
        if (index === ELDER) {
          const theirs = this.#names.theirsSlots(wanted);
          this.toElder.push(() => this.before?.ledger.press(theirs));
        } else if (index === HEIR) {
          this.toHeir.push(() => this.after?.ledger.want(ELDER, this.after.#names.oursSlots(wanted)));
        } else this.#tell(index, (worker) => worker.recalled(wanted, count, waitedMs));
      },
    });
    if (before !== null) this.ledger.expect(ELDER, before.limits, this.limits, this.#names.former);
    for (let index = 0; index < options.workers; index++) this.workers.push(new SlotWorker(this, index));
  }

  get #names(): LineageNames {
    assert.ok(this.names !== null);
    return this.names;
  }

  /** As the configuration has it. */
  get named(): NamedUpstream {
    return { name: this.calls.upstream, endpoints: endpointsCalled(this.calls, this.ports) };
  }

  get limits(): LimitedEndpoint[] {
    const { upstream, endpoint } = this.calls;
    const { max } = this;
    return this.ports.map((port) => ({
      upstream,
      endpoint: `${endpoint}${port}`,
      max,
      address: `127.0.0.1:${port}`,
    }));
  }

  /** The place is ours: the lab before drains. */
  succeed(): void {
    const { before } = this;
    assert.ok(before !== null);
    before.after = this;
    const led = before.limits.filter((name) => this.ledger.accountsFor(this.#names.oursSlots(name)));
    this.toElder.push(() => before.ledger.submit(HEIR, led));
    this.ledger.wake(ELDER);
    this.#lead();
  }

  /** What waits in the lab before goes where our configuration says. */
  #lead(): void {
    const { before, names } = this;
    if (before === null || names === null || before.after !== this) return;
    if (names.differing().length === 0) return;
    const { endpoint } = this.calls;
    const { ports } = this;
    names.follow([{ upstream: before.calls.upstream, endpoints: this.named.endpoints }]);
    this.toElder.push(() => before.call({ ...before.calls, endpoint }, ports));
  }

  /** A change of configuration is under way: not all workers have said that they are done. */
  get changing(): boolean {
    return this.#changing.size > 0;
  }

  /** A worker has gone over to the configuration, or is gone. */
  used(worker: SlotWorker): void {
    if (!this.#changing.delete(worker) || this.changing) return;
    this.#later.shift()?.();
  }

  /** Another configuration: what there is is called so from now on; once the change under way is over. */
  call(calls: Calls, ports = this.ports): void {
    if (this.changing) {
      this.#later.push(() => this.call(calls, ports));
      return;
    }
    const { named } = this;
    this.calls = calls;
    this.ports = ports;
    const { name, endpoints } = this.named;
    for (const worker of this.workers) {
      if (worker.dead) continue;
      this.#changing.add(worker);
      this.#tell(worker.index, () => worker.use(name, endpoints));
    }
    const led = this.before?.after === this;
    const former = led ? this.#names.reconfigure([named], [this.named]) : formerNames([named], [this.named]);
    this.ledger.reconfigure(this.limits, this.workers.map(({ index }) => index), former);
    this.#lead();
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
    const all = this.ports;
    this.call(this.calls, ports);
    this.ports = all;
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
    this.used(worker);
    worker.toSupervisor = [];
    this.ledger.leave(worker.index);
    this.workers[worker.index] = new SlotWorker(this, worker.index);
  }

  /** Every channel on which a message waits. */
  get channels(): (() => void)[][] {
    return [...this.workers, ...this.corpses].filter((worker, at, all) => all.indexOf(worker) === at)
      .flatMap((worker) => [worker.toSupervisor, worker.toWorker])
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
      const name = `${this.calls.endpoint}${port}`;
      const endpoints = all.flatMap((worker) => worker.at(port).map((endpoint) => ({ worker, endpoint })));
      const limits = endpoints.reduce((sum, { endpoint }) => sum + endpoint.slotLimit, 0);
      // Connections of clients that have logged in stay open without a slot, and beside the pool.
      const usedOf = (endpoint: Endpoint) => endpoint.pinned > 0 ? endpoint.taken : endpoint.used;
      const used = endpoints.reduce((sum, { endpoint }) => sum + usedOf(endpoint), 0);
      assert.ok(limits <= this.max, `${name}: workers hold ${limits} slots of ${this.max}`);
      assert.ok(used <= this.max, `${name}: workers use ${used} slots of ${this.max}`);
      for (const { worker, endpoint } of endpoints) {
        assert.ok(usedOf(endpoint) <= endpoint.slotLimit, `worker ${worker.index} uses more than it has`);
      }
      const { free, held } = this.ledger.heldOf({ upstream: this.calls.upstream, endpoint: name });
      const booked = [...held.values()].reduce((sum, count) => sum + count, free);
      assert.equal(booked, this.max, `${name}: the ledger's books`);
      assert.ok(free >= 0 && [...held.values()].every((count) => count >= 0));
    }
  }
}
