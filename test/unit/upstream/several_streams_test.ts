/** Connections that carry several streams: who gets one, what is counted, and what ends with what. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SharingPeer } from "../../support/sharing_peer.ts";
import { type LabOptions, type TestWaiter, UpstreamLab } from "../../support/upstream_lab.ts";

async function open(options: LabOptions = {}, streams = 20): Promise<UpstreamLab> {
  const lab = new UpstreamLab({ streams: () => streams, ...options });
  for (const backend of lab.backends) await backend.up();
  return lab;
}

function peer(lab: UpstreamLab, i = 0): SharingPeer {
  const opened = lab.shared.opened[i];
  assert.ok(opened !== undefined, `connection ${i} was opened`);
  return opened;
}

function streamsOf(lab: UpstreamLab): number[] {
  return lab.shared.opened.map(({ streams }) => streams.size);
}

/** A connection that rests, of an endpoint that is known to be well. */
function settle(lab: UpstreamLab): void {
  const first = lab.ask();
  lab.run();
  first.answered();
  assert.equal(lab.endpoint().pool.size, 1);
}

function servedOf(waiters: readonly TestWaiter[]): string[] {
  return waiters.filter(({ connection }) => connection !== null).map(({ name }) => name);
}

test("a connection that has just been opened goes to as many as it can carry, oldest first", async () => {
  const lab = await open();
  const waiters = lab.asks(25);
  lab.run();
  assert.deepEqual(lab.order.slice(0, 20), waiters.slice(0, 20).map(({ name }) => name));
  assert.equal(peer(lab).streams.size, 20);
  assert.equal(lab.endpoint().busy, 20);
  assert.equal(lab.endpoint().used, 1 + lab.endpoint().dialing, "one connection");
  assert.equal(lab.upstream.waiting, 5);
  for (const waiter of waiters.slice(0, 5)) waiter.answered();
  assert.deepEqual(servedOf(waiters), waiters.slice(5).map(({ name }) => name));
  assert.deepEqual(lab.order, waiters.map(({ name }) => name));
});

test("those that want a new connection share it, too", async () => {
  const lab = await open();
  const waiters = Array.from({ length: 3 }, () => lab.waiter());
  for (const waiter of waiters) {
    waiter.wantsFresh = true;
    waiter.ask();
  }
  lab.run();
  assert.deepEqual(streamsOf(lab), [3]);
});

test("no stream beyond the limit; the next connection is opened for those left over", async () => {
  const lab = await open({}, 4);
  settle(lab);
  const waiters = lab.asks(10);
  lab.advance(500);
  assert.deepEqual(servedOf(waiters).length, 10);
  assert.deepEqual(streamsOf(lab), [4, 4, 2]);
  assert.equal(lab.endpoint().busy, 10);
  assert.equal(lab.endpoint().used, 3);
});

test("one that is in use goes before one that rests", async () => {
  const lab = await open({}, 2);
  const waiters = lab.asks(4);
  lab.advance(500);
  assert.deepEqual(streamsOf(lab), [2, 2]);
  const [first, second, third] = waiters as [TestWaiter, TestWaiter, TestWaiter];
  first.answered();
  second.answered();
  third.answered();
  assert.deepEqual(streamsOf(lab), [0, 1]);
  lab.ask();
  assert.deepEqual(streamsOf(lab), [0, 2]);
  lab.ask();
  assert.deepEqual(streamsOf(lab), [1, 2]);
  assert.equal(lab.dials.length, 2);
});

test("a connection whose streams are all in use comes back when one is released", async () => {
  const lab = await open({}, 3);
  settle(lab);
  const waiters = lab.asks(3);
  assert.deepEqual(streamsOf(lab), [3]);
  assert.equal(lab.endpoint().can("idle"), false);
  waiters[1]?.answered();
  assert.equal(lab.endpoint().can("idle"), true);
  assert.ok(lab.ask().connection !== null);
  assert.equal(lab.dials.length, 1);
});

test("a stream that fails leaves the others; the connection serves on", async () => {
  const lab = await open();
  const waiters = lab.asks(3);
  lab.run();
  waiters[1]?.release(false);
  assert.equal(peer(lab).ended, false);
  assert.deepEqual(streamsOf(lab), [2]);
  assert.ok(lab.ask().connection === peer(lab));
  for (const waiter of waiters) if (waiter.connection !== null) waiter.release(false);
  assert.deepEqual(streamsOf(lab), [1]);
  assert.equal(peer(lab).ended, false);
});

test("the last stream that fails does not end the connection either", async () => {
  for (const streams of [1, 20]) {
    const lab = await open({}, streams);
    const only = lab.ask();
    lab.run();
    only.release(false);
    assert.equal(lab.endpoint().pool.size, 1, `one of ${streams}`);
    lab.assertQuiet();
  }
});

