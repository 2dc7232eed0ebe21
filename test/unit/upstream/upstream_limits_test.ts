/** Slots, several endpoints, deadlines, refusals and the retry budget of an upstream. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamLab } from "../../support/upstream_lab.ts";

test("max_in_flight: a dial under way takes a slot, idle connections make room for a fresh one", async () => {
  for (const maxInFlight of [1, 3]) {
    const lab = new UpstreamLab({ maxInFlight });
    await lab.backend().up();
    const waiters = lab.asks(10);
    for (let ms = 0; ms < 200; ms++) {
      lab.advance(1);
      const { busy, dialing } = lab.endpoint();
      assert.ok(busy + dialing <= maxInFlight, `${busy} + ${dialing} of ${maxInFlight}`);
    }
    for (const waiter of waiters) {
      assert.ok(lab.upstream.inFlight <= maxInFlight);
      waiter.answered();
      lab.run();
    }
    assert.ok(lab.backend().mostOpen <= maxInFlight);
    assert.equal(lab.endpoint().pool.size, maxInFlight);
    const fresh = lab.waiter();
    fresh.wantsFresh = true;
    fresh.ask();
    lab.run();
    assert.ok(fresh.connection !== null);
    assert.equal(fresh.connection.uses, 0);
    assert.equal(lab.backend().open, maxInFlight, "one idle connection was closed for it");
    fresh.answered();
    lab.assertQuiet();
  }
});

test("max_in_flight: whoever needs a fresh connection is not overtaken by all who come later", async () => {
  const lab = new UpstreamLab({ maxInFlight: 1 });
  await lab.backend().up();
  let serving = lab.ask();
  lab.run();
  const fresh = lab.waiter("fresh");
  fresh.wantsFresh = true;
  fresh.ask();
  let next = lab.ask();
  for (let turns = 0; turns < 5 && fresh.connection === null; turns++) {
    serving.answered();
    lab.run();
    if (next.connection !== null) {
      serving = next;
      next = lab.ask();
    }
  }
  assert.ok(fresh.connection !== null, "the next slot is for the oldest");
  assert.equal(fresh.connection.uses, 0);
  assert.equal(next.connection, null);
});

test("max_in_flight: a dial loop does not add to a request that is still served", async () => {
  const lab = new UpstreamLab({ maxInFlight: 1 });
  await lab.backend().up();
  const first = lab.ask();
  lab.run();
  first.answered();
  lab.backend().down();
  // The next dial fails and sets a timer; the idle connection is used before it fires.
  const fresh = lab.waiter();
  fresh.wantsFresh = true;
  lab.endpoint().state = "up";
  fresh.ask();
  const idle = lab.ask();
  lab.run();
  await lab.backend().up();
  for (let ms = 0; ms < 50; ms++) {
    lab.advance(1);
    const { busy, dialing } = lab.endpoint();
    assert.ok(busy + dialing <= 1, `${busy} busy and ${dialing} dialling`);
  }
  assert.ok(idle.connection === null || fresh.connection === null);
});

test("an endpoint that is down does not stop the others", async () => {
  const lab = new UpstreamLab({ endpoints: 2 });
  await lab.backend(1).up();
  lab.network.blackhole(lab.backend(0).address);
  // Marked down once; from then on its dial takes five seconds to fail each time.
  lab.asks(2);
  lab.advance(6000);
  assert.equal(lab.endpoint(0).state, "down");
  const waiters = lab.asks(6);
  lab.advance(100);
  assert.deepEqual(waiters.map(({ endpoint }) => endpoint?.name), new Array(6).fill("e1"));
});

test("an endpoint that returns is noticed although the others serve everything", async () => {
  for (const poolSize of [0, 16]) {
    const lab = new UpstreamLab({ endpoints: 2, poolSize });
    await lab.backend(1).up();
    for (let i = 0; i < 4; i++) {
      const waiter = lab.ask();
      lab.advance(10);
      assert.equal(waiter.endpoint?.name, "e1");
      waiter.answered();
    }
    assert.deepEqual(lab.events, ["down e0 connection_refused"]);
    await lab.backend(0).up();
    const names = new Set<string | undefined>();
    for (let i = 0; i < 10; i++) {
      const waiter = lab.ask();
      lab.advance(300);
      names.add(waiter.endpoint?.name);
      waiter.answered();
    }
    assert.ok(names.has("e0"), `pool of ${poolSize}: ${[...names]}`);
    assert.equal(lab.endpoint(0).state, "up");
    assert.match(lab.events[1] ?? "", /^up e0/);
    lab.assertQuiet();
  }
});

test("hold: each request has its own deadline, counted from its arrival", () => {
  const lab = new UpstreamLab({ holdMs: 2000 });
  const waiters = [];
  for (let i = 0; i < 5; i++) {
    waiters.push(lab.ask());
    lab.advance(300);
  }
  lab.advance(4000);
  for (const waiter of waiters) {
    assert.equal(waiter.failure, "hold_timeout");
    assert.equal(waiter.detail, "e0: connection_refused");
    const waited = waiter.settledAt - waiter.arrivedAt;
    assert.ok(waited >= 2000 && waited <= 2060, `${waited} ms`);
  }
  lab.assertQuiet();
});

test("hold: a request that comes back has time of its own, and delays nobody behind it", () => {
  const lab = new UpstreamLab({ holdMs: 2000 });
  const old = lab.waiter();
  lab.advance(1500);
  const behind = lab.ask();
  lab.advance(100);
  old.isRetry = true;
  old.admitted = true;
  old.ask();
  lab.advance(5000);
  assert.deepEqual([behind.failure, old.failure], ["hold_timeout", "hold_timeout"]);
  for (const [waiter, from] of [[behind, 1500], [old, 1600]] as const) {
    const waited = waiter.settledAt - old.arrivedAt - from;
    assert.ok(waited >= 2000 && waited <= 2060, `${waiter.name}: ${waited} ms`);
  }
});

test("queue: the wait for a slot has a deadline of its own", async () => {
  const lab = new UpstreamLab({ maxInFlight: 1, queueTimeoutMs: 500 });
  await lab.backend().up();
  const first = lab.ask();
  lab.run();
  const second = lab.ask();
  lab.advance(1000);
  assert.equal(second.failure, "queue_timeout");
  assert.equal(second.detail, "1 requests in flight, 0 waiting");
  const waited = second.settledAt - second.arrivedAt;
  assert.ok(waited >= 500 && waited <= 560, `${waited} ms`);
  first.answered();
  lab.assertQuiet();
});

test("queue: the time for which a request was held does not count", async () => {
  const lab = new UpstreamLab({ maxInFlight: 1, queueTimeoutMs: 500 });
  const waiters = lab.asks(3);
  lab.advance(5000);
  await lab.backend().up();
  lab.advance(400);
  assert.ok(waiters[0]?.connection !== null);
  assert.equal(waiters[1]?.failure, "");
  waiters[0]?.answered();
  lab.run();
  assert.ok(waiters[1]?.connection !== null);
  lab.advance(1000);
  assert.equal(waiters[2]?.failure, "queue_timeout");
});

test("queue: a timeout of 0 waits for no slot, but for connections", async () => {
  const lab = new UpstreamLab({ maxInFlight: 2, queueTimeoutMs: 0 });
  await lab.backend().up();
  const waiters = lab.asks(3);
  lab.advance(200);
  assert.ok(waiters[0]?.connection !== null && waiters[1]?.connection !== null);
  assert.equal(waiters[2]?.failure, "queue_timeout");
});

test("queue_full: counts those who wait for slots or endpoints, never one that was let in before", async () => {
  const lab = new UpstreamLab({ maxInFlight: 1, queueSize: 2 });
  await lab.backend().up();
  const waiters = lab.asks(5);
  // The first one only waits for its connection.
  assert.deepEqual(waiters.map(({ failure }) => failure), ["", "", "", "queue_full", "queue_full"]);
  lab.run();
  assert.equal(lab.ask().failure, "queue_full");
  const back = lab.waiter();
  back.admitted = true;
  assert.equal(back.ask().failure, "");
});

test("queue_full: a burst to an endpoint without a limit only waits for its connections", async () => {
  const lab = new UpstreamLab({ queueSize: 0 });
  await lab.backend().up();
  const waiters = lab.asks(200);
  lab.advance(400);
  assert.equal(waiters.filter(({ connection }) => connection !== null).length, 200);
  const held = new UpstreamLab({ queueSize: 0 });
  held.ask();
  held.run();
  assert.equal(held.ask().failure, "queue_full", "while it is down nobody may wait");
});

test("hold 0: an unreachable endpoint fails all who wait at once, with one dial", () => {
  const lab = new UpstreamLab({ holdMs: 0 });
  const waiters = lab.asks(20);
  lab.run();
  for (const waiter of waiters) assert.equal(waiter.failure, "connection_refused");
  assert.equal(lab.dials.length, 1);
  for (let i = 0; i < 5; i++) {
    const waiter = lab.ask();
    lab.run();
    assert.equal(waiter.failure, "connection_refused");
  }
  assert.equal(lab.dials.length, 6);
  lab.advance(60_000);
  assert.equal(lab.dials.length, 6, "nobody waits, nobody dials");
  lab.assertQuiet();
});

test("hold 0: one endpoint that refuses is not dialled in a tight loop while another does not answer", () => {
  const lab = new UpstreamLab({ holdMs: 0, endpoints: 2 });
  lab.network.blackhole(lab.backend(1).address);
  const waiters = lab.asks(4);
  lab.advance(4000);
  assert.ok(lab.dials.length < 200, `${lab.dials.length} dials`);
  lab.advance(8000);
  for (const waiter of waiters) assert.match(waiter.failure, /^connection_(refused|timeout)$/);
  lab.assertQuiet();
});

test("hold 0: it is noticed at once that the endpoint is back", async () => {
  const lab = new UpstreamLab({ holdMs: 0 });
  lab.ask();
  lab.run();
  await lab.backend().up();
  const waiter = lab.ask();
  lab.run();
  assert.ok(waiter.connection !== null);
});

test("a TLS failure is told at once, unless another endpoint may help", async () => {
  const lab = new UpstreamLab({ tls: true });
  await lab.backend().up(); // does not speak TLS
  const waiter = lab.ask();
  lab.network.fail(lab.backend().address, "tls_certificate_error");
  lab.run();
  assert.equal(waiter.failure, "tls_certificate_error");
  lab.assertQuiet();

  const two = new UpstreamLab({ tls: true, endpoints: 2 });
  two.network.fail(two.backend(0).address, "tls_certificate_error");
  const held = two.asks(2);
  two.advance(2000);
  assert.deepEqual(held.map(({ failure }) => failure), ["", ""], "the other one is only down");
});

test("stop: waiters fail, idle connections close, later requests are refused, open dials are dropped", async () => {
  const lab = new UpstreamLab({ endpoints: 2 });
  await lab.backend().up();
  const served = lab.ask();
  lab.advance(20);
  const another = lab.ask();
  lab.advance(20);
  served.answered();
  lab.network.blackhole(lab.backend().address);
  const waiting = lab.waiter();
  waiting.wantsFresh = true;
  waiting.ask();
  lab.upstream.stop();
  lab.turn.end();
  assert.equal(waiting.failure, "shutting_down");
  assert.equal(lab.ask().failure, "shutting_down");
  another.answered();
  lab.network.heal(lab.backend().address);
  lab.advance(20_000);
  assert.equal(lab.backend().open, 0);
  lab.assertQuiet();
  assert.equal(lab.network.openSockets, 0);
});

test("the retry budget paces: three retries in flight at a time, none fails, new requests pass", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  const retried = Array.from({ length: 10 }, () => {
    const waiter = lab.waiter();
    waiter.isRetry = true;
    waiter.admitted = true;
    return waiter.ask();
  });
  lab.advance(300);
  const served = (): number => retried.filter(({ connection }) => connection !== null).length;
  assert.equal(served(), 3);
  const fresh = lab.ask();
  lab.advance(300);
  assert.ok(fresh.connection !== null, "a new request does not wait for retries");
  fresh.answered();
  for (const waiter of retried) {
    lab.advance(10);
    assert.ok(waiter.connection !== null, `${waiter.name} has its turn`);
    waiter.answered();
  }
  lab.assertQuiet();
});

test("the failure of one request does not mark an endpoint down that answers others", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  const victim = lab.ask();
  lab.run();
  const other = lab.ask();
  lab.advance(200);
  other.answered(false);
  victim.resetAndRetry();
  assert.equal(lab.endpoint().state, "up");
  lab.run();
  victim.resetAndRetry();
  assert.equal(lab.endpoint().state, "down");
});

test("a pooled connection that dies makes the others of its endpoint suspect", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  const waiters = lab.asks(8);
  lab.advance(400);
  for (const waiter of waiters) waiter.answered();
  assert.equal(lab.endpoint().pool.size, 8);
  const victim = lab.ask();
  victim.resetAndRetry();
  assert.equal(lab.endpoint().pool.size, 0);
  lab.run();
  assert.equal(victim.connection?.uses, 0, "repeated on a connection nobody used before");
  assert.equal(lab.endpoint().state, "up");
});
