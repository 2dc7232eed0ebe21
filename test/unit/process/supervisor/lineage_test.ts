/** A supervisor and the process whose place it has taken, one of which is played by the test. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ToElder, ToHeir } from "../../../../src/process/supervisor/lineage_messages.ts";
import { emptyReport, type Report } from "../../../../src/process/worker/report.ts";
import { configOf, ControllerScene } from "../../../support/controller_scene.ts";
import { turn } from "../../../support/watchdog.ts";

const NAME = { upstream: "default", endpoint: "127.0.0.1:3000" } as const;
const LIMITED = "to: 3000\nmax_in_flight: 4";

function busy(inFlight: number, waiting = 0, requests = 0): Report {
  const report = emptyReport();
  return {
    ...report,
    totals: { ...report.totals, requests },
    upstreams: [{
      name: "default",
      waiting,
      waitsMs: [],
      inFlight,
      tunnels: 0,
      totals: { ...report.totals, requests },
      reasons: {},
      endpoints: [],
    }],
  };
}

/** The new supervisor; the test plays the old process. */
class NewScene extends ControllerScene {
  readonly told: ToElder[] = [];

  static async begin(workers: number, yaml = LIMITED, held = 4): Promise<NewScene> {
    const scene = new NewScene(workers, yaml);
    scene.controller.lineage.expect([{ ...NAME, max: held }]);
    await scene.serve();
    return scene;
  }

  succeed(): this {
    this.controller.lineage.succeed(99, (message) => void this.told.push(message));
    return this;
  }

  say(message: ToHeir): this {
    this.controller.lineage.elderSaid(message);
    return this;
  }

  /** What it was told since the last look, without questions for a report. */
  heard(): ToElder[] {
    return this.told.splice(0).filter(({ type }) => type !== "report");
  }

  granted(): ToElder[] {
    return this.heard().filter(({ type }) => type === "grant");
  }

  held(participant: number): number {
    return this.controller.slotsOf(NAME).held.get(participant) ?? 0;
  }
}

test("the new process: begins without a slot, and gets them one by one as the old one gives them", async () => {
  const scene = await NewScene.begin(2);
  assert.deepEqual(scene.worker(0).start?.slots, []);
  scene.worker(0).say({ type: "want", ...NAME, count: 3, waitedMs: 5 });
  assert.deepEqual(scene.heard(), [], "nothing is said while it is not certain whose place it is");
  scene.succeed();
  assert.deepEqual(scene.heard(), [
    { type: "lead", limits: [{ ...NAME, max: 4 }] },
    { type: "command", id: 0, command: { command: "desire", desired: scene.controller.desired } },
    { type: "recall", ...NAME, count: 3, waitedMs: 5 },
  ]);
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...NAME, count: 1 });
  assert.deepEqual([scene.held(-1), scene.held(0), scene.controller.slotsOf(NAME).free], [3, 1, 0]);
  // A request that has waited there for longer than ours goes first.
  scene.say({ type: "want", ...NAME, count: 1, waitedMs: 1000 });
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(scene.granted(), [{ type: "grant", ...NAME, count: 1 }]);
});

test("the new process: slots of an old one that is gone are free, and its sums are ours", async () => {
  const scene = (await NewScene.begin(2)).succeed();
  scene.say({ type: "report", report: busy(4, 0, 70) });
  scene.worker(1).say({ type: "want", ...NAME, count: 1, waitedMs: 5 });
  scene.controller.lineage.elderGone();
  assert.deepEqual(scene.events.at(-1), "-1 gone");
  assert.deepEqual([scene.held(0), scene.held(1), scene.controller.slotsOf(NAME).free], [2, 2, 0]);
  const sum = scene.controller.report();
  for (const worker of scene.workers) worker.say({ type: "report", report: busy(0, 0, 1) });
  assert.equal((await sum).totals.requests, 72);
});

test("the new process: an old one with a higher limit gives back what is above ours first", async () => {
  const scene = (await NewScene.begin(1, LIMITED, 10)).succeed();
  assert.deepEqual(scene.heard().at(-1), {
    type: "recall",
    ...NAME,
    count: 6,
    waitedMs: scene.clock.now(),
  });
  scene.worker(0).say({ type: "want", ...NAME, count: 1, waitedMs: 0 });
  scene.say({ type: "give", ...NAME, count: 6 });
  assert.equal(scene.held(0), 0);
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.equal(scene.held(0), 1);
});

