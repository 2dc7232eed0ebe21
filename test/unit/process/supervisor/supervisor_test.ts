/** The supervisor against workers that do what a test says, on a clock that a test moves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { retryLeast, shareConfig, shareOf } from "../../../../src/process/worker/limits.ts";
import { PROTOCOL } from "../../../../src/process/worker/messages.ts";
import { emptyReport, totalsOf } from "../../../../src/process/worker/report.ts";
import { restartPause } from "../../../../src/process/supervisor/restart_pause.ts";
import { ADDRESS, configOf, SupervisorScene } from "../../../support/supervisor_scene.ts";
import { turn } from "../../../support/watchdog.ts";

test("supervisor: the first worker finds out where to listen, the others follow", async () => {
  const scene = new SupervisorScene(3);
  const started = scene.supervisor.start();
  assert.equal(scene.workers.length, 3);
  for (const worker of scene.workers) worker.hello();
  assert.equal(scene.worker(0).start?.listen, null);
  assert.equal(scene.worker(1).start, undefined, "waits for the first");
  scene.worker(0).listens();
  assert.deepEqual(scene.worker(2).start?.listen, [ADDRESS]);
  assert.deepEqual(scene.worker(2).start?.place, { index: 2, count: 3, serial: 2 });
  scene.worker(2).listens();
  let ready = false;
  void started.then(() => (ready = true));
  await turn();
  assert.equal(ready, false, "not before all listen");
  scene.worker(1).listens();
  assert.deepEqual(await started, { ok: true, addresses: [ADDRESS] });
});

test("supervisor: when the first one dies before it listens, another finds out", async () => {
  const scene = new SupervisorScene(2);
  const started = scene.supervisor.start();
  for (const worker of scene.workers) worker.hello();
  scene.worker(0).exit(null, "SIGSEGV");
  assert.equal(scene.worker(1).start?.listen, null);
  scene.worker(1).listens();
  scene.clock.advance(200);
  scene.worker(2).hello().listens();
  assert.equal((await started).ok, true);
  assert.deepEqual(scene.events, ["0 ended: signal SIGSEGV"]);
});

test("supervisor: a worker that cannot serve ends the start with its reason", async () => {
  const scene = new SupervisorScene(2);
  const started = scene.supervisor.start();
  for (const worker of scene.workers) worker.hello();
  const failure = { kind: "bind", message: "the port is taken" } as const;
  scene.worker(0).say({ type: "failed", failure });
  assert.deepEqual(scene.worker(0).types(), ["start", "abort"]);
  assert.deepEqual(scene.worker(1).types(), ["abort"]);
  scene.worker(0).exit();
  scene.worker(1).exit();
  assert.deepEqual(await started, { ok: false, failure });
  assert.deepEqual(await scene.supervisor.ended, failure);
});

test("supervisor: workers that die again and again before they listen are given up", async () => {
  const scene = new SupervisorScene(1);
  const started = scene.supervisor.start();
  for (let i = 0; i < 5; i++) {
    scene.worker(i).hello().exit(9);
    scene.clock.advance(10_000);
  }
  assert.deepEqual(await started, {
    ok: false,
    failure: { kind: "system", message: "worker 1 ended 5 times before it listened: exit code 9" },
  });
  assert.equal(scene.workers.length, 5);
});

test("supervisor: a worker that dies is replaced, with growing pauses until it has been well for a minute", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  const pauses: number[] = [];
  for (let i = 0; i < 8; i++) {
    const before = scene.workers.length;
    scene.worker(i === 0 ? 1 : -1).exit(1);
    let ms = 0;
    for (; scene.workers.length === before; ms += 10) scene.clock.advance(10);
    pauses.push(ms);
    scene.worker(-1).hello().listens();
    assert.deepEqual(scene.worker(-1).start?.listen, [ADDRESS]);
  }
  pauses.forEach((ms, i) => {
    const most = Math.min(10_000, 100 * 2 ** i);
    assert.ok(ms >= most / 2 && ms <= most + 10, `pause ${i}: ${ms}`);
  });
  scene.clock.advance(60_000);
  const before = scene.workers.length;
  scene.worker(-1).exit(1);
  scene.clock.advance(110);
  assert.equal(scene.workers.length, before + 1, "as after the first");
  assert.equal(scene.events.filter((event) => event === "1 back").length, 8);
});

test("supervisor: as long as one serves, the others are never given up", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  for (let i = 0; i < 12; i++) {
    scene.worker(i === 0 ? 1 : -1).exit(1);
    scene.clock.advance(10_000);
    assert.equal(scene.workers.length, 3 + i);
  }
});

test("supervisor: stop asks all, tells what was open, and ends when all have ended", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  const stopped = scene.supervisor.stop();
  const report = { ...emptyReport(), connections: 3 };
  for (const worker of scene.workers) worker.say({ type: "report", report });
  assert.equal((await stopped).connections, 6);
  let ended = false;
  void scene.supervisor.ended.then(() => (ended = true));
  for (const worker of scene.workers) {
    await turn();
    assert.equal(ended, false);
    assert.equal(worker.heard.at(-1)?.type, "stop");
    worker.say({ type: "stopped", report, dropped: 2, logged: true }).exit();
  }
  assert.equal(await scene.supervisor.ended, null);
  assert.equal(scene.supervisor.dropped, 4);
  assert.deepEqual(scene.events, []);
});

test("supervisor: what a worker drops that ends alone is not the stop's doing", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  scene.worker(0).say({ type: "stopped", report: emptyReport(), dropped: 5, logged: true }).exit();
  void scene.supervisor.stop();
  scene.worker(1).say({ type: "stopped", report: emptyReport(), dropped: 0, logged: true }).exit();
  assert.equal(await scene.supervisor.ended, null);
  assert.equal(scene.supervisor.dropped, 0);
});

test("supervisor: one that is killed while it stops has dropped what it had at last", async () => {
  const scene = new SupervisorScene(1);
  await scene.serve();
  void scene.supervisor.stop();
  const upstream = {
    name: "app",
    waiting: 2,
    waitsMs: [],
    inFlight: 4,
    tunnels: 1,
    totals: totalsOf(null),
    reasons: {},
    endpoints: [],
  };
  scene.worker(0).say({ type: "report", report: { ...emptyReport(), upstreams: [upstream] } });
  scene.supervisor.abort();
  scene.clock.advance(1_100);
  assert.equal(scene.worker(0).killed, true);
  scene.worker(0).exit(null, "SIGKILL");
  assert.equal(await scene.supervisor.ended, null);
  assert.equal(scene.supervisor.dropped, 5);
});

test("supervisor: who does not end in time is killed", async () => {
  const scene = new SupervisorScene(2, "to: 3000\ndrain_timeout: 2s");
  await scene.serve();
  void scene.supervisor.stop();
  scene.worker(0).exit();
  scene.clock.advance(6_900);
  assert.equal(scene.worker(1).killed, false);
  scene.clock.advance(200);
  assert.equal(scene.worker(1).killed, true);
  scene.supervisor.abort();
  assert.equal(scene.worker(1).heard.at(-1)?.type, "abort");
});

test("supervisor: a worker waiting to be replaced does not keep a stop from ending", async () => {
  const scene = new SupervisorScene(1);
  await scene.serve();
  scene.worker(0).exit(1);
  void scene.supervisor.stop();
  assert.equal(await scene.supervisor.ended, null);
  scene.clock.advance(20_000);
  assert.equal(scene.workers.length, 1);
});

test("supervisor: another version of the program is not talked to", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  scene.worker(1).exit(1);
  scene.clock.advance(100);
  scene.worker(2).say({ type: "hello", protocol: PROTOCOL + 1, pid: 1 });
  assert.equal(scene.worker(2).killed, true);
  scene.worker(2).exit(null, "SIGKILL");
  assert.match(scene.events.at(-1) ?? "", /another version.*signal SIGKILL/);
});

test("supervisor: slots go round, and a dead worker's come back", async () => {
  const scene = new SupervisorScene(2, "to: 3000\nmax_in_flight: 3");
  await scene.serve();
  const name = { upstream: "default", endpoint: "127.0.0.1:3000" };
  assert.deepEqual(scene.worker(0).start?.slots, [{ ...name, count: 1 }]);
  assert.deepEqual(scene.worker(1).start?.slots, [{ ...name, count: 1 }]);
  scene.worker(0).say({ type: "want", ...name, count: 2, waitedMs: 5 });
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...name, count: 1 });
  assert.deepEqual(scene.worker(1).heard.at(-1), { type: "recall", ...name, count: 1, waitedMs: 5 });
  scene.worker(1).exit(null, "SIGKILL");
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...name, count: 1 });
  assert.equal(scene.supervisor.slotsOf(name).free, 0);
  scene.worker(0).say({ type: "give", ...name, count: 4 });
  assert.deepEqual(scene.events.slice(1), ["0 confused: gave 4 slots that it does not have"]);
});

test("supervisor: that an endpoint is down is told to the others", async () => {
  const scene = new SupervisorScene(3);
  await scene.serve();
  const away = {
    type: "down",
    upstream: "default",
    endpoint: "e",
    code: "connection_refused",
    detail: "",
  } as const;
  scene.worker(1).say(away);
  assert.deepEqual(scene.worker(0).heard.at(-1), away);
  assert.notDeepEqual(scene.worker(1).heard.at(-1), away);
  assert.deepEqual(scene.worker(2).heard.at(-1), away);
});

test("supervisor: a report adds up, those who are gone included", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  const some = emptyReport();
  const counted = { ...some, connections: 2, totals: { ...some.totals, requests: 10 } };
  const asked = scene.supervisor.report();
  scene.worker(0).say({ type: "report", report: counted });
  scene.worker(1).say({ type: "report", report: counted });
  assert.equal((await asked).totals.requests, 20);
  scene.worker(1).exit(1);
  const again = scene.supervisor.report();
  scene.worker(0).say({ type: "report", report: counted });
  const sum = await again;
  assert.equal(sum.totals.requests, 20, "nothing that was counted is taken back");
  assert.equal(sum.connections, 2, "but its connections are closed");
});

test("limits: shares add up to the whole and differ by one at most", () => {
  for (const total of [0, 1, 2, 3, 7, 20_000]) {
    for (const count of [1, 2, 3, 4, 7]) {
      const shares = Array.from({ length: count }, (_, index) => shareOf(total, { index, count, serial: 0 }));
      assert.equal(shares.reduce((a, b) => a + b), total);
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
    }
  }
});

test("limits: what is divided, and what is not", () => {
  const config = configOf(
    "to: 3000\nmax_in_flight: 5\nmax_connections: 11\nqueue: {size: 10, bytes: 1KiB}\npool: {size: 3}",
  );
  const place = { index: 1, count: 2, serial: 1 };
  const ours = shareConfig(config, place);
  assert.equal(ours.server.maxConnections, 5);
  assert.deepEqual(
    ours.upstreams.map(({ queue, pool, maxInFlight }) => [queue.size, queue.bytes, pool.size, maxInFlight]),
    [
      [5, 512, 1, 5],
    ],
  );
  assert.equal(shareConfig(config, { index: 0, count: 1, serial: 0 }), config);
  const least = (count: number) =>
    [0, 1, 2, 3].slice(0, count).map((index) => retryLeast({ index, count, serial: 0 }));
  assert.deepEqual([least(1), least(2), least(4)], [[3], [2, 1], [1, 1, 1, 1]]);
});

test("a configuration means the same after its way through a channel", () => {
  const config = configOf("to: 3000\nhold_interval: auto\nworkers: auto\nretry: {on: [reset, 503]}");
  assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
});

test("restart pause: 100 ms to 10 s, at most half less by chance", () => {
  assert.equal(restartPause(1, 0), 100);
  assert.equal(restartPause(1, 1), 50);
  assert.equal(restartPause(4, 0), 800);
  assert.equal(restartPause(1000, 0), 10_000);
});
