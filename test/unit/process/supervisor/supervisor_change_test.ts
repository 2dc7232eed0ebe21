/** Orders, and changes of the configuration in two steps, against workers that do what a test says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ADDRESS, configOf, SupervisorScene } from "../../../support/supervisor_scene.ts";
import { turn } from "../../../support/watchdog.ts";

const OTHER = configOf("to: 3001");

test("commands: all workers get them, and one that is gone keeps nobody waiting", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  let results: readonly unknown[] | null = null;
  const paused = ["default"];
  void scene.supervisor.command({ command: "pause", upstreams: paused }, { paused }).then((
    all,
  ) => (results = all));
  assert.deepEqual([scene.worker(0).commands(), scene.worker(1).commands()], [["pause"], ["pause"]]);
  scene.worker(0).done();
  await turn();
  assert.equal(results, null);
  scene.worker(1).exit(1);
  await turn();
  assert.deepEqual(results, [{ ok: true }]);
  scene.clock.advance(200);
  scene.worker(2).hello();
  assert.deepEqual(scene.worker(2).start?.desired.paused, ["default"], "a worker that comes later is told");
});

test("a change is prepared by all before anybody goes over to it", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  const changing = scene.supervisor.change(OTHER, 1000);
  assert.deepEqual(scene.worker(0).commands(), ["prepare"]);
  assert.deepEqual(scene.worker(0).command("prepare")?.listen, [ADDRESS], "where it listens already");
  assert.deepEqual(scene.worker(1).commands(), [], "the first may find out where to listen");
  scene.worker(0).done({ ok: true, addresses: [ADDRESS], certificate: true, upstreams: [] });
  await turn();
  assert.deepEqual(scene.worker(1).commands(), ["prepare"]);
  const second = await scene.supervisor.change(OTHER, 0);
  assert.equal(second.ok, false, "one at a time");
  scene.worker(1).done({ ok: true, addresses: [ADDRESS], certificate: true });
  await turn();
  assert.deepEqual([scene.worker(0).commands().at(-1), scene.worker(1).commands().at(-1)], [
    "commit",
    "commit",
  ]);
  assert.equal(scene.worker(0).command("commit")?.drainMs, 1000);
  for (const worker of scene.workers) worker.done();
  assert.deepEqual(await changing, { ok: true, certificate: true, upstreams: [] });
  assert.equal(scene.supervisor.config, OTHER);
});

test("a change that one worker cannot prepare is taken back by all", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  const before = scene.supervisor.config;
  const changing = scene.supervisor.change(OTHER, 0);
  scene.worker(0).done({ ok: true, addresses: [ADDRESS] });
  await turn();
  scene.worker(1).done({ ok: false, failure: { kind: "bind", message: "the port is taken" } });
  await turn();
  for (const worker of scene.workers) {
    assert.equal(worker.commands().at(-1), "rollback");
    worker.done();
  }
  assert.deepEqual(await changing, { ok: false, message: "the port is taken" });
  assert.equal(scene.supervisor.config, before);
});

test("a worker that dies during a change is replaced by one with the outcome of it", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  const changing = scene.supervisor.change(OTHER, 0);
  scene.worker(1).exit(1);
  scene.clock.advance(200);
  scene.worker(2).hello();
  assert.equal(scene.worker(2).start, undefined, "it waits until that is clear");
  scene.worker(0).done({ ok: true, addresses: [ADDRESS] });
  await turn();
  scene.worker(0).done();
  assert.equal((await changing).ok, true);
  await turn();
  assert.equal(scene.worker(2).start?.config, OTHER);
});

test("a worker that has been told to start changes as well", async () => {
  const scene = new SupervisorScene(2);
  await scene.serve();
  scene.worker(1).exit(1);
  scene.clock.advance(200);
  scene.worker(2).hello();
  const changing = scene.supervisor.change(OTHER, 0);
  scene.worker(0).done({ ok: true, addresses: [ADDRESS] });
  await turn();
  assert.deepEqual(scene.worker(2).commands(), ["prepare"]);
  scene.worker(2).listens().done({ ok: true, addresses: [ADDRESS] });
  await turn();
  for (const worker of [scene.worker(0), scene.worker(2)]) worker.done();
  assert.equal((await changing).ok, true);
  assert.deepEqual(scene.worker(2).commands(), ["prepare", "commit"]);
});

test("slots of endpoints that are new are granted once the workers know of them", async () => {
  const scene = new SupervisorScene(2, "to: 3000\nmax_in_flight: 2");
  await scene.serve();
  const changing = scene.supervisor.change(configOf("to: [3000, 3001]\nmax_in_flight: 4"), 0);
  scene.worker(0).done({ ok: true, addresses: [ADDRESS] });
  await turn();
  scene.worker(1).done({ ok: true, addresses: [ADDRESS] });
  await turn();
  for (const worker of scene.workers) worker.done();
  assert.ok((await changing).ok);
  const name = { upstream: "default", endpoint: "127.0.0.1:3001" };
  for (const worker of scene.workers) {
    const after = worker.types().slice(worker.types().lastIndexOf("command"));
    assert.deepEqual(after, ["command", "grant"], "after the commit");
    assert.deepEqual(worker.heard.at(-1), { type: "grant", ...name, count: 2 });
  }
  const old = scene.supervisor.slotsOf({ upstream: "default", endpoint: "127.0.0.1:3000" });
  assert.equal(old.free, 2, "the higher limit is there for who asks");
});

test("a limit that is lowered is kept to as soon as the workers have given back what is too much", async () => {
  const scene = new SupervisorScene(2, "to: 3000\nmax_in_flight: 8");
  await scene.serve();
  const changing = scene.supervisor.change(configOf("to: 3000\nmax_in_flight: 2"), 0);
  scene.worker(0).done({ ok: true, addresses: [ADDRESS] });
  await turn();
  scene.worker(1).done({ ok: true, addresses: [ADDRESS] });
  await turn();
  for (const worker of scene.workers) worker.done();
  assert.ok((await changing).ok);
  const name = { upstream: "default", endpoint: "127.0.0.1:3000" };
  const recall = scene.worker(0).heard.findLast((message) => message.type === "recall");
  assert.ok(recall?.type === "recall" && recall.count === 4, JSON.stringify(recall));
  scene.worker(0).say({ type: "give", ...name, count: 4 });
  scene.worker(1).say({ type: "want", ...name, count: 1, waitedMs: 0 });
  assert.equal(scene.worker(1).types().includes("grant"), false, "two are too many still");
  scene.worker(1).say({ type: "give", ...name, count: 3 });
  assert.equal(scene.worker(1).heard.at(-1)?.type, "grant");
  const { free, held } = scene.supervisor.slotsOf(name);
  assert.equal([...held.values()].reduce((sum, count) => sum + count, free), 2);
});
