/**
 * One process takes the place of another, and a third its place, with their messages in any order: the slots of all
 * their workers together are never more than `max_in_flight`, nobody starves in any of them, and in the end the last
 * one has all slots. In every second walk upgrades and reloads call the upstream and its endpoints otherwise. A failure prints
 * the seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Calls, SlotLab, type SlotRequest, type SlotWorker } from "../../../support/slot_lab.ts";
import { walkSeeds } from "../../../support/seeds.ts";

const SEEDS = 120;
const STEPS = 200;
const MOST_GENERATIONS = 4;

class Walk {
  /** All there are, the oldest first. */
  labs: SlotLab[];
  readonly #options: { readonly max: number; readonly endpoints: number; readonly seed: number };
  readonly #pick: (below: number) => number;
  readonly #renames: boolean;
  #names = 0;
  #generations = 1;

  constructor(seed: number) {
    const state = { value: seed };
    this.#pick = (below) => {
      state.value = (Math.imul(state.value, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state.value / 2 ** 32) * below);
    };
    this.#renames = seed % 2 === 0;
    this.#options = {
      max: [1, 1, 2, 5, 20][this.#pick(5)] ?? 1,
      endpoints: seed % 5 === 0 ? 17 : 1 + this.#pick(2),
      seed,
    };
    this.labs = [new SlotLab({ ...this.#options, workers: 1 + this.#pick(3) })];
  }

  get last(): SlotLab {
    return this.labs.at(-1) as SlotLab;
  }

  get first(): SlotLab {
    return this.labs[0] as SlotLab;
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[this.#pick(list.length)];
  }

  get requests(): readonly SlotRequest[] {
    return this.labs.flatMap(({ workers }) => workers).flatMap(({ requests }) => requests);
  }

  /** The same as now, or something else: a name of its own, or one that was another's before. */
  #calls({ upstream, endpoint }: Calls): Calls {
    if (!this.#renames) return { upstream, endpoint };
    return {
      upstream: this.#one([upstream, "lab", `lab${this.#pick(4)}`]) ?? upstream,
      endpoint: this.#one([endpoint, endpoint, "e", `e${this.#pick(3)}-`]) ?? endpoint,
    };
  }

  check(): void {
    const { max } = this.#options;
    for (const port of this.first.ports) {
      const name = `e${port}`;
      const endpoints = this.labs.flatMap(({ workers, corpses }) => [...new Set([...workers, ...corpses])])
        .flatMap((worker) => worker.at(port));
      const limits = endpoints.reduce((sum, { slotLimit }) => sum + slotLimit, 0);
      const used = endpoints.reduce((sum, endpoint) => sum + endpoint.used, 0);
      assert.ok(limits <= max, `${name}: all hold ${limits} slots of ${max}`);
      assert.ok(used <= max, `${name}: all use ${used} slots of ${max}`);
      // What is called otherwise has several accounts.
      if (this.#renames) continue;
      for (const { ledger } of this.labs) {
        const { free, held } = ledger.heldOf({ upstream: "lab", endpoint: name });
        assert.equal([...held.values()].reduce((sum, count) => sum + count, free), max, `${name}: the books`);
        assert.ok(free >= 0 && [...held.values()].every((count) => count >= 0), `${name}: ${free} free`);
      }
    }
  }

  /** A request arrives where connections are accepted, or on one that the old process still has. */
  #arrive(): void {
    const lab = this.#pick(8) === 0 ? this.#one(this.labs) : this.last;
    this.#one((lab ?? this.last).workers.filter(({ dead }) => !dead))?.arrive(`r${++this.#names}`);
  }

  succeed(): void {
    if (this.#generations >= MOST_GENERATIONS || this.last.changing) return;
    this.#generations++;
    const calls = this.#calls(this.last.calls);
    const lab = new SlotLab({ ...this.#options, workers: 1 + this.#pick(3), calls }, this.last);
    // Requests that come while it is on trial wait.
    for (let i = this.#pick(3); i > 0; i--) this.#one(lab.workers)?.arrive(`r${++this.#names}`);
    lab.succeed();
    this.labs.push(lab);
  }

  /** The first process is gone, once nothing of its own is open. */
  leave(): void {
    const { first } = this;
    const open = first.workers.some(({ requests }) =>
      requests.some(({ state }) => state === "waiting" || state === "served")
    );
    if (first.after === null || open) return;
    for (const worker of [...first.workers]) if (!worker.dead) first.kill(worker);
    first.corpses = [];
    first.gone();
    this.labs.shift();
  }

  /** It is killed in the middle of whatever it does. What it had said last may have been lost. */
  crash(): void {
    const { first } = this;
    if (first.after === null) return;
    for (const worker of first.workers) if (!worker.dead) first.kill(worker);
    for (let lost = this.#pick(4); lost > 0; lost--) first.toHeir.pop();
    while (first.toHeir.length > 0) first.deliver(first.toHeir);
    first.gone();
    this.labs.shift();
  }

  #deliver(): void {
    const lab = this.#one(this.labs.filter(({ channels }) => channels.length > 0));
    const channel = lab === undefined ? undefined : this.#one(lab.channels);
    if (channel !== undefined) lab?.deliver(channel);
  }

  step(): void {
    const { last } = this;
    switch (this.#pick(18)) {
      case 0:
      case 1:
      case 2:
        this.#arrive();
        break;
      case 3:
        this.#one(this.requests.filter(({ state }) => state === "waiting"))?.leave();
        break;
      case 4:
      case 5:
      case 6:
        this.#one(this.requests.filter(({ state }) => state === "served"))?.answered(this.#pick(2) === 0);
        break;
      case 7:
        if (this.#pick(6) === 0) this.succeed();
        break;
      case 8:
        this.leave();
        break;
      case 9:
        if (this.#pick(10) === 0) this.crash();
        break;
      case 10:
        last.advance(this.#pick(30));
        break;
      case 12:
        if (this.#renames && !last.changing && this.#pick(4) === 0) last.call(this.#calls(last.calls));
        else this.#deliver();
        break;
      case 11:
        for (let i = this.#pick(10); i > 0; i--) last.network.step();
        break;
      default:
        this.#deliver();
    }
    this.check();
  }

  settle(): void {
    for (let rounds = 0; rounds < 100_000; rounds++) {
      const lab = this.labs.find(({ channels }) => channels.length > 0);
      const channel = lab?.channels[0];
      if (lab !== undefined && channel !== undefined) lab.deliver(channel);
      else if (!this.first.network.step()) return;
      this.check();
    }
    throw new Error("the processes keep each other busy for ever");
  }

  /** From here on nothing goes wrong: all who wait are served, in whichever process, and the last one gets all slots. */
  end(): void {
    const waiting = () => this.requests.filter(({ state }) => state === "waiting");
    for (let round = 0; round < 2000; round++) {
      this.settle();
      const served = this.requests.filter(({ state }) => state === "served");
      if (served.length === 0 && waiting().length === 0) break;
      for (const request of served) request.answered(true);
      this.#pass(20);
    }
    assert.deepEqual(waiting().map(({ name }) => name), [], "all are served");
    // Also while the old ones are there: they hold on to nothing.
    this.#canHaveAll();
    while (this.labs.length > 1) {
      this.leave();
      this.settle();
    }
    this.#canHaveAll();
  }

  #pass(ms: number): void {
    this.last.advance(ms);
    for (const lab of this.labs) for (const { turn } of lab.workers) turn.begin();
  }

  #canHaveAll(): void {
    const worker = this.last.workers.at(-1) as SlotWorker;
    const { max, endpoints } = this.#options;
    const requests = Array.from({ length: max * endpoints }, (_, i) => worker.arrive(`all${i}`));
    for (let round = 0; round < 400 && requests.some(({ state }) => state === "waiting"); round++) {
      this.settle();
      this.#pass(10);
    }
    assert.ok(requests.every(({ state }) => state === "served"), "the last process can have all slots");
    for (const request of requests) request.answered(true);
    this.settle();
  }
}

test("slots: over a succession of processes any interleaving keeps the limit and loses none", async () => {
  for (const seed of walkSeeds(SEEDS)) {
    const walk = new Walk(seed);
    try {
      for (const port of walk.first.ports) await walk.first.up(port);
      for (let i = 0; i < STEPS; i++) walk.step();
      walk.end();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});

test("slots: a request that has waited in the old process goes before those of the new one", async () => {
  const old = new SlotLab({ workers: 1, max: 1 });
  await old.up(3000);
  const [a] = old.workers;
  const busy = a?.arrive("busy");
  old.settle();
  const held = a?.arrive("held");
  old.advance(50);
  const lab = new SlotLab({ workers: 1, max: 1 }, old);
  lab.succeed();
  const next = lab.workers[0]?.arrive("next");
  const settle = () => {
    for (let i = 0; i < 20; i++) {
      old.settle();
      lab.settle();
    }
  };
  settle();
  busy?.answered(true);
  settle();
  assert.deepEqual([held?.state, next?.state], ["served", "waiting"]);
  held?.answered(true);
  settle();
  assert.equal(next?.state, "served");
});

test("slots: with one stream in the old process the new one has all other slots", async () => {
  const old = new SlotLab({ workers: 1, max: 20 });
  await old.up(3000);
  const stream = old.workers[0]?.arrive("stream");
  old.settle();
  const lab = new SlotLab({ workers: 2, max: 20 }, old);
  lab.succeed();
  const settle = () => {
    for (let i = 0; i < 200; i++) {
      old.settle();
      lab.settle();
      lab.advance(5);
    }
  };
  const requests = Array.from({ length: 20 }, (_, i) => lab.workers[i % 2]?.arrive(`r${i}`));
  settle();
  assert.equal(requests.filter((request) => request?.state === "served").length, 19);
  stream?.answered(true);
  settle();
  assert.equal(requests.filter((request) => request?.state === "served").length, 20);
});
