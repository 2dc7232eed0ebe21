/**
 * What a connection costs to get and give back, by how many endpoints there are and how they are:
 * `bun test/bench/upstream_bench.ts [name part]`. Nanoseconds per request; a row that grows from left to
 * right like the numbers above it is a fault.
 */

import process from "node:process";
import { SocketConnector } from "../../src/client/connector.ts";
import { POLICIES } from "../../src/upstream/balance/policies.ts";
import { IoTurn } from "../../src/conn/io_turn.ts";
import type { UpstreamPeer, UpstreamStream } from "../../src/http/upstream_stream.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import type { Endpoint } from "../../src/upstream/endpoint.ts";
import { Upstream } from "../../src/upstream/upstream.ts";
import type { WaitFailure } from "../../src/upstream/wait_failure.ts";
import type { Waiter } from "../../src/upstream/waiting_room.ts";
import { CountingRuntime } from "./counting_socket.ts";
import { leastNanos, printRow } from "./least_time.ts";

const ENDPOINTS = [1, 10, 100, 1000, 5000];
const WAITERS = [1, 10, 100, 1000, 10_000];
/** Nothing here may end by time. */
const LONG_MS = 3_600_000;

type PolicyName = keyof typeof POLICIES;

class BenchWaiter implements Waiter {
  arrivedAt: number;
  readonly ownConnection = null;
  readonly goesLast = false;
  readonly balanceKey = null;
  readonly probationMs = 0;
  wantsFresh = false;
  isRetry = false;
  repeatable = true;
  admitted = false;
  enteredAt = -1;
  heldAtEntry = 0;
  outage = 0;
  inRoom = false;
  roomBefore: Waiter | null = null;
  roomAfter: Waiter | null = null;
  connection: UpstreamPeer | null = null;
  failure: WaitFailure | "" = "";

  constructor(now: number) {
    this.arrivedAt = now;
  }
  streamReady(stream: UpstreamStream): void {
    this.connection = stream.peer;
  }
  waitFailed(failure: WaitFailure): void {
    this.failure = failure;
  }
}

interface LabOptions {
  readonly maxInFlight?: number;
  readonly queueSize?: number;
  /** Other workers serve the same endpoints: how many slots of each are ours. */
  readonly slots?: number;
}

class Lab {
  readonly runtime = new CountingRuntime();
  readonly turn = new IoTurn(this.runtime);
  readonly upstream: Upstream;

  /** Messages to the supervisor. */
  messages = 0;

