/** Events of several workers become events of one Sluice. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ControlEvent } from "../../../src/control/event.ts";
import { EventHub } from "../../../src/control/event_hub.ts";
import type { WorkerEvent } from "../../../src/process/worker/messages.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const DOWN: WorkerEvent = {
  event: "endpoint_down",
  upstream: "app",
  endpoint: "e",
  reason: "connection_refused",
  detail: "",
};
const UP: WorkerEvent = { event: "endpoint_up", upstream: "app", endpoint: "e", down_ms: 5 };
const FAILED: WorkerEvent = {
  event: "failed",
  upstream: "app",
  endpoint: "e",
  reason: "hold_timeout",
  status: 503,
  method: "GET",
  target: "/",
  detail: "",
};

class Scene {
  readonly clock = new FakeClock();
  readonly hub = new EventHub(this.clock);
  readonly heard: ControlEvent[] = [];
  readonly end = this.hub.watch((event) => this.heard.push(event));

  names(): string[] {
    return this.heard.splice(0).map(({ event }) => event);
  }
}

test("an endpoint is down with the first worker that says so, and up with the last", () => {
  const scene = new Scene();
  const { hub } = scene;
  const names = () => scene.names();
  hub.fromWorker(0, DOWN, false);
  hub.fromWorker(1, DOWN, false);
  assert.deepEqual(names(), ["endpoint_down"]);
  hub.fromWorker(0, UP, false);
  assert.deepEqual(names(), []);
  hub.fromWorker(1, UP, false);
  assert.deepEqual(names(), ["endpoint_up"]);
  hub.fromWorker(0, DOWN, true);
  assert.deepEqual(names(), [], "it was down before anybody watched");
  hub.fromWorker(0, UP, false);
  assert.deepEqual(names(), ["endpoint_up"]);
});

test("an endpoint that is up again was down for so long, told in both words", () => {
  const scene = new Scene();
  scene.hub.fromWorker(0, UP, false);
  const [event] = scene.heard.splice(0);
  assert.ok(event?.event === "endpoint_up");
  assert.deepEqual([event.down_ms, event.away_ms], [5, 5]);
});

test("a worker that is gone holds nothing any more", () => {
  const scene = new Scene();
  scene.hub.fromWorker(0, { event: "held", upstream: "app", waiting: 1 }, false);
  scene.hub.fromWorker(1, { event: "held", upstream: "app", waiting: 1 }, false);
  scene.clock.advance(1000);
  scene.hub.workerGone(0);
  scene.hub.fromWorker(1, { event: "released", upstream: "app", held_ms: 900 }, false);
  assert.deepEqual(scene.heard.map((event) => event.event === "released" ? event.held_ms : event.event), [
    "held",
    1000,
  ]);
});

test("at most 100 failed requests a second are told, and how many were not", () => {
  const scene = new Scene();
  for (let i = 0; i < 150; i++) scene.hub.fromWorker(i % 2, FAILED, false);
  scene.hub.fromWorker(0, { event: "dropped", count: 7 }, false);
  assert.equal(scene.names().length, 100);
  scene.clock.advance(1000);
  const [dropped] = scene.heard;
  assert.ok(dropped?.event === "dropped" && dropped.count === 57, JSON.stringify(dropped));
  scene.hub.fromWorker(0, FAILED, false);
  assert.deepEqual(scene.names(), ["dropped", "failed"]);
});

test("watching begins with the first and ends with the last of those who watch", () => {
  const hub = new EventHub(new FakeClock());
  const told: boolean[] = [];
  hub.onWatched = (watched) => told.push(watched);
  const same = () => {};
  const [one, two] = [hub.watch(same), hub.watch(same)];
  one();
  one();
  assert.deepEqual(told, [true]);
  two();
  assert.deepEqual(told, [true, false]);
});

test("events of a whole Sluice: absence, holding, failures, the end", async () => {
  const lab = await PlaneLab.start("to: 3000\nhold: 10s\nretry: off");
  const backend = await lab.backend(3000);
  lab.ask();
  await lab.pass(10);
  backend.down();
  for (const { socket } of backend.peers) socket.abort();
  lab.watch();
  await lab.pass(10);
  lab.ask();
  await lab.pass(500);
  assert.deepEqual(lab.names().sort(), ["endpoint_down", "held"]);
  await backend.up();
  await lab.pass(1000);
  assert.deepEqual(lab.names().slice(2).sort(), ["endpoint_up", "released"]);
  backend.script = (peer) => peer.socket.abort();
  lab.ask("/x", "POST");
  await lab.pass(100);
  const failed = lab.events.find((event) => event.event === "failed");
  assert.ok(failed?.event === "failed");
  assert.deepEqual([failed.method, failed.target, failed.upstream, failed.status], [
    "POST",
    "/x",
    "default",
    502,
  ]);
  void lab.plane.stop(true);
  await lab.done(lab.ended);
  assert.equal(lab.names().at(-1), "stopping");
});

test("who begins to watch hears of the end of what began before", async () => {
  const lab = await PlaneLab.start("to: 3000");
  lab.ask();
  await lab.pass(100);
  lab.watch();
  await lab.pass(100);
  assert.deepEqual(lab.names(), []);
  await lab.backend(3000);
  await lab.pass(1000);
  assert.deepEqual(lab.names().sort(), ["endpoint_up", "released"]);
  await lab.stop();
});