test("commands and sums: the old process is one of those who are asked", async () => {
  const scene = (await NewScene.begin(1)).succeed();
  scene.heard();
  let done = false;
  const paused = ["default"];
  void scene.controller.command({ command: "pause", upstreams: paused }, { paused }).then(
    () => (done = true),
  );
  scene.worker(0).done();
  await turn();
  assert.equal(done, false);
  const [command] = scene.heard();
  assert.ok(command?.type === "command" && command.command.command === "pause");
  scene.say({ type: "done", id: command.id, result: { ok: true } });
  await turn();
  assert.equal(done, true);
  const sum = scene.controller.report();
  scene.worker(0).say({ type: "report", report: busy(1) });
  scene.say({ type: "report", report: busy(2, 3) });
  assert.deepEqual((await sum).upstreams.map(({ inFlight, waiting }) => [inFlight, waiting]), [[3, 3]]);
  void scene.controller.command({ command: "reopen" }).then(() => (done = true));
  done = false;
  scene.worker(0).done();
  scene.controller.lineage.elderGone();
  await turn();
  assert.equal(done, true, "one that is gone keeps nobody waiting");
});

test("a change of configuration: what waits in the old process goes to the new endpoints", async () => {
  const scene = (await NewScene.begin(1)).succeed();
  scene.heard();
  const changing = scene.controller.change(configOf("to: 3001\nmax_in_flight: 4"), 700);
  scene.worker(0).done({ ok: true, addresses: [] });
  await turn();
  await turn();
  scene.worker(0).done();
  await turn();
  const command = scene.heard().find(({ type }) => type === "command");
  assert.ok(command?.type === "command" && command.command.command === "follow");
  assert.deepEqual([
    command.command.upstreams.map(({ upstream, endpoints }) => [upstream, endpoints[0]?.name]),
  ], [
    [[
      "default",
      "127.0.0.1:3001",
    ]],
  ]);
  scene.say({ type: "done", id: command.id, result: { ok: true } });
  assert.ok((await changing).ok);
});

test("the end: the old process is waited for, and told when time is up", async () => {
  const scene = (await NewScene.begin(1, "to: 3000\ndrain_timeout: 1s")).succeed();
  scene.heard();
  let ended = false;
  void scene.controller.ended.then(() => (ended = true));
  void scene.controller.stop();
  scene.worker(0).say({ type: "stopped", report: emptyReport(), dropped: 0, logged: true }).exit();
  await turn();
  assert.equal(ended, false);
  scene.clock.advance(6000);
  assert.deepEqual(scene.heard(), [{ type: "abort" }]);
  scene.clock.advance(1000);
  await turn();
  assert.equal(ended, true, "whatever becomes of it");
});

/** The old supervisor; the test plays the new process. */
async function oldScene(workers: number, yaml = LIMITED): Promise<{
  readonly scene: ControllerScene;
  readonly said: ToHeir[];
  tell(message: ToElder): void;
}> {
  const scene = new ControllerScene(workers, yaml);
  await scene.serve();
  const said: ToHeir[] = [];
  scene.controller.lineage.handOver((message) => void said.push(message));
  void scene.controller.stop();
  return { scene, said, tell: (message) => scene.controller.lineage.heirSaid(message) };
}

test("the old process: gives what is free at once, later each slot as it falls free, and gets some back", async () => {
  const { scene, said, tell } = await oldScene(2, "to: 3000\nmax_in_flight: 5");
  tell({ type: "lead", limits: [NAME] });
  assert.deepEqual(said, [{ type: "give", ...NAME, count: 1 }], "2 workers have 2 slots each");
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "recall", ...NAME, count: 2, waitedMs: 0 });
  scene.worker(0).say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(said.at(-1), { type: "give", ...NAME, count: 1 });
  scene.worker(1).say({ type: "want", ...NAME, count: 1, waitedMs: 20 });
  assert.deepEqual(said.at(-1), { type: "want", ...NAME, count: 1, waitedMs: 20 });
  tell({ type: "recall", ...NAME, count: 3, waitedMs: 5000 });
  tell({ type: "grant", ...NAME, count: 1 });
  assert.deepEqual(scene.worker(1).heard.findLast(({ type }) => type === "grant"), {
    type: "grant",
    ...NAME,
    count: 1,
  });
  // With their processes the slots of workers come back as well.
  scene.worker(0).exit();
  assert.deepEqual(said.at(-1), { type: "give", ...NAME, count: 1 });
});

test("the old process: carries out commands, and says when its workers have", async () => {
  const { scene, said, tell } = await oldScene(2);
  tell({ type: "command", id: 7, command: { command: "pause", upstreams: ["default"] } });
  assert.deepEqual(scene.workers.map((worker) => worker.commands()), [["pause"], ["pause"]]);
  scene.worker(0).done();
  await turn();
  assert.deepEqual(said, []);
  scene.worker(1).done({ ok: false, failure: { kind: "system", message: "no" } });
  await turn();
  assert.deepEqual(said, [{
    type: "done",
    id: 7,
    result: { ok: false, failure: { kind: "system", message: "no" } },
  }]);
});

