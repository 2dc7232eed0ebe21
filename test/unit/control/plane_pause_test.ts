/** Pauses, leases and waits of a whole Sluice in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

test("pause: new requests are held, those in flight go on, and it answers when they have ended", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const backend = await lab.backend(3000);
  backend.keeps = true;
  const inFlight = lab.ask("/in-flight");
  await lab.pass(10);
  assert.deepEqual(backend.asked, ["/in-flight"]);
  lab.watch();
  let answered = false;
  const paused = lab.plane.pause(null, 10_000, null).finally(() => (answered = true));
  await lab.pass(500);
  const held = lab.asks(3);
  await lab.pass(500);
  assert.equal(answered, false, "one is in flight");
  assert.equal(backend.asked.length, 1, "nothing new has come");
  backend.answer();
  const outcome = await lab.done(paused, 200);
  assert.ok(outcome.ok);
  assert.deepEqual([outcome.in_flight, outcome.waiting], [0, 3]);
  assert.equal(answerOf(inFlight), "200 3000/in-flight");

  const status = await lab.done(lab.plane.status());
  assert.equal(status.upstreams[0]?.state, "paused");
  assert.equal(status.upstreams[0]?.paused?.lease_until, null);
  assert.equal(status.upstreams[0]?.waiting, 3);

  backend.keeps = false;
  assert.ok((await lab.done(lab.plane.resume(null))).ok);
  await lab.pass(500);
  assert.deepEqual(backend.asked, ["/in-flight", "/1", "/2", "/3"], "oldest first");
  assert.deepEqual(held.map(answerOf), ["200 3000/1", "200 3000/2", "200 3000/3"]);
  assert.deepEqual(lab.names(), ["paused", "held", "resumed", "released"]);
  await lab.stop();
});

test("pause: time up while requests are in flight is a timeout, and it stays paused", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const backend = await lab.backend(3000);
  backend.keeps = true;
  lab.ask();
  await lab.pass(10);
  const outcome = await lab.done(lab.plane.pause("default", 1000, null), 1500);
  assert.ok(!outcome.ok && outcome.code === "timeout", JSON.stringify(outcome));
  assert.match(outcome.message, /^1 requests were still in flight after 1000 ms/);
  lab.ask("/held");
  await lab.pass(100);
  assert.equal(backend.asked.length, 1);
  await lab.stop();
});

test("pause: a lease that ends resumes by itself, and one that is renewed does not", async () => {
  const lab = await PlaneLab.start("to: 3000\nhold: 0s");
  const backend = await lab.backend(3000);
  lab.watch();
  const outcome = await lab.done(lab.plane.pause(null, 0, 1000));
  assert.ok(outcome.ok);
  const client = lab.ask("/held");
  await lab.pass(900);
  assert.ok((await lab.done(lab.plane.renew(outcome.token, 1000))).ok);
  await lab.pass(900);
  assert.equal(answerOf(client), "", "held although hold is 0");
  await lab.pass(200);
  assert.equal(answerOf(client), "200 3000/held");
  assert.deepEqual(
    lab.events.filter(({ event }) => event === "resumed").map((event) =>
      event.event === "resumed" ? event.because : ""
    ),
    ["lease_ended"],
  );
  const late = await lab.done(lab.plane.renew(outcome.token, 1000));
  assert.ok(!late.ok && late.code === "unknown_name");
  assert.equal(backend.asked.length, 1);
  await lab.stop();
});

test("pause: a token resumes its own pause and no other one", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  const first = await lab.done(lab.plane.pause(null, 0, 500));
  const second = await lab.done(lab.plane.pause("default", 0, null));
  assert.ok(first.ok && second.ok);
  assert.ok((await lab.done(lab.plane.resume(null, first.token))).ok);
  await lab.pass(1000);
  const client = lab.ask();
  await lab.pass(100);
  assert.equal(answerOf(client), "", "the other pause, which has no lease, stands");
  assert.ok((await lab.done(lab.plane.resume(null, second.token))).ok);
  await lab.pass(100);
  assert.equal(answerOf(client), "200 3000/");
  await lab.stop();
});

test("pause: a request that waited longer than hold is still sent again when its connection fails", async () => {
  const lab = await PlaneLab.start("to: 3000\nhold: 1s");
  const backend = await lab.backend(3000);
  await lab.done(lab.plane.pause(null, 0, null));
  const client = lab.ask("/patient");
  await lab.pass(5000);
  backend.script = (peer) => {
    backend.script = null;
    peer.socket.abort();
  };
  await lab.done(lab.plane.resume(null));
  await lab.pass(500);
  assert.equal(answerOf(client), "200 3000/patient");
  assert.deepEqual(backend.asked, ["/patient", "/patient"]);
  await lab.stop();
});

test("pause: whoever asked and has gone leaves nothing paused", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const backend = await lab.backend(3000);
  backend.keeps = true;
  lab.ask();
  await lab.pass(10);
  const gone = new AbortController();
  const paused = lab.plane.pause(null, 60_000, null, gone.signal);
  await lab.pass(100);
  gone.abort();
  await lab.done(paused, 100);
  lab.ask("/second");
  await lab.pass(100);
  assert.equal((await lab.done(lab.plane.status())).upstreams[0]?.paused, null);
  await lab.stop();
});

test("pause: a client that leaves frees its place", async () => {
  const lab = await PlaneLab.start("to: 3000\nqueue: {size: 1}");
  const backend = await lab.backend(3000);
  await lab.done(lab.plane.pause(null, 0, null));
  const [first, second] = [lab.ask("/first"), lab.ask("/second")];
  await lab.pass(10);
  assert.match(second.received, /queue_full/);
  first.socket.finish();
  await lab.pass(10);
  const third = lab.ask("/third");
  await lab.done(lab.plane.resume(null));
  await lab.pass(100);
  assert.equal(answerOf(third), "200 3000/third");
  assert.deepEqual(backend.asked, ["/third"]);
  await lab.stop();
});

test("wait: for an endpoint that can be reached, paused or not, and for quiet", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const refused = await lab.done(lab.plane.wait(null, "healthy", 1000));
  assert.ok(!refused.ok && refused.code === "timeout");
  await lab.done(lab.plane.pause(null, 0, null));
  let healthy = false;
  const waiting = lab.plane.wait("default", "healthy", 60_000).then(({ ok }) => (healthy = ok));
  await lab.pass(1000);
  assert.equal(healthy, false);
  const backend = await lab.backend(3000);
  await lab.done(waiting, 500);
  assert.equal(healthy, true);
  const client = lab.ask();
  const busy = await lab.done(lab.plane.wait(null, "idle", 500));
  assert.ok(!busy.ok && /1 wait/.test(busy.message), JSON.stringify(busy));
  await lab.done(lab.plane.resume(null));
  assert.ok((await lab.done(lab.plane.wait(null, "idle", 5000))).ok);
  assert.equal(answerOf(client), "200 3000/");
  assert.equal(backend.asked.length, 1);
  await lab.stop();
});

test("names that there are not are refused, with those that there are", async () => {
  const lab = await PlaneLab.start(
    "upstreams: {app: {endpoints: [3000, 3001]}, api: {endpoints: [3000]}}\nroutes: [{to: app}, {match: {path: /a}, to: api}]",
  );
  const { plane } = lab;
  for (const outcome of [await plane.pause("web", 0, null), await plane.wait("web", "idle", 1)]) {
    assert.ok(!outcome.ok && outcome.code === "unknown_name");
    assert.equal(outcome.message, "There is no upstream web; there are: app, api.");
  }
  const unknown = await plane.drain("3002", null, 0, false);
  assert.ok(!unknown.ok && unknown.code === "unknown_name", JSON.stringify(unknown));
  const ambiguous = await plane.drain("3000", null, 0, false);
  assert.ok(!ambiguous.ok && ambiguous.code === "ambiguous_name");
  assert.ok((await lab.done(plane.drain("3000", "api", 0, false))).ok);
  const which = await plane.swap(null, ["3005"], null, 1, 0);
  assert.ok(!which.ok && which.code === "ambiguous_name");
  await lab.stop();
});