  constructor(
    count: number,
    policy: PolicyName,
    { maxInFlight = 0, queueSize = 20_000, slots }: LabOptions = {},
  ) {
    const port = (i: number): number => 1024 + i;
    this.upstream = new Upstream(this.runtime, new SocketConnector(this.runtime, this.turn), {
      name: "bench",
      endpoints: Array.from({ length: count }, (_, i) => ({
        name: `127.0.0.1:${port(i)}`,
        key: {
          scheme: "http" as const,
          address: { kind: "tcp" as const, host: "127.0.0.1", port: port(i) },
          tls: null,
          proxyChain: [],
          credentials: "",
        },
        hostField: "a",
        weight: 1,
        maxInFlight,
        ...(slots === undefined ? {} : { slots }),
        pool: { size: 256, idleTimeoutMs: LONG_MS, maxAgeMs: 0 },
      })),
      policy: POLICIES[policy],
      holdMs: LONG_MS,
      holdIntervalMs: LONG_MS,
      queueSize,
      queueBytes: 1 << 30,
      queueTimeoutMs: LONG_MS,
      connectTimeoutMs: LONG_MS,
      limits: DEFAULT_LIMITS,
      ...(slots === undefined ? {} : { slotSource: { want: () => this.#say(), give: () => this.#say() } }),
    }, { endpointDown() {}, endpointUp() {} });
  }

  #say(): void {
    this.messages++;
  }

  /** @returns the connection, or null when the request waits now */
  ask(request: BenchWaiter): UpstreamPeer | null {
    this.turn.begin();
    return this.upstream.acquire(request)?.peer ?? null;
  }

  release(connection: UpstreamPeer, wasRetry = false): void {
    this.upstream.release(connection, connection.owner as Endpoint, "pool", wasRetry);
  }

  /** Gives each of the first `count` endpoints an idle connection, by switching the others off meanwhile. */
  connect(count: number): this {
    const { endpoints } = this.upstream;
    for (const endpoint of endpoints) endpoint.enabled = false;
    for (const endpoint of endpoints.slice(0, count)) {
      endpoint.enabled = true;
      const request = new BenchWaiter(this.turn.now);
      this.ask(request);
      this.runtime.open();
      if (request.connection === null) throw new Error("no connection");
      this.upstream.answered(endpoint, true, this.turn.now);
      this.release(request.connection);
      endpoint.enabled = false;
    }
    for (const endpoint of endpoints) endpoint.enabled = true;
    return this;
  }

  /** Makes the endpoints from number `from` on go away. */
  lose(from: number): this {
    const { endpoints } = this.upstream;
    for (const endpoint of endpoints) endpoint.enabled = false;
    for (const endpoint of endpoints.slice(from)) {
      endpoint.enabled = true;
      const request = new BenchWaiter(this.turn.now);
      this.ask(request);
      this.upstream.leave(request);
      this.runtime.refuse();
      if (endpoint.state !== "down") throw new Error(`${endpoint.name} is ${endpoint.state}`);
      endpoint.enabled = false;
    }
    for (const endpoint of endpoints) endpoint.enabled = true;
    return this;
  }

  /** One request on a connection that lies ready. */
  pass(): () => number {
    const request = new BenchWaiter(this.turn.now);
    return () => {
      const connection = this.ask(request);
      if (connection === null) throw new Error("no idle connection");
      this.release(connection);
      return 1;
    };
  }

  /** One request that is answered 503, and goes to another endpoint. */
  failOver(): () => number {
    const request = new BenchWaiter(this.turn.now);
    return () => {
      request.isRetry = false;
      const first = this.ask(request);
      if (first === null) throw new Error("no idle connection");
      if (!this.upstream.hasOther(first.owner as Endpoint)) throw new Error("no other endpoint");
      this.release(first);
      request.isRetry = true;
      request.connection = null;
      this.ask(request);
      if (request.connection === null) throw new Error("no second connection");
      this.release(request.connection, true);
      return 1;
    };
  }

  /** Requests of other workers wait for every slot. */
  recall(): this {
    for (const endpoint of this.upstream.endpoints) this.upstream.slotsRecalled(endpoint, 1, 0);
    return this;
  }

  /** Takes every slot. */
  fill(): UpstreamPeer[] {
    const taken: UpstreamPeer[] = [];
    for (let i = 0; i < this.upstream.endpoints.length; i++) {
      const connection = this.ask(new BenchWaiter(this.turn.now));
      if (connection === null) throw new Error("full too early");
      taken.push(connection);
    }
    return taken;
  }

  /** Every slot is taken and one request waits: a connection comes back, the next request waits. */
  relay(waiting = 1): () => number {
    const taken = this.fill();
    const queue = Array.from({ length: waiting }, () => new BenchWaiter(this.turn.now));
    for (const request of queue) if (this.ask(request) !== null) throw new Error("a slot was free");
    let at = 0;
    let next = 0;
    return () => {
      const back = taken[at] as UpstreamPeer;
      this.turn.begin();
      this.release(back);
      const served = queue[next] as BenchWaiter;
      if (served.connection === null) throw new Error("the oldest was not served");
      taken[at] = served.connection;
      served.connection = null;
      served.arrivedAt = this.turn.now;
      if (this.ask(served) !== null) throw new Error("a slot was free");
      at = (at + 1) % taken.length;
      next = (next + 1) % queue.length;
      return 1;
    };
  }

  /** Comes, finds every slot taken, and leaves. */
  comeAndGo(): () => number {
    const request = new BenchWaiter(this.turn.now);
    return () => {
      if (this.ask(request) !== null) throw new Error("there was a connection");
      this.upstream.leave(request);
      return 1;
    };
  }

  /** Is turned away. */
  turnAway(failure: WaitFailure): () => number {
    const request = new BenchWaiter(this.turn.now);
    return () => {
      if (this.ask(request) !== null || request.failure !== failure) throw new Error(`not ${failure}`);
      return 1;
    };
  }
}

type Prepare = (count: number, policy: PolicyName) => () => number;

const BY_ENDPOINTS: Record<string, Prepare> = {
  "each has an idle connection": (n, policy) => new Lab(n, policy).connect(n).pass(),
  "10 % are down": (n, policy) => {
    const here = Math.max(1, Math.ceil(n * 0.9));
    return new Lab(n, policy).connect(here).lose(here).pass();
  },
  "all but one are down": (n, policy) => new Lab(n, policy).connect(1).lose(1).pass(),
  "all are down: comes and goes": (n, policy) => new Lab(n, policy).lose(0).comeAndGo(),
  "all are full: comes and goes": (n, policy) => {
    const lab = new Lab(n, policy, { maxInFlight: 1 }).connect(n);
    lab.fill();
    return lab.comeAndGo();
  },
  "all are full: one back, next served": (n, policy) =>
    new Lab(n, policy, { maxInFlight: 1 }).connect(n).relay(),
  "all are full, and the queue: turned away": (n, policy) => {
    const lab = new Lab(n, policy, { maxInFlight: 1, queueSize: 1 }).connect(n);
    lab.fill();
    lab.ask(new BenchWaiter(lab.turn.now));
    return lab.turnAway("queue_full");
  },
  "503, and another endpoint": (n, policy) => new Lab(n, policy).connect(n).failOver(),
  "503, and the only other that is not away": (n, policy) => new Lab(n, policy).connect(2).lose(2).failOver(),
  "shared slots, all full: one back, next served": (n, policy) =>
    new Lab(n, policy, { maxInFlight: 2, slots: 1 }).connect(n).relay(),
  "shared slots, all full and wanted: comes and goes": (n, policy) => {
    const lab = new Lab(n, policy, { maxInFlight: 2, slots: 1 }).connect(n);
    lab.fill();
    return lab.recall().comeAndGo();
  },
};

/** Rows that need a second endpoint. */
const TWO_AT_LEAST = /^503/;

const wanted = process.argv[2] ?? "";
printRow("endpoints", ENDPOINTS.map(String));
for (const [name, prepare] of Object.entries(BY_ENDPOINTS)) {
  for (const policy of Object.keys(POLICIES) as PolicyName[]) {
    const title = `${name}, ${policy}`;
    if (!title.includes(wanted)) continue;
    printRow(
      title,
      ENDPOINTS.map((count) =>
        count === 1 && TWO_AT_LEAST.test(title) ? "-" : leastNanos(prepare(count, policy))
      ),
    );
  }
}
printRow("waiting requests, one full endpoint", WAITERS.map(String));
const title = "one back, next served";
if (title.includes(wanted)) {
  printRow(
    title,
    WAITERS.map((count) => leastNanos(new Lab(1, "round_robin", { maxInFlight: 1 }).connect(1).relay(count))),
  );
}