test("the old process: the desired state becomes what the new one says", async () => {
  const scene = new ControllerScene(1);
  await scene.serve();
  scene.controller.setDesired({ paused: ["default"], drained: [NAME] });
  scene.controller.lineage.handOver(() => {});
  scene.controller.lineage.heirSaid({
    type: "command",
    id: 0,
    command: { command: "desire", desired: { paused: [], drained: [], watched: true } },
  });
  assert.deepEqual(scene.worker(0).commands(), ["watch", "resume", "undrain"]);
});

test("the old process: its sums are those of both, and its own when the other is gone", async () => {
  const { scene, said, tell } = await oldScene(1);
  said.length = 0;
  const whole = scene.controller.report();
  const asked = said.at(-1);
  assert.ok(asked?.type === "whole");
  // The new process asks for ours to answer that.
  tell({ type: "report" });
  scene.worker(0).say({ type: "report", report: busy(1) });
  await turn();
  assert.deepEqual(said.at(-1), { type: "report", report: busy(1) });
  tell({ type: "whole", id: asked.id, report: busy(5) });
  assert.equal((await whole).upstreams[0]?.inFlight, 5);
  const alone = scene.controller.report();
  scene.controller.lineage.heirGone();
  await turn();
  scene.worker(0).say({ type: "report", report: busy(2) });
  assert.equal((await alone).upstreams[0]?.inFlight, 2);
});

test("the old process: has all slots again when the new one is gone", async () => {
  const { scene, tell } = await oldScene(1);
  tell({ type: "lead", limits: [NAME] });
  scene.worker(0).say({ type: "give", ...NAME, count: 4 });
  scene.worker(0).say({ type: "want", ...NAME, count: 2, waitedMs: 0 });
  scene.controller.lineage.heirGone();
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...NAME, count: 2 });
});

test("a chain: the middle passes on commands, sums and slots", async () => {
  const scene = (await NewScene.begin(1)).succeed();
  scene.heard();
  const said: ToHeir[] = [];
  scene.controller.lineage.handOver((message) => void said.push(message));
  const tell = (message: ToElder) => scene.controller.lineage.heirSaid(message);
  void scene.controller.stop();
  tell({ type: "lead", limits: [NAME] });
  assert.deepEqual(scene.heard(), [{ type: "recall", ...NAME, count: 4, waitedMs: 0 }]);
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(said.splice(0), [{ type: "give", ...NAME, count: 1 }]);
  scene.say({ type: "want", ...NAME, count: 1, waitedMs: 9 });
  assert.deepEqual(said.splice(0), [{ type: "want", ...NAME, count: 1, waitedMs: 9 }]);
  tell({ type: "grant", ...NAME, count: 1 });
  assert.deepEqual(scene.granted(), [{ type: "grant", ...NAME, count: 1 }]);
  tell({ type: "command", id: 3, command: { command: "resume", upstreams: ["default"] } });
  const [command] = scene.heard();
  assert.ok(command?.type === "command" && command.command.command === "resume");
  scene.worker(0).done();
  scene.say({ type: "done", id: command.id, result: { ok: true } });
  await turn();
  assert.deepEqual(said.at(-1), { type: "done", id: 3, result: { ok: true } });
  tell({ type: "report" });
  scene.worker(0).say({ type: "report", report: busy(1) });
  scene.say({ type: "report", report: busy(2) });
  await turn();
  const report = said.at(-1);
  assert.ok(report?.type === "report");
  assert.equal(report.report.upstreams[0]?.inFlight, 3);
  // It stays as long as the one before it: that is known to the last one through it alone.
  let ended = false;
  void scene.controller.ended.then(() => (ended = true));
  scene.worker(0).exit();
  scene.clock.advance(3_600_000);
  await turn();
  assert.equal(ended, false);
  scene.controller.lineage.elderGone();
  await turn();
  assert.equal(ended, true);
});

test("a trial: commands given meanwhile are done when it is over", async () => {
  const scene = new ControllerScene(1);
  await scene.serve();
  const trial = Promise.withResolvers<void>();
  scene.controller.try(trial.promise);
  let done = false;
  void scene.controller.command({ command: "drain", windowMs: 0, ...NAME }).then(() => (done = true));
  scene.worker(0).done();
  await turn();
  assert.equal(done, false);
  trial.resolve();
  await turn();
  assert.equal(done, true);
});
