/**
 * Whatever the order in which messages arrive, workers die and backends come and go: the slots of all workers
 * together are never more than `max_in_flight`, nobody starves or waits beside a free slot, and none gets lost. A failure
 * prints the seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotLab } from "../../../support/slot_lab.ts";
import { walkSeeds } from "../../../support/seeds.ts";

const SEEDS = 150;
const STEPS = 150;
/** Endpoints are dialled again, and trusted with more connections, within that. */
const SETTLED_MS = 3000;

class Walk {
  readonly lab: SlotLab;
  readonly #pick: (below: number) => number;
  #names = 0;

  constructor(seed: number) {
    const state = { value: seed };
    this.#pick = (below) => {
      state.value = (Math.imul(state.value, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state.value / 2 ** 32) * below);
    };
    this.lab = new SlotLab({
      workers: 1 + this.#pick(4),
      max: [1, 1, 2, 5, 10][this.#pick(5)] ?? 1,
      // More than are simply looked at one by one, now and then.
      endpoints: seed % 5 === 0 ? 17 + this.#pick(8) : 1 + this.#pick(2),
      seed,
    });
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[this.#pick(list.length)];
  }

  async step(): Promise<void> {
    const { lab } = this;
    const living = lab.workers.filter(({ dead }) => !dead);
    const port = this.#one(lab.ports) ?? 0;
    switch (this.#pick(20)) {
      case 0:
      case 1:
      case 2:
        this.#one(living)?.arrive(`r${++this.#names}`);
        break;
      case 16: {
        const pin = this.#one(living.flatMap(({ pins }) => [...pins]).filter(({ user }) => user === null));
        pin?.worker.arrive(`p${++this.#names}`, pin);
        break;
      }
      case 17:
        this.#one(
          living.flatMap(({ served }) => served).filter(({ pin, connected }) => pin === null && connected),
        )?.login();
        break;
      case 3:
        this.#one(living.flatMap(({ requests }) => requests.filter(({ state }) => state === "waiting")))
          ?.leave();
        break;
      case 4:
      case 5:
      case 6:
        this.#one(living.flatMap(({ served }) => served))?.answered(this.#pick(2) === 0);
        break;
      case 7:
        if (this.#pick(4) > 0) break;
        lab.down(port);
        break;
      case 8:
        await lab.up(port);
        break;
      case 9:
        if (this.#pick(4) === 0) lab.resetAll();
        break;
      case 10: {
        const victim = this.#pick(3) === 0 ? this.#one(living) : undefined;
        if (victim !== undefined) lab.kill(victim);
        break;
      }
      case 11: {
        const corpse = this.#one(lab.corpses);
        if (corpse !== undefined) lab.bury(corpse);
        break;
      }
      case 12:
        lab.advance(this.#pick(30));
        break;
      case 13:
        for (let i = this.#pick(10); i > 0; i--) lab.network.step();
        break;
      default: {
        const channel = this.#one(lab.channels);
        if (channel !== undefined) lab.deliver(channel);
      }
    }
    lab.check();
  }

  /** From here on nothing goes wrong: all who wait are served, and every slot can be had again. */
  async end(): Promise<void> {
    const { lab } = this;
    for (const corpse of lab.corpses) lab.bury(corpse);
    for (const port of lab.ports) await lab.up(port);
    const open = () =>
      lab.workers.flatMap(({ requests }) => requests).filter(({ state }) => state === "waiting");
    // Nobody answers: whoever waits after a while waits for slots that are in use.
    for (let ms = 0; ms < SETTLED_MS; ms += 20) {
      lab.settle();
      lab.check();
      lab.advance(20);
    }
    const busyAt = (port: number) =>
      lab.workers.flatMap((worker) => worker.at(port)).reduce((sum, { busy }) => sum + busy, 0);
    for (const { name, pin } of open()) {
      for (const port of lab.ports) {
        if (pin !== null && pin.endpoint.name !== `e${port}`) continue;
        assert.equal(busyAt(port), lab.max, `slots of ${port} in use while ${name} waits`);
      }
    }
    for (let round = 0; round < 2000; round++) {
      lab.settle();
      lab.check();
      const served = lab.workers.flatMap((worker) => worker.served);
      if (served.length === 0 && open().length === 0) break;
      for (const request of served) request.answered(true);
      lab.advance(20);
    }
    assert.deepEqual(open().map(({ name }) => name), [], "all are served");
    lab.settle();
    for (const worker of lab.workers) await this.#canHaveAll(worker.index);
  }

  /** One worker alone asks for everything, and gets it. */
  async #canHaveAll(index: number): Promise<void> {
    const { lab } = this;
    const worker = lab.workers[index];
    assert.ok(worker !== undefined);
    const count = lab.max * lab.ports.length;
    const requests = Array.from({ length: count }, (_, i) => worker.arrive(`all${i}`));
    for (let round = 0; round < 400 && requests.some(({ state }) => state === "waiting"); round++) {
      lab.settle();
      lab.advance(10);
    }
    assert.ok(
      requests.every(({ state }) => state === "served"),
      `worker ${index} can have all ${count} slots`,
    );
    lab.check();
    for (const request of requests) request.answered(true);
    lab.settle();
    lab.check();
  }
}

test("slots: any interleaving, deaths included, keeps the limit and loses none", async () => {
  for (const seed of walkSeeds(SEEDS)) {
    const walk = new Walk(seed);
    try {
      for (const port of walk.lab.ports) await walk.lab.up(port);
      for (let i = 0; i < STEPS; i++) await walk.step();
      await walk.end();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});

test("slots: over all workers requests are served in the order of their arrival", async () => {
  const lab = new SlotLab({ workers: 3, max: 1 });
  await lab.up(3000);
  const expected: string[] = [];
  for (let i = 0; i < 30; i++) {
    const name = `r${i}`;
    expected.push(name);
    lab.workers[(i * i) % 3]?.arrive(name);
    lab.settle();
    lab.advance(15);
  }
  for (let round = 0; round < 200 && lab.order.length < 30; round++) {
    for (const worker of lab.workers) for (const request of worker.served) request.answered(true);
    lab.settle();
    lab.check();
    lab.advance(1);
  }
  assert.deepEqual(lab.order, expected);
});

test("slots: one worker alone says nothing", async () => {
  const lab = new SlotLab({ workers: 1, max: 2 });
  await lab.up(3000);
  for (let i = 0; i < 20; i++) lab.workers[0]?.arrive(`r${i}`);
  for (let round = 0; round < 100 && lab.order.length < 20; round++) {
    lab.settle();
    for (const request of lab.workers[0]?.served ?? []) request.answered(true);
    lab.advance(10);
  }
  assert.equal(lab.order.length, 20);
  assert.equal(lab.messages, 0);
});

test("slots: without contention nothing is said either", async () => {
  const lab = new SlotLab({ workers: 2, max: 4 });
  await lab.up(3000);
  for (let round = 0; round < 20; round++) {
    for (const worker of lab.workers) worker.arrive(`r${round}`);
    lab.settle();
    for (const worker of lab.workers) for (const request of worker.served) request.answered(true);
    lab.advance(10);
  }
  assert.equal(lab.messages, 0);
  assert.equal(lab.order.length, 40);
});

test("slots: workers under equal load seldom trade", async () => {
  const lab = new SlotLab({ workers: 2, max: 4 });
  await lab.up(3000);
  let names = 0;
  const refill = () => {
    for (const worker of lab.workers) {
      while (worker.upstream.waiting < 6) worker.arrive(`r${++names}`);
    }
  };
  for (let ms = 0; ms < 2000; ms++) {
    refill();
    lab.settle();
    if (ms % 2 === 0) {
      for (const worker of lab.workers) for (const one of worker.served) one.answered(true);
    }
    lab.advance(1);
  }
  assert.ok(lab.order.length > 3000, `${lab.order.length} served`);
  const each = lab.messages / lab.order.length;
  assert.ok(each < 0.2, `${each} messages for each request`);
});

test("slots: of many endpoints all are asked in the end, and taken back, though nothing else happens", async () => {
  const lab = new SlotLab({ workers: 2, max: 1, endpoints: 400 });
  for (const port of lab.ports) await lab.up(port);
  const [first, second] = lab.workers;
  assert.ok(first !== undefined && second !== undefined);
  const pass = (ms: number): void => {
    for (let i = 0; i < ms; i++) {
      lab.settle();
      lab.advance(1);
    }
    lab.settle();
    lab.check();
  };
  for (let i = 0; i < 400; i++) first.arrive(`a${i}`);
  pass(200);
  assert.equal(first.served.length, 400, "one worker has all slots");
  const waiting = Array.from({ length: 3 }, (_, i) => second.arrive(`b${i}`));
  // 16 at a time, a millisecond between.
  pass(30);
  // Whichever endpoint becomes free: it is one that was asked for.
  for (const at of [399, 0, 200]) first.requests[at]?.answered(true);
  pass(5);
  assert.deepEqual(waiting.map(({ state }) => state), ["served", "served", "served"]);
  pass(50);
  const before = lab.messages;
  for (const request of first.served.slice(0, 350)) request.answered(true);
  pass(50);
  for (let i = 0; i < 350; i++) first.arrive(`c${i}`);
  pass(50);
  assert.equal(first.served.length, 397, "nobody else wants these slots any more");
  assert.equal(lab.messages, before);
});

test("slots: without a queue a request waits for a slot that another process has, and for no other", async () => {
  const lab = new SlotLab({ workers: 2, max: 1, queueSize: 0 });
  await lab.up(3000);
  const [first, second] = lab.workers;
  const a = first?.arrive("a");
  lab.settle();
  assert.equal(a?.state, "served", "neither had it at first");
  const b = second?.arrive("b");
  const c = second?.arrive("c");
  const d = first?.arrive("d");
  lab.settle();
  assert.deepEqual([b?.state, c?.state, d?.state], ["waiting", "failed", "failed"]);
  a?.answered(true);
  lab.settle();
  assert.equal(b?.state, "served");
});

test("slots: without time for queueing a slot is waited for a second", async () => {
  const lab = new SlotLab({ workers: 2, max: 1, queueTimeoutMs: 0 });
  await lab.up(3000);
  const [first, second] = lab.workers;
  const a = first?.arrive("a");
  lab.settle();
  assert.equal(a?.state, "served");
  const b = second?.arrive("b");
  lab.settle();
  lab.advance(900);
  assert.equal(b?.state, "waiting");
  lab.advance(200);
  assert.equal(b?.state, "failed");
});