test("max_in_flight counts requests, not connections", async () => {
  const lab = await open({ maxInFlight: 3 });
  const waiters = lab.asks(5);
  lab.advance(500);
  assert.deepEqual(streamsOf(lab), [3]);
  assert.equal(lab.upstream.waiting, 2);
  waiters[0]?.answered();
  assert.deepEqual(servedOf(waiters), waiters.slice(1, 4).map(({ name }) => name));
  assert.equal(lab.endpoint().busy, 3);
  assert.equal(lab.dials.length, 1);
});

test("as many dials as there is need for, once it is known what a connection carries", async () => {
  const lab = await open({}, 10);
  settle(lab);
  lab.endpoint().ramp.limit = Infinity;
  lab.asks(10);
  assert.equal(lab.endpoint().dialing, 0);
  lab.asks(25);
  assert.equal(lab.endpoint().dialing, 3, "one for the first that waits, and two for the others");
  lab.run();
  assert.equal(lab.upstream.waiting, 0);
});

test("the connection ramp counts connections", async () => {
  const lab = await open({}, 8);
  lab.asks(8);
  lab.run();
  const endpoint = lab.endpoint();
  assert.equal(endpoint.busy, 8);
  assert.equal(endpoint.inUse, 1);
  const probe = lab.ask();
  lab.advance(200);
  assert.ok(probe.connection !== null, "eight requests are not eight connections");
  assert.equal(endpoint.inUse, 2);
});

test("withdrawn while streams are open: these go on, no other comes, the connection ends with the last", async () => {
  const lab = await open({ endpoints: 1 });
  const waiters = lab.asks(3);
  lab.run();
  lab.upstream.withdraw(lab.endpoint());
  assert.equal(peer(lab).ended, false);
  lab.ask();
  lab.advance(500);
  assert.deepEqual(streamsOf(lab), [3]);
  lab.upstream.restore(lab.endpoint());
  lab.advance(500);
  assert.deepEqual(streamsOf(lab), [3, 1], "a new connection, although the endpoint is back");
  for (const waiter of waiters) {
    assert.equal(peer(lab).ended, false);
    waiter.answered();
  }
  assert.equal(peer(lab).ended, true);
});

test("its name means another address: no further stream, and the end with the last one", async () => {
  const lab = await open();
  const [first] = lab.asks(1);
  lab.run();
  lab.endpoint().movedTo(["192.0.2.1"]);
  lab.ask();
  lab.advance(500);
  assert.deepEqual(streamsOf(lab), [1, 1]);
  first?.answered();
  assert.equal(peer(lab).ended, true);
});

test("stopped: streams under way are finished, then the connections end", async () => {
  const lab = await open();
  const waiters = lab.asks(2);
  lab.run();
  lab.upstream.stop();
  waiters[0]?.answered();
  assert.equal(peer(lab).ended, false);
  waiters[1]?.answered();
  assert.equal(peer(lab).ended, true);
  lab.advance(10_000);
  assert.equal(lab.network.openSockets, 0);
});

test("a connection that is lost takes its streams along, and nobody is sent there", async () => {
  const lab = await open({}, 4);
  const waiters = lab.asks(2);
  lab.run();
  lab.backend().resetAll();
  lab.run();
  assert.equal(peer(lab).ended, true);
  const late = lab.ask();
  lab.advance(500);
  assert.ok(late.connection === peer(lab, 1));
  for (const waiter of waiters) waiter.release(false);
  late.answered();
  lab.assertQuiet();
  assert.equal(lab.endpoint().used, 1);
});

test("a limit that falls to nothing ends the connection with its last stream", async () => {
  const lab = await open({}, 4);
  const waiters = lab.asks(2);
  lab.run();
  peer(lab).limit = 0;
  const late = lab.ask();
  lab.advance(500);
  assert.ok(late.connection === peer(lab, 1));
  for (const waiter of waiters) waiter.answered();
  assert.equal(peer(lab).ended, true);
  assert.equal(lab.endpoint().used, 1);
});

test("one that belongs to a client is given to no other", async () => {
  const lab = await open();
  const [own, other] = lab.asks(2) as [TestWaiter, TestWaiter];
  lab.run();
  peer(lab).pinnedTo = { pinLost() {}, isResting: () => false };
  const late = lab.ask();
  lab.advance(500);
  assert.ok(late.connection === peer(lab, 1));
  other.answered();
  assert.ok(lab.ask().connection === peer(lab, 1));
  own.release(false);
  assert.equal(lab.endpoint().pool.size, 0);
});
