/** Who gets a connection, when, and in which order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../support/fake_clock.ts";
import { type TestWaiter, UpstreamLab } from "../../support/upstream_lab.ts";

test("requests held while nobody listens go on in the order of their arrival", async () => {
  const lab = new UpstreamLab({ maxInFlight: 1 });
  const waiters = [];
  for (let i = 0; i < 5; i++) {
    waiters.push(lab.ask());
    lab.advance(20);
  }
  assert.equal(lab.upstream.waiting, 5);
  assert.deepEqual(lab.events, ["down e0 connection_refused"]);
  await lab.backend().up();
  lab.advance(300);
  for (const waiter of waiters) {
    assert.deepEqual(lab.order.at(-1), waiter.name);
    assert.equal(lab.upstream.inFlight, 1);
    waiter.answered();
    lab.run();
  }
  assert.deepEqual(lab.order, waiters.map(({ name }) => name));
  assert.equal(lab.backend().accepted, 1);
  lab.assertQuiet();
});

test("a dial whose client has left serves the next waiter", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  const first = lab.ask();
  assert.equal(lab.upstream.endpoints[0]?.dialing, 1);
  first.leave();
  const second = lab.ask();
  lab.run();
  assert.equal(first.connection, null);
  assert.ok(second.connection !== null);
  assert.equal(lab.backend().accepted, 1);
});

test("a dial whose client has left goes to the pool when nobody waits", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  lab.ask().leave();
  lab.run();
  assert.equal(lab.endpoint().pool.size, 1);
  lab.assertQuiet();
  const later = lab.ask();
  assert.ok(later.connection !== null, "no second dial is needed");
  assert.equal(lab.dials.length, 1);
});

test("a dial that succeeds just after the deadline of its request goes to the pool", async () => {
  const lab = new UpstreamLab({ queueTimeoutMs: 1000 });
  await lab.backend().up();
  const late = lab.ask();
  assert.ok(lab.runtime.clock instanceof FakeClock);
  // Only timers fire; what the network has ready waits.
  lab.runtime.clock.advance(1100);
  assert.equal(late.failure, "queue_timeout");
  lab.run();
  assert.equal(late.connection, null);
  assert.equal(lab.endpoint().pool.size, 1);
  lab.assertQuiet();
});

test("while an endpoint is down one dial at a time asks for it, less and less often", () => {
  const lab = new UpstreamLab({ holdMs: 60_000 });
  lab.asks(50);
  lab.run();
  // Those of the first burst: nobody knew.
  const first = lab.dials.length;
  let most = 0;
  const times: number[] = [];
  let seen = first;
  for (let ms = 0; ms < 20_000; ms++) {
    lab.advance(1);
    most = Math.max(most, lab.endpoint().dialing);
    for (; seen < lab.dials.length; seen++) times.push(lab.now);
  }
  assert.ok(most <= 1, `${most} dials at a time`);
  const within = (from: number, to: number) => times.filter((at) => at >= from && at < to).length;
  const start = 1000;
  assert.ok(within(start, start + 50) >= 15, "often in the first 50 ms");
  assert.ok(within(start + 10_000, start + 11_000) <= 5, "about four times a second later");
  const pauses = times.slice(1).map((at, i) => at - (times[i] as number));
  const largest = Math.max(...pauses);
  assert.ok(largest >= 225 && largest <= 277, `${largest} ms at most between dials`);
  assert.equal(lab.upstream.waiting, 50);
});

test("hold_interval fixes the pause between dials", () => {
  const lab = new UpstreamLab({ holdIntervalMs: 40 });
  lab.ask();
  lab.run();
  lab.advance(4000);
  const pauses = lab.dials.slice(1).map(({ at }, i) => at - (lab.dials[i]?.at ?? 0));
  assert.deepEqual([...new Set(pauses)], [40]);
});

test("a waiter that comes when a long absence was forgotten begins with short pauses again", () => {
  const lab = new UpstreamLab({ holdMs: 5000 });
  lab.ask();
  lab.advance(6000);
  assert.equal(lab.upstream.waiting, 0);
  lab.advance(3_600_000);
  lab.ask();
  lab.run();
  const before = lab.dials.length;
  lab.advance(50);
  assert.ok(lab.dials.length - before >= 15, `${lab.dials.length - before} dials in 50 ms`);
});

/** How many of `waiters` have been served, whenever the number changes within `ms`. */
function servedOver(lab: UpstreamLab, waiters: readonly TestWaiter[], ms: number): number[] {
  const seen: number[] = [];
  for (let passed = 0; passed <= ms; passed++) {
    const now = waiters.filter(({ connection }) => connection !== null).length;
    if (now !== seen.at(-1)) seen.push(now);
    lab.advance(1);
  }
  return seen;
}

test("after a return connections are opened one by one, then by doubling", async () => {
  const lab = new UpstreamLab();
  const waiters = lab.asks(40);
  lab.advance(1000);
  await lab.backend().up();
  assert.deepEqual(servedOver(lab, waiters, 120), [0, 1]);
  assert.deepEqual(servedOver(lab, waiters, 90), [1, 2, 3, 4]);
  assert.deepEqual(servedOver(lab, waiters, 100), [4, 8, 16, 32, 40]);
});

