/** Slots of endpoints that a reload renames, takes away, puts back or moves: never more than the limit. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotLedger } from "../../../../src/process/supervisor/slot_ledger.ts";

const WORKERS = [0, 1];
const app = { upstream: "app", endpoint: "a:1", address: "a:1", max: 2 };
const web = { ...app, upstream: "web" };

function ledgerOf(...endpoints: (typeof app)[]) {
  const granted: string[] = [];
  const ledger = new SlotLedger(endpoints, WORKERS.length, () => 0, {
    grant: (worker, { upstream, count }) => void granted.push(`${worker} ${upstream} ${count}`),
    recall() {},
  });
  for (const worker of WORKERS) ledger.join(worker);
  return { ledger, granted };
}

const slotsOf = (ledger: SlotLedger, name: typeof app) => {
  const { free, held } = ledger.heldOf(name);
  return [free, ...WORKERS.map((worker) => held.get(worker) ?? 0)];
};

test("ledger: a renamed upstream keeps what is held, and hears what is given by the old name", () => {
  const { ledger, granted } = ledgerOf(app);
  ledger.reconfigure([web], WORKERS, new Map([["web", "app"]]));
  assert.deepEqual([slotsOf(ledger, web), granted], [[0, 1, 1], []]);
  assert.equal(ledger.give(0, { ...app, count: 1 }), true);
  assert.deepEqual(slotsOf(ledger, web), [1, 0, 1]);
  ledger.want(1, { ...web, count: 1, waitedMs: 0 });
  assert.deepEqual([slotsOf(ledger, web), granted], [[0, 0, 2], ["1 web 1"]]);
});

test("ledger: what is still held of an endpoint that was taken away is missing when it returns", () => {
  const { ledger, granted } = ledgerOf(app);
  ledger.reconfigure([], WORKERS);
  assert.equal(ledger.give(1, { ...app, count: 1 }), true);
  ledger.reconfigure([app], WORKERS);
  assert.deepEqual([slotsOf(ledger, app), granted], [[0, 1, 1], ["1 app 1"]]);
  ledger.give(0, { ...app, count: 1 });
  ledger.reconfigure([], WORKERS);
  ledger.reconfigure([app], WORKERS);
  assert.deepEqual(granted, ["1 app 1", "0 app 1"]);
});

test("ledger: an endpoint that moves to another upstream has there what is not held", () => {
  const { ledger, granted } = ledgerOf(app);
  ledger.reconfigure([web], WORKERS);
  assert.deepEqual(granted, []);
  ledger.want(0, { ...web, count: 2, waitedMs: 0 });
  assert.deepEqual(granted, []);
  ledger.give(1, { ...app, count: 1 });
  assert.deepEqual(granted, ["0 web 1"]);
  // A worker that dies gives all it had.
  ledger.leave(0);
  assert.deepEqual(slotsOf(ledger, web), [2, 0, 0]);
});

test("ledger: a limit that is lifted and set again begins anew", () => {
  const { ledger, granted } = ledgerOf(app);
  ledger.reconfigure([{ ...app, max: 0 }], WORKERS);
  ledger.reconfigure([app], WORKERS);
  assert.deepEqual(granted, ["0 app 1", "1 app 1"]);
  assert.deepEqual(slotsOf(ledger, app), [0, 1, 1]);
});

const SUPERIOR = -2;

/** What a superior has got of what both workers held, which were given to it one by one. */
function ledgerUnder(superior: number) {
  const { ledger, granted } = ledgerOf(app);
  ledger.submit(superior, [app]);
  return { ledger, granted };
}

test("ledger: with a superior, what comes back from an endpoint that was taken away is the superior's", () => {
  const { ledger, granted } = ledgerUnder(SUPERIOR);
  ledger.reconfigure([], WORKERS);
  assert.equal(ledger.give(0, { ...app, count: 1 }), true);
  assert.equal(ledger.give(1, { ...app, count: 1 }), true);
  assert.deepEqual(granted, [`${SUPERIOR} app 1`, `${SUPERIOR} app 1`]);
});

