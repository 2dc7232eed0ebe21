/** That an endpoint is down, heard from another process: a hint that costs no request. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamLab } from "../../support/upstream_lab.ts";

const REFUSED = { code: "connection_refused", detail: "heard" } as const;

test("reported by a peer: the endpoint is asked by one dial, and nobody waits longer if it was wrong", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  lab.upstream.reportedByPeer(lab.endpoint(), REFUSED);
  assert.equal(lab.endpoint().state, "down");
  const waiters = lab.asks(5);
  assert.equal(lab.dials.length, 1);
  assert.equal(lab.dials[0]?.at, lab.now, "at once");
  lab.run();
  assert.ok(waiters[0]?.connection != null);
  for (const waiter of waiters) {
    waiter.answered();
    lab.run();
  }
  assert.ok(waiters.every(({ failure }) => failure === ""));
  assert.equal(lab.endpoint().state, "up");
  assert.deepEqual(lab.events, [], "who found out has logged it");
  lab.assertQuiet();
});

test("reported by a peer: without holding, too, the dial decides and not the word of another", async () => {
  const lab = new UpstreamLab({ holdMs: 0 });
  await lab.backend().up();
  lab.upstream.reportedByPeer(lab.endpoint(), REFUSED);
  const waiter = lab.ask();
  lab.run();
  assert.equal(waiter.failure, "");
  waiter.answered();
  lab.assertQuiet();
});

test("reported by a peer: an endpoint with which we have a connection is well, whatever others say", async () => {
  const lab = new UpstreamLab();
  await lab.backend().up();
  const waiter = lab.ask();
  lab.upstream.reportedByPeer(lab.endpoint(), REFUSED);
  assert.equal(lab.endpoint().state, "up", "a dial is under way");
  lab.run();
  lab.upstream.reportedByPeer(lab.endpoint(), REFUSED);
  assert.equal(lab.endpoint().state, "up", "a request is under way");
  waiter.answered();
  lab.upstream.reportedByPeer(lab.endpoint(), REFUSED);
  assert.equal(lab.endpoint().state, "up", "an idle connection is there");
  lab.assertQuiet();
});

test("reported by a peer: another endpoint serves meanwhile", async () => {
  const lab = new UpstreamLab({ endpoints: 2 });
  await lab.backend(1).up();
  lab.upstream.reportedByPeer(lab.endpoint(0), REFUSED);
  const waiters = lab.asks(4);
  for (let ms = 0; ms < 100; ms += 5) {
    lab.advance(5);
    for (const waiter of waiters) if (waiter.connection !== null) waiter.answered();
  }
  assert.ok(waiters.every((waiter) => waiter.endpoint === lab.endpoint(1)));
  assert.deepEqual(lab.events, []);
});
