/** What is done to an upstream on purpose: pauses, endpoints taken out of use, other settings. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamLab } from "../../support/upstream_lab.ts";

async function lab(options: ConstructorParameters<typeof UpstreamLab>[0] = {}): Promise<UpstreamLab> {
  const made = new UpstreamLab(options);
  for (const backend of made.backends) await backend.up();
  return made;
}

test("pause: new requests wait although connections lie idle, those in flight go on", async () => {
  const scene = await lab();
  const [first, second] = [scene.ask("first"), scene.ask("second")];
  scene.run();
  first.answered();
  scene.run();
  scene.advance(200);
  assert.notEqual(second.connection, null);
  scene.upstream.pause();
  const held = scene.asks(3);
  second.answered();
  scene.advance(5000);
  assert.deepEqual(held.map(({ connection }) => connection), [null, null, null]);
  assert.equal(scene.upstream.inFlight, 0);
  assert.equal(scene.upstream.waiting, 3);
  assert.equal(scene.upstream.pressed, true, "a client that leaves frees its place");
  held[1]?.leave();
  scene.upstream.resume();
  scene.advance(1000);
  assert.deepEqual(scene.order, ["first", "second", "w1", "w3"], "oldest first");
  held[0]?.answered();
  held[2]?.answered();
  scene.assertQuiet();
});

test("pause: the end is no herd, however many wait", async () => {
  const scene = await lab({ poolSize: 0 });
  scene.upstream.pause();
  const waiters = scene.asks(100);
  scene.run();
  assert.equal(scene.dials.length, 0, "nobody is dialled while paused");
  scene.upstream.resume();
  scene.run();
  assert.equal(scene.dials.length, 1, "one connection, and the next when it has been answered");
  assert.notEqual(waiters[0]?.connection, null);
  for (let i = 0; i < 100; i++) {
    scene.run();
    const served = waiters.find(({ connection }) => connection !== null);
    served?.answered();
    scene.advance(10);
  }
  assert.equal(scene.order.length, 100);
  assert.deepEqual(scene.order, [...scene.order].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))));
});

test("pause: an endpoint that was trusted with any number is opened one by one at its end", async () => {
  const scene = await lab({ poolSize: 0 });
  scene.asks(20);
  scene.advance(5000);
  const first = scene.upstream.inFlight;
  assert.equal(first, 20);
  scene.upstream.pause();
  const dials = scene.dials.length;
  scene.asks(10);
  scene.upstream.resume();
  scene.run();
  assert.equal(scene.dials.length, dials, "as many are open as it is trusted with now");
  scene.advance(5000);
  assert.equal(scene.upstream.inFlight, 30);
});

for (const [holdMs, longestMs] of [[0, 30_000], [60_000, 60_000]] as const) {
  test(`pause: with hold ${holdMs} a request waits ${longestMs} ms at most`, async () => {
    const scene = await lab({ holdMs });
    scene.upstream.pause();
    const waiter = scene.ask();
    scene.advance(longestMs - 100);
    assert.equal(waiter.failure, "");
    scene.advance(300);
    assert.equal(waiter.failure, "hold_timeout");
    assert.match(waiter.detail, /paused/);
    scene.assertQuiet();
  });
}

test("pause: holding counts anew from the resume, and the queue's time without the pause", async () => {
  const scene = await lab({ holdMs: 10_000, queueTimeoutMs: 10_000, maxInFlight: 1 });
  const before = scene.ask();
  scene.run();
  scene.upstream.pause();
  const [one, two] = scene.asks(2);
  scene.advance(20_000);
  before.answered();
  scene.backend().down();
  scene.backend().resetAll();
  scene.run();
  scene.upstream.resume();
  scene.advance(9000);
  assert.equal(one?.failure, "", "held for 9 s since the resume");
  await scene.backend().up();
  scene.advance(500);
  assert.notEqual(one?.connection, null);
  scene.advance(9000);
  assert.equal(two?.failure, "", "waits for a slot since 9.5 s");
  scene.advance(2000);
  assert.equal(two?.failure, "queue_timeout");
  one?.answered();
  scene.assertQuiet();
});

test("pause: without hold a dial that fails meanwhile fails nobody", async () => {
  const scene = await lab({ holdMs: 0 });
  scene.backend().down();
  const dialling = scene.ask();
  scene.upstream.pause();
  scene.run();
  assert.equal(dialling.failure, "");
  await scene.backend().up();
  scene.upstream.resume();
  scene.advance(500);
  assert.notEqual(dialling.connection, null);
});

test("an endpoint out of use gets no request, keeps no idle connection, and comes back", async () => {
  const scene = await lab({ endpoints: 2 });
  for (let i = 0; i < 4; i++) {
    const waiter = scene.ask();
    scene.run();
    waiter.answered();
  }
  const out = scene.endpoint(1);
  assert.ok(out.pool.size > 0);
  const busy = scene.asks(2);
  scene.run();
  scene.upstream.withdraw(out);
  assert.equal(out.pool.size, 0);
  for (const waiter of busy) waiter.answered();
  assert.equal(out.pool.size, 0, "a connection given back is closed");
  for (let i = 0; i < 6; i++) {
    const waiter = scene.ask();
    scene.run();
    assert.equal(waiter.endpoint, scene.endpoint(0));
    waiter.answered();
  }
  scene.upstream.withdraw(scene.endpoint(0));
  assert.equal(scene.upstream.allDown, true);
  const held = scene.ask();
  scene.advance(20_000);
  assert.equal(held.connection, null);
  scene.upstream.restore(out);
  scene.advance(100);
  assert.equal(held.endpoint, out);
});

test("with every endpoint out of use a request that is not held fails, and says so", async () => {
  const scene = await lab({ holdMs: 0 });
  scene.upstream.withdraw(scene.endpoint());
  const waiter = scene.ask();
  scene.advance(100);
  assert.equal(waiter.failure, "hold_timeout");
  assert.match(waiter.detail, /drained/);
});

test("other settings: the same endpoint keeps its connections, another address takes its place", async () => {
  const scene = await lab({ endpoints: 2 });
  const [one, two] = [scene.endpoint(0), scene.endpoint(1)];
  const first = scene.ask();
  scene.run();
  first.answered();
  const kept = one.pool.size;
  assert.equal(kept, 1);
  const { settings } = scene.upstream;
  const [a, b] = settings.endpoints;
  assert.ok(a !== undefined && b !== undefined);
  const third = { ...b, name: "e9", key: { ...b.key, address: scene.backend(1).address } };
  const dropped = scene.upstream.reconfigure({
    ...settings,
    holdMs: 5,
    endpoints: [{ ...a, weight: 3 }, third],
  });
  assert.deepEqual(dropped, [two]);
  assert.equal(scene.endpoint(0), one);
  assert.equal(one.weight, 3);
  assert.equal(one.pool.size, kept);
  assert.equal(scene.endpoint(1).name, "e9");
  assert.equal(scene.upstream.settings.holdMs, 5);
});

test("other settings: an endpoint that comes back still counts what it serves", async () => {
  const scene = await lab({ endpoints: 1, maxInFlight: 1 });
  const busy = scene.ask();
  scene.run();
  const { settings } = scene.upstream;
  const [a] = settings.endpoints;
  assert.ok(a !== undefined);
  const other = {
    ...a,
    name: "other",
    key: { ...a.key, address: { ...scene.backend().address, port: 3999 } },
  };
  const [gone] = scene.upstream.reconfigure({ ...settings, endpoints: [other] });
  const waiter = scene.ask();
  scene.run();
  scene.upstream.reconfigure(settings);
  assert.equal(scene.endpoint(), gone);
  scene.advance(500);
  assert.equal(waiter.connection, null, "one at a time");
  busy.answered();
  scene.advance(500);
  assert.notEqual(waiter.connection, null);
});

test("other settings: a lower limit holds as soon as those above it have ended", async () => {
  const scene = await lab({ maxInFlight: 4 });
  const waiters = scene.asks(4);
  scene.advance(2000);
  assert.equal(scene.upstream.inFlight, 4);
  const { settings } = scene.upstream;
  scene.upstream.reconfigure({
    ...settings,
    endpoints: settings.endpoints.map((endpoint) => ({ ...endpoint, maxInFlight: 2 })),
  });
  const more = scene.asks(2);
  for (const [ended, inFlight] of [[0, 3], [1, 2], [2, 2], [3, 2]] as const) {
    waiters[ended]?.answered();
    scene.advance(200);
    assert.equal(scene.upstream.inFlight, inFlight);
  }
  for (const waiter of more) waiter.answered();
  scene.assertQuiet();
});

test("other settings: where slots are shared they go to the endpoint that takes the place of another", async () => {
  const slotSource = { want() {}, give() {} };
  const scene = await lab({ maxInFlight: 3, slotSource });
  const { settings } = scene.upstream;
  const [a] = settings.endpoints;
  assert.ok(a !== undefined);
  scene.upstream.reconfigure({
    ...settings,
    endpoints: [{ ...a, slots: 0, key: { ...a.key, credentials: "others" } }, {
      ...a,
      slots: 0,
      name: "new",
    }],
  });
  assert.deepEqual(scene.upstream.endpoints.map(({ slotLimit }) => slotLimit), [3, 0]);
});
