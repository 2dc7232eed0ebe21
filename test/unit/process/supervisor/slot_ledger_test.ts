/** Slots of endpoints that a reload renames, takes away, puts back or moves: never more than the limit. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotLedger } from "../../../../src/process/supervisor/slot_ledger.ts";
import { walkSeeds } from "../../../support/seeds.ts";

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
  for (const seed of walkSeeds(300)) {
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

const ELDER = -1;
const HEIR = -2;
const renamedTo = (name: typeof web) => new Map([[name.upstream, "app"]]);

test("ledger: a process before us that calls an upstream otherwise has its slots", () => {
  const { ledger, granted } = ledgerOf(web);
  ledger.expect(ELDER, [app], [web], renamedTo(web));
  assert.deepEqual(ledger.join(0), []);
  ledger.wake(ELDER);
  ledger.want(0, { ...web, count: 1, waitedMs: 0 });
  assert.deepEqual(granted, []);
  assert.ok(ledger.give(ELDER, { ...web, count: 2 }));
  assert.deepEqual(granted, ["0 web 1", "1 web 1"]);
});

test("ledger: an endpoint that the process before us has by another name draws on the same slots", () => {
  const { ledger, granted } = ledgerOf(app);
  const other = { ...app, endpoint: "https://a:1" };
  ledger.expect(ELDER, [other], [app]);
  assert.deepEqual([ledger.join(0), slotsOf(ledger, app)], [[], [0, 0, 0]]);
  assert.ok(ledger.accountsFor(other));
  ledger.wake(ELDER);
  ledger.want(0, { ...app, count: 2, waitedMs: 0 });
  assert.ok(ledger.give(ELDER, { ...other, count: 1 }));
  assert.deepEqual(granted, ["0 app 1"]);
  // It gives by the new name what it has got by the old one.
  assert.ok(ledger.give(ELDER, { ...app, count: 1 }));
  assert.deepEqual(granted, ["0 app 1", "0 app 1"]);
  assert.equal(ledger.give(ELDER, { ...app, count: 1 }), false, "it has no more");
});

test("ledger: where there is no limit any more the process before us gets what it wants", () => {
  const { ledger, granted } = ledgerOf(app);
  ledger.expect(ELDER, [app], [app]);
  ledger.wake(ELDER);
  ledger.give(ELDER, { ...app, count: 2 });
  ledger.want(0, { ...app, count: 1, waitedMs: 9 });
  ledger.want(ELDER, { ...app, count: 3, waitedMs: 0 });
  granted.length = 0;
  ledger.reconfigure([{ ...app, max: 0 }], WORKERS);
  assert.deepEqual(granted, [`${ELDER} app 3`], "workers know of it");
  ledger.want(ELDER, { ...app, count: 1, waitedMs: 0 });
  ledger.want(0, { ...app, count: 1, waitedMs: 0 });
  assert.deepEqual(granted, [`${ELDER} app 3`, `${ELDER} app 1`]);
});

test("ledger: what a superior has waited for and got presses nobody any more", () => {
  const told: string[] = [];
  const ledger = new SlotLedger([app], 1, () => 1000, {
    grant: (worker, { count }) => void told.push(`grant ${worker} ${count}`),
    recall: (worker, { count, waitedMs }) => void told.push(`recall ${worker} ${count} ${waitedMs}`),
  });
  ledger.join(0);
  ledger.submit(HEIR, [app]);
  ledger.press({ ...app, count: 1, waitedMs: 500 });
  ledger.give(0, { ...app, count: 1 });
  told.length = 0;
  // Its own requests are younger than what the superior had.
  ledger.want(0, { ...app, count: 1, waitedMs: 100 });
  ledger.regain({ ...app, count: 1 });
  assert.deepEqual(told.filter((line) => !line.startsWith(`recall ${HEIR}`)), [
    "grant 0 1",
    "recall 0 0 0",
    "recall 0 2 0",
  ]);
});

test("ledger: what a superior grants to an endpoint that has gone goes back to it", () => {
  const { ledger, granted } = ledgerOf(app);
  ledger.submit(HEIR, [app]);
  for (const worker of WORKERS) ledger.give(worker, { ...app, count: 1 });
  granted.length = 0;
  ledger.reconfigure([web], WORKERS);
  ledger.regain({ ...app, count: 1 });
  assert.deepEqual(granted, [`${HEIR} app 1`]);
});