test("after a return answers on connections that stay open speed it up", async () => {
  const lab = new UpstreamLab();
  const waiters = lab.asks(40);
  lab.advance(1000);
  await lab.backend().up();
  const served = new Set<TestWaiter>();
  for (let ms = 0; ms < 60; ms++) {
    lab.advance(1);
    for (const waiter of waiters) {
      if (waiter.connection === null) continue;
      waiter.answered();
      served.add(waiter);
    }
  }
  assert.equal(served.size, 40);
});

test("a first burst does not put twenty connections into an accept queue of unknown depth", async () => {
  // A backend that takes one connection and leaves would reset all the others.
  const lab = new UpstreamLab();
  await lab.backend().up();
  const waiters = lab.asks(20);
  lab.run();
  const inFlight = (): number => waiters.filter(({ connection }) => connection !== null).length;
  for (const waiter of waiters) {
    assert.equal(inFlight(), 1);
    waiter.answered(false);
    lab.run();
  }
  assert.equal(lab.backend().accepted, 20);
});

test("an endpoint that was only ever used by one at a time stays unknown", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  for (let i = 0; i < 50; i++) {
    const waiter = lab.ask();
    lab.advance(20);
    waiter.answered(false);
    lab.advance(20);
  }
  const waiters = lab.asks(5);
  lab.run();
  assert.equal(waiters.filter(({ connection }) => connection !== null).length, 1);
});

test("an endpoint that has served many at a time is dialled for all of a burst", async () => {
  const lab = new UpstreamLab({ poolSize: 0 });
  await lab.backend().up();
  const waiters = lab.asks(20);
  lab.advance(400);
  for (const waiter of waiters) waiter.answered(false);
  lab.advance(1000);
  const burst = lab.asks(20);
  lab.run();
  assert.equal(burst.filter(({ connection }) => connection !== null).length, 20);
});

test("a connection the kernel made to itself counts as refused", async () => {
  // Dialling a free port of the ephemeral range can connect a socket to itself (simultaneous open).
  const lab = new UpstreamLab();
  await lab.backend().up();
  const { runtime } = lab;
  runtime.network.dialPort = () => 3000;
  const waiter = lab.ask();
  lab.advance(5);
  assert.equal(waiter.connection, null);
  assert.equal(lab.endpoint().state, "down");
  assert.equal(lab.endpoint().lastFailure?.code, "connection_refused");
});

test("with many endpoints too, one that has left and returned is trusted with more as time passes", async () => {
  const lab = new UpstreamLab({ endpoints: 30, maxInFlight: 100 });
  await lab.backend().up();
  lab.endpoint().ramp.limit = Infinity;
  const burst = lab.asks(150);
  lab.advance(500);
  assert.equal(lab.upstream.waiting, 50, "a limit keeps them waiting, no lack of trust");
  for (const waiter of burst) waiter.leave();
  for (const waiter of burst) if (waiter.connection !== null) waiter.answered();
  lab.backend().down();
  lab.backend().resetAll();
  lab.advance(100);
  const again = lab.asks(6);
  lab.advance(100);
  assert.equal(lab.endpoint().state, "down");
  await lab.backend().up();
  lab.advance(1000);
  assert.deepEqual(
    again.map(({ connection }) => connection !== null),
    new Array(6).fill(true),
    "none answers",
  );
});

test("of thousands that are down so many are asked at a time, and all in turn", async () => {
  const lab = new UpstreamLab({ endpoints: 1000 });
  const waiter = lab.ask();
  lab.advance(2000);
  assert.ok(lab.upstream.allDown);
  const before = lab.dials.length;
  lab.advance(1000);
  const dials = lab.dials.slice(before);
  const inOneGo = new Map<number, number>();
  for (const { at } of dials) inOneGo.set(at, (inOneGo.get(at) ?? 0) + 1);
  assert.ok(Math.max(...inOneGo.values()) <= 64, "so many in one go");
  assert.equal(new Set(dials.map(({ port }) => port)).size, 1000, "each of them");
  await lab.backend(777).up();
  lab.advance(1000);
  assert.equal(waiter.endpoint, lab.endpoint(777));
  waiter.answered();
  // Others wait no longer: requests that pass ask a few.
  const passing = lab.dials.length;
  for (let ms = 0; ms < 1000; ms += 10) {
    lab.advance(10);
    const passer = lab.ask();
    assert.notEqual(passer.connection, null);
    passer.answered();
  }
  const asked = lab.dials.length - passing;
  assert.ok(asked > 300 && asked <= 51 * 16, `${asked} dials in a second`);
});

test("a policy is told what a request is balanced by", async () => {
  const asked: string[] = [];
  const lab = new UpstreamLab({
    maxInFlight: 1,
    policy: (endpoints) => ({
      pick: (need, key) => {
        asked.push(`${need} ${key}`);
        return endpoints.find((endpoint) => endpoint.can(need)) ?? null;
      },
    }),
  });
  await lab.backend().up();
  const [first, second, fresh] = [7, 8, 9].map((key) => {
    const waiter = lab.waiter();
    waiter.balanceKey = key;
    return waiter;
  }) as [TestWaiter, TestWaiter, TestWaiter];
  fresh.wantsFresh = true;
  first.ask();
  lab.run();
  assert.deepEqual(asked, ["any 7"]);
  second.ask();
  assert.equal(asked[1], "any 8", "nobody waits, and something may lie ready");
  assert.ok(asked.includes("idle 8"));
  first.answered();
  fresh.ask();
  assert.ok(asked.includes("dial 9"));
  assert.ok(asked.every((question) => !question.startsWith("idle 9")));
});