test("ledger: with a superior, an endpoint that returns is still held by who has not given it back", () => {
  const { ledger, granted } = ledgerUnder(SUPERIOR);
  ledger.give(1, { ...app, count: 1 });
  ledger.reconfigure([], WORKERS);
  ledger.reconfigure([app], WORKERS);
  assert.deepEqual(slotsOf(ledger, app), [0, 1, 0]);
  assert.equal(ledger.heldOf(app).held.get(SUPERIOR), 1);
  assert.equal(ledger.give(0, { ...app, count: 1 }), true);
  assert.deepEqual(granted, [`${SUPERIOR} app 1`, `${SUPERIOR} app 1`]);
  assert.equal(ledger.heldOf(app).held.get(SUPERIOR), 2);
});

test("ledger: what an endpoint of before still holds is free when the superior is gone", () => {
  const { ledger } = ledgerUnder(SUPERIOR);
  ledger.reconfigure([], WORKERS);
  ledger.leave(SUPERIOR);
  ledger.reconfigure([app], WORKERS);
  assert.deepEqual(slotsOf(ledger, app), [0, 1, 1]);
  ledger.give(0, { ...app, count: 1 });
  assert.deepEqual(slotsOf(ledger, app), [1, 0, 1]);
});

test("ledger: any changes in any order leave no more granted than the limit, and none lost", () => {
  // What the workers really hold, by name: they give it back some time.
  for (let seed = 1; seed <= 300; seed++) {
    let state = seed;
    const pick = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    const held = new Map<string, number>();
    const key = (worker: number, upstream: string) => `${worker} ${upstream}`;
    const add = (worker: number, upstream: string, count: number) =>
      held.set(key(worker, upstream), (held.get(key(worker, upstream)) ?? 0) + count);
    const ledger = new SlotLedger([app], 2, () => 0, {
      grant: (worker, { upstream, count }) => void add(worker, upstream, count),
      recall() {},
    });
    for (const worker of WORKERS) for (const { count } of ledger.join(worker)) add(worker, "app", count);
    let serving: (typeof app)[] = [app];
    const sum = () => [...held.values()].reduce((all, count) => all + count, 0);
    for (let step = 0; step < 60; step++) {
      const choice = pick(4);
      if (choice === 0) {
        const [now] = serving;
        const next = [[], [app], [web]][pick(3)] as (typeof app)[];
        const is = next[0]?.upstream;
        const was = now?.upstream;
        const renamed = is !== undefined && was !== undefined && is !== was;
        if (renamed) {
          for (const worker of WORKERS) {
            add(worker, is, held.get(key(worker, was)) ?? 0);
            held.delete(key(worker, was));
          }
        }
        ledger.reconfigure(next, WORKERS, renamed ? new Map([[is, was]]) : new Map());
        serving = next;
      } else if (choice === 1 && serving[0] !== undefined) {
        ledger.want(pick(2), { ...serving[0], count: 1 + pick(2), waitedMs: 0 });
      } else {
        const [name, count] = [...held].filter(([, each]) => each > 0)[pick(4)] ?? ["", 0];
        if (count === 0) continue;
        const [worker = "", upstream = ""] = name.split(" ");
        held.set(name, count - 1);
        assert.ok(ledger.give(Number(worker), { ...app, upstream, count: 1 }), `seed ${seed}, step ${step}`);
      }
      assert.ok(sum() <= app.max, `seed ${seed}, step ${step}: ${JSON.stringify([...held])}`);
    }
    ledger.reconfigure([app], WORKERS, serving[0] === web ? new Map([["app", "web"]]) : new Map());
    if (serving[0] === web) {
      for (const worker of WORKERS) add(worker, "app", held.get(key(worker, "web")) ?? 0);
      for (const worker of WORKERS) held.delete(key(worker, "web"));
    }
    for (const name of [app, web]) {
      for (const worker of WORKERS) ledger.want(worker, { ...name, count: 0, waitedMs: 0 });
    }
    for (const [name, count] of [...held]) {
      const [worker = "", upstream = ""] = name.split(" ");
      held.set(name, 0);
      if (count > 0) ledger.give(Number(worker), { ...app, upstream, count });
    }
    assert.deepEqual(slotsOf(ledger, app), [app.max, 0, 0], `seed ${seed}: none is lost`);
  }
});
