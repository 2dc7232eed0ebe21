/** Reloads of a whole Sluice in memory: what changes, what stays, and that nothing grows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const TWO = `
listen: "127.0.0.1:4000"
upstreams:
  app: {endpoints: [127.0.0.1:3000]}
  api: {endpoints: [127.0.0.1:3001], hold: 1m}
routes:
  - to: app
  - {match: {path: /api}, to: api}
`;

test("reload: a file with problems changes nothing and says what and where", async () => {
  const lab = await PlaneLab.start(TWO);
  await lab.backend(3000);
  lab.watch();
  lab.yaml = TWO.replace("hold: 1m", "hold: soon").replace("to: app\n", "to: application\n");
  const outcome = await lab.done(lab.plane.reload());
  assert.ok(!outcome.ok && outcome.code === "invalid");
  assert.equal(outcome.problems?.length, 2);
  assert.match(outcome.problems?.[0] ?? "", /^\/sluice\.yaml:5:.*upstreams\.api\.hold/);
  assert.deepEqual(lab.names(), ["reload_failed"]);
  const client = lab.ask();
  await lab.pass(200);
  assert.equal(answerOf(client), "200 3000/");
  assert.equal((await lab.done(lab.plane.status())).generation, 1);
  await lab.stop();
});

test("reload: what is the same keeps its connections, its waiting requests and its pauses", async () => {
  const lab = await PlaneLab.start(TWO);
  const app = await lab.backend(3000);
  for (let i = 0; i < 3; i++) {
    lab.ask();
    await lab.pass(20);
  }
  const before = app.peers.length;
  app.keeps = true;
  const inFlight = lab.ask("/in-flight");
  const waiting = lab.ask("/api/waits");
  await lab.done(lab.plane.pause("api", 0, null));
  await lab.pass(100);
  lab.yaml = TWO.replace("hold: 1m", "hold: 2m, max_in_flight: 3") +
    "  - {match: {path: /new}, respond: hello}\n";
  const outcome = await lab.done(lab.plane.reload());
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.changes, [
    "upstream api: hold: 1m -> 2m",
    "upstream api: max_in_flight: 0 -> 3",
    "route /new: +",
  ]);
  assert.equal(outcome.generation, 2);
  assert.deepEqual(outcome.ignored, []);
  const fresh = lab.ask("/new");
  await lab.pass(100);
  assert.equal(answerOf(fresh), "200 hello");
  app.answer();
  app.keeps = false;
  const again = lab.ask("/again");
  await lab.pass(100);
  assert.deepEqual([answerOf(inFlight), answerOf(again)], ["200 3000/in-flight", "200 3000/again"]);
  assert.equal(app.peers.length, before, "no new connection to the endpoint");
  const status = await lab.done(lab.plane.status());
  assert.equal(status.upstreams[0]?.totals.requests, 5);
  assert.equal(status.upstreams[1]?.state, "paused");
  assert.equal(status.upstreams[1]?.waiting, 1);
  await lab.backend(3001);
  await lab.done(lab.plane.resume(null));
  await lab.pass(100);
  assert.equal(answerOf(waiting), "200 3001/api/waits");
  const nothing = await lab.done(lab.plane.reload());
  assert.ok(nothing.ok);
  assert.deepEqual([nothing.generation, nothing.changes], [2, []]);
  await lab.stop();
});

test("reload: listeners come and go, and an upstream that is gone serves what it has", async () => {
  const lab = await PlaneLab.start(TWO);
  await lab.backend(3000);
  const api = await lab.backend(3001);
  api.keeps = true;
  const client = lab.ask("/api/slow");
  await lab.pass(50);
  lab.yaml = 'listen: ["127.0.0.1:4000", "127.0.0.1:4001"]\nto: 127.0.0.1:3000\nworkers: 2\nvia: edge\n';
  const outcome = await lab.done(lab.plane.reload());
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.changes, [
    "listen: + 127.0.0.1:4001",
    "via: sluice -> edge",
    "upstream default: + 127.0.0.1:3000",
    "upstream app: -",
    "upstream api: -",
    "route /: changed",
    "route /api: -",
  ]);
  assert.deepEqual(outcome.ignored, ["workers: 1 -> 2 needs a restart"]);
  const second = lab.dial(4001);
  second.say("GET /x HTTP/1.1\r\nHost: lab\r\n\r\n");
  await lab.pass(100);
  assert.equal(answerOf(second), "200 3000/x");
  assert.deepEqual((await lab.done(lab.plane.status())).listeners, ["127.0.0.1:4000", "127.0.0.1:4001"]);
  api.answer();
  await lab.pass(500);
  assert.equal(answerOf(client), "200 3001/api/slow");
  assert.equal(api.open, 0, "and then nothing is left of it");
  lab.yaml = 'listen: "127.0.0.1:4001"\nto: 127.0.0.1:3000\n';
  assert.ok((await lab.done(lab.plane.reload())).ok);
  assert.equal(lab.dial(4000).end, "connection_refused");
  const kept = lab.dial(4001);
  kept.say("GET /y HTTP/1.1\r\nHost: lab\r\n\r\n");
  await lab.pass(50);
  assert.equal(answerOf(kept), "200 3000/y");
  await lab.stop();
});

test("reload: a listener that cannot be bound changes nothing, those bound before it included", async () => {
  const lab = await PlaneLab.start(TWO);
  await lab.backend(4002);
  lab.yaml = TWO.replace('"127.0.0.1:4000"', '["127.0.0.1:4000", "127.0.0.1:4001", "127.0.0.1:4002"]') +
    "via: edge\n";
  const outcome = await lab.done(lab.plane.reload());
  assert.ok(!outcome.ok && outcome.code === "failed", JSON.stringify(outcome));
  assert.match(outcome.problems?.[0] ?? "", /cannot listen on 127\.0\.0\.1:4002: address_in_use/);
  assert.equal(lab.dial(4001).end, "connection_refused");
  assert.equal((await lab.done(lab.plane.status())).generation, 1);
  await lab.stop();
});

test("reload: 200 of them leave nothing behind", async () => {
  const lab = await PlaneLab.start(TWO);
  await lab.backend(3000);
  await lab.backend(3001);
  const { network } = lab.runtime;
  const variants = [
    TWO.replace("hold: 1m", "hold: 2m"),
    TWO.replace("127.0.0.1:3001", "127.0.0.1:3000"),
    'listen: ["127.0.0.1:4000", "127.0.0.1:4001"]\nto: 127.0.0.1:3001\n',
    TWO,
  ];
  const count = () => ({
    sockets: network.openSockets,
    listeners: network.openListeners,
    timers: lab.clock.pendingTimers,
  });
  const counts: ReturnType<typeof count>[] = [];
  for (let i = 0; i < 200; i++) {
    lab.yaml = variants[i % variants.length] as string;
    const reloaded = lab.plane.reload();
    const clients = [lab.ask("/x"), lab.ask("/api/x")];
    assert.ok((await lab.done(reloaded)).ok);
    await lab.pass(20);
    for (const client of clients) {
      assert.match(answerOf(client), /^200 /);
      client.socket.close();
    }
    if (i % 4 === 3) {
      await lab.pass(31_000);
      counts.push(count());
    }
  }
  assert.deepEqual(counts.at(-1), counts[1]);
  assert.equal((await lab.done(lab.plane.status())).generation, 201);
  await lab.stop();
});

test("SIGHUP and --watch read the file anew", async () => {
  const lab = await PlaneLab.start(TWO + "watch: true\n");
  lab.yaml = TWO + "watch: true\nvia: edge\n";
  lab.system.signal("SIGHUP");
  await lab.until("a reload", () => lab.system.stderr.includes("via: sluice -> edge"), 100);
  await lab.pass(2500);
  lab.yaml = TWO + "watch: true\nvia: again\n";
  await lab.until("a reload", () => lab.system.stderr.includes("via: edge -> again"), 3000);
  lab.yaml = TWO + "watch: perhaps\n";
  await lab.until("a failed reload", () => /reload_failed: .*watch/.test(lab.system.stderr), 3000);
  await lab.pass(10_000);
  assert.equal(lab.system.stderr.match(/reload_failed/g)?.length, 1, "told once");
  await lab.stop();
});

test("reload: is answered when nothing is accepted any more at an address that is not listened on", async () => {
  const lab = await PlaneLab.start('listen: ["127.0.0.1:4000", "127.0.0.1:4001"]\nto: 3000\n');
  const closed = Promise.withResolvers<void>();
  lab.runtime.network.closing = closed.promise;
  lab.yaml = 'listen: ["127.0.0.1:4000"]\nto: 3000\n';
  let answered = false;
  const answer = lab.plane.reload().finally(() => (answered = true));
  await lab.pass(1000);
  assert.equal(answered, false);
  closed.resolve();
  assert.ok((await lab.done(answer)).ok);
  await lab.stop();
});

test("reload: one that comes while another change is under way is done next, once for all who asked", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  lab.watch();
  lab.yaml = "to: 3000\nhold: 1s";
  const first = lab.plane.reload();
  lab.yaml = "to: 3000\nhold: 2s";
  const others = [lab.plane.reload(), lab.plane.reload()];
  // A signal is one of them.
  lab.system.signal("SIGHUP");
  const swap = await lab.plane.swap(null, ["3001"], null, 1000, 0);
  assert.ok(!swap.ok && swap.code === "busy");
  assert.ok((await lab.done(first)).ok);
  const [second, third] = await lab.done(Promise.all(others));
  assert.ok(second?.ok && third?.ok);
  assert.deepEqual(second, third);
  const line = /hold: .* -> 2s$/;
  assert.ok(second.changes.some((change) => line.test(change)) || second.changes.length === 0);
  const hold = lab.plane.loaded?.config.upstreams[0]?.holdMs;
  assert.equal(hold, 2000);
  assert.ok(lab.names().filter((name) => name === "reloaded").length <= 2);
  await lab.stop();
});

test("reload: one that comes during a swap sees what the swap has done, and its own problems", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  const swap = lab.plane.swap(null, ["3001"], null, 10_000, 0);
  await lab.pass(50);
  lab.yaml = "to: 3000\nhold: soon";
  const reload = lab.plane.reload();
  let settled = false;
  void reload.then(() => (settled = true));
  await lab.pass(500);
  assert.equal(settled, false, "the new endpoint is not ready yet");
  await lab.backend(3001);
  assert.ok((await lab.done(swap)).ok);
  const refused = await lab.done(reload);
  assert.ok(!refused.ok && refused.code === "invalid", JSON.stringify(refused));
  lab.yaml = "to: 3000\nhold: 3s";
  const done = await lab.done(lab.plane.reload());
  assert.ok(done.ok);
  assert.deepEqual(done.changes, ["upstream default: hold: 30s -> 3s"]);
  assert.equal((await lab.done(lab.plane.status())).upstreams[0]?.endpoints[0]?.name, "127.0.0.1:3001");
  await lab.stop();
});
