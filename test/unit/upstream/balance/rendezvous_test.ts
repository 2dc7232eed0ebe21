/** Requests of one key stay with one endpoint; of one that goes only its keys move, and weights are kept. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashText } from "../../../../src/bytes/hash.ts";
import { avoiding } from "../../../../src/upstream/balance/avoiding.ts";
import { LeastConn } from "../../../../src/upstream/balance/least_conn.ts";
import { Rendezvous } from "../../../../src/upstream/balance/rendezvous.ts";
import { RoundRobin } from "../../../../src/upstream/balance/round_robin.ts";
import { type TestWaiter, UpstreamLab } from "../../../support/upstream_lab.ts";

const KEYS = Array.from({ length: 10_000 }, (_, at) => hashText(`client ${at}`));

async function labOf(weights: readonly number[]): Promise<UpstreamLab> {
  const lab = new UpstreamLab({
    endpoints: weights.length,
    weights,
    policy: (endpoints) => new Rendezvous(endpoints),
  });
  for (const backend of lab.backends) await backend.up();
  return lab;
}

test("the share of each is its weight's, and which it is does not depend on the order of the list", async () => {
  const lab = await labOf([1, 2, 5]);
  const { endpoints } = lab.upstream;
  const policy = new Rendezvous(endpoints);
  const backwards = new Rendezvous([...endpoints].reverse());
  const counts = new Map(endpoints.map((endpoint) => [endpoint, 0]));
  for (const key of KEYS) {
    const wanted = policy.wanted(key);
    assert.ok(wanted !== null);
    assert.equal(backwards.wanted(key), wanted);
    counts.set(wanted, (counts.get(wanted) ?? 0) + 1);
  }
  for (const [{ weight }, count] of counts) {
    const share = count / KEYS.length;
    assert.ok(Math.abs(share - weight / 8) < 0.02, `${share} of weight ${weight}`);
  }
});

test("of an endpoint that goes only its own keys move, to all others, and they come back", async () => {
  const lab = await labOf([1, 1, 1, 1]);
  const { endpoints } = lab.upstream;
  const policy = new Rendezvous(endpoints);
  const before = KEYS.map((key) => policy.wanted(key));
  const [gone] = endpoints;
  assert.ok(gone !== undefined);
  lab.upstream.withdraw(gone);
  const moved = new Set();
  for (const [at, key] of KEYS.entries()) {
    const wanted = policy.wanted(key);
    if (before[at] === gone) moved.add(wanted);
    else assert.equal(wanted, before[at]);
  }
  assert.equal(moved.size, 3);
  lab.upstream.restore(gone);
  assert.deepEqual(KEYS.map((key) => policy.wanted(key)), before);
});

test("a crowd that waits: each is served by its own endpoint, whichever connection opens first", async () => {
  const lab = await labOf([1, 1, 1]);
  const policy = new Rendezvous(lab.upstream.endpoints);
  const waiters = KEYS.slice(0, 60).map((key) => {
    const waiter = lab.waiter();
    waiter.balanceKey = key;
    return waiter.ask();
  });
  lab.advance(100);
  for (let round = 0; round < 200 && waiters.some(({ endpoint }) => endpoint === null); round++) {
    for (const waiter of waiters) if (waiter.connection !== null) waiter.answered();
    lab.advance(10);
  }
  for (const waiter of waiters) {
    assert.equal(waiter.failure, "");
    assert.equal(waiter.endpoint, policy.wanted(waiter.balanceKey as number), waiter.name);
  }
});

test("while its endpoint is away a request goes to another; while all are, it waits for the first that comes back", async () => {
  const lab = await labOf([1, 1]);
  const [a, b] = lab.upstream.endpoints;
  assert.ok(a !== undefined && b !== undefined);
  const policy = new Rendezvous([a, b]);
  const key = KEYS.find((each) => policy.wanted(each) === a) as number;
  const ask = (): TestWaiter => {
    const waiter = lab.waiter();
    waiter.balanceKey = key;
    return waiter.ask();
  };
  lab.backends[0]?.down();
  const first = ask();
  lab.advance(100);
  assert.equal(first.endpoint, b);
  first.answered(false);
  lab.backends[1]?.down();
  const second = ask();
  lab.advance(200);
  assert.equal(second.endpoint, null);
  await lab.backends[1]?.up();
  lab.advance(1000);
  assert.equal(second.endpoint, b);
});

test("what a request avoids is not chosen, by any policy, unless nothing else is left", async () => {
  const lab = await labOf([1, 1, 1]);
  const { endpoints } = lab.upstream;
  const [a, b, c] = endpoints;
  const policies = [
    avoiding((all) => new RoundRobin(all))(endpoints),
    avoiding((all) => new LeastConn(all))(endpoints),
    new Rendezvous(endpoints),
  ];
  for (const policy of policies) {
    for (let round = 0; round < 12; round++) {
      const key = KEYS[round] as number;
      assert.equal(policy.pick("dial", key, { avoids: (each) => each === a || each === c }), b);
      assert.equal(policy.pick("dial", key, { avoids: () => true }), null);
      assert.ok(policy.pick("dial", key, { avoids: () => false }) !== null);
    }
  }
});
