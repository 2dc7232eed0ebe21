/** How many destinations there are, and which of them go first. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoTurn } from "../../../src/conn/io_turn.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { ALL_POLICIES } from "../../../src/upstream/balance/policies.ts";
import { Counters, EndpointCounters } from "../../../src/upstream/counters.ts";
import { Destinations } from "../../../src/upstream/destinations.ts";
import type { Upstream } from "../../../src/upstream/upstream.ts";
import { Random } from "../../fuzz/support/random.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { createMemoryRuntime } from "../../support/memory_runtime.ts";
import { walkSeeds } from "../../support/seeds.ts";
import { TestWaiter, type UpstreamLab } from "../../support/upstream_lab.ts";

const MOST = 4096;
/** Which one was used last is known to within this time. */
const GRAIN_MS = 1000;

class Scene {
  readonly clock = new FakeClock();
  readonly runtime = createMemoryRuntime({ seed: 1, clock: this.clock });
  readonly turn = new IoTurn(this.runtime);
  readonly destinations: Destinations;
  /** Those that have been stopped since it was looked at last. */
  gone: string[] = [];

  constructor() {
    // Nothing is ever opened.
    const connector = { turn: this.turn, connect() {} };
    const observer = { endpointDown() {}, endpointUp() {} };
    this.destinations = new Destinations(this.runtime, connector, {
      name: "direct",
      upstream: {
        policy: ALL_POLICIES.round_robin,
        holdMs: 1e9,
        holdIntervalMs: null,
        queueSize: 100,
        queueBytes: 1e6,
        queueTimeoutMs: 1e9,
        connectTimeoutMs: 1e9,
        limits: DEFAULT_LIMITS,
      },
      counted: { upstream: new Counters(), endpoint: new EndpointCounters() },
      pool: { size: 8, idleTimeoutMs: 60_000, maxAgeMs: 0 },
    }, observer);
  }

  pass(ms: number): void {
    this.runtime.network.advance(ms);
  }

  known(name: string, credentials = ""): Upstream | null {
    return this.destinations.known(name, credentials, this.clock.now());
  }

  make(name: string, credentials = ""): Upstream | null {
    const owner = { name, host: name, port: 80, credentials };
    const address = { kind: "tcp", host: name, port: 80 } as const;
    const key = { scheme: "http", address, tls: null, proxyChain: [], credentials } as const;
    const made = this.destinations.make(owner, [{ name, key, hostField: name, weight: 1 }]);
    if (made === null) return null;
    const stop = made.stop.bind(made);
    made.stop = () => {
      this.gone.push(name);
      stop();
    };
    return made;
  }

  /** A request that waits for a connection. */
  use(upstream: Upstream): TestWaiter {
    const lab: Pick<UpstreamLab, "turn" | "upstream" | "order"> = { turn: this.turn, upstream, order: [] };
    return new TestWaiter(lab as UpstreamLab, "waiter").ask();
  }
}

test("a walk over many hosts: never more than there may be, and who was used least recently goes", () => {
  for (const seed of walkSeeds(2)) {
    const random = new Random(seed);
    const scene = new Scene();
    const usedAt = new Map<string, number>();
    const busy = new Map<string, TestWaiter>();
    let thrown = 0;
    const step = (name: string): void => {
      const at = scene.clock.now();
      if (scene.known(name) === null) {
        assert.ok(!usedAt.has(name), `${name} is known`);
        const made = scene.make(name);
        assert.ok(made !== null);
        if (busy.size < 20 && random.once(50)) busy.set(name, scene.use(made));
        for (const gone of scene.gone) {
          thrown++;
          const last = usedAt.get(gone) ?? NaN;
          usedAt.delete(gone);
          assert.ok(!busy.has(gone), `${gone} is in use`);
          let least = Infinity;
          for (const [other, used] of usedAt) if (used < least && !busy.has(other)) least = used;
          assert.ok(
            last <= least + GRAIN_MS,
            `seed ${seed}: ${gone} was used at ${last}, another at ${least}`,
          );
        }
      } else assert.ok(usedAt.has(name), `${name} is not known`);
      scene.gone = [];
      usedAt.set(name, at);
      assert.equal(scene.destinations.size, usedAt.size);
      assert.ok(usedAt.size <= MOST);
    };
    for (let at = 0; at < MOST; at++) step(`h${at}`);
    for (let round = 0; round < 3000; round++) {
      // Within half a minute, so that none is forgotten.
      if (random.once(3)) scene.pass(random.next(30));
      step(random.once(2) ? `h${random.next(MOST)}` : `h${random.next(20)}`);
      if (random.once(4)) step(`new${round}`);
      if (busy.size > 0 && random.once(20)) {
        const [name, waiter] = random.pick([...busy]);
        waiter.leave();
        busy.delete(name);
      }
    }
    assert.ok(thrown > 500, `${thrown} thrown`);
    assert.equal(scene.destinations.size, MOST);
    scene.destinations.stop();
  }
});

test("where all are in use there is no room", () => {
  const scene = new Scene();
  const waiters: TestWaiter[] = [];
  for (let at = 0; at < MOST; at++) {
    const made = scene.make(`h${at}`);
    assert.ok(made !== null);
    waiters.push(scene.use(made));
  }
  assert.equal(scene.make("new"), null);
  waiters[77]?.leave();
  assert.ok(scene.make("new") !== null);
  assert.deepEqual(scene.gone, ["h77"]);
  scene.destinations.stop();
});

test("what was made for other credentials is not known, and neither is what has not been asked for in a minute", () => {
  const scene = new Scene();
  const made = scene.make("a", "alice");
  scene.make("b");
  assert.equal(scene.known("a"), null);
  assert.equal(scene.known("a", "bob"), null);
  assert.equal(scene.known("a", "alice"), made);
  for (let second = 0; second < 200; second++) {
    // Always within the grain of the last time that it was put in order.
    scene.pass(500);
    assert.equal(scene.known("a", "alice"), made);
  }
  assert.deepEqual(scene.gone, ["b"]);
  scene.pass(95_000);
  assert.deepEqual(scene.gone, ["b", "a"]);
  assert.equal(scene.known("a", "alice"), null);
});
