/** A supervisor and the process whose place it has taken, one of which is played by the test. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ToElder, ToHeir } from "../../../../src/process/supervisor/lineage_messages.ts";
import { LineageNames, type NamedUpstream } from "../../../../src/process/supervisor/lineage_names.ts";
import { emptyReport, type Report } from "../../../../src/process/worker/report.ts";
import { configOf, SupervisorScene } from "../../../support/supervisor_scene.ts";
import { turn } from "../../../support/watchdog.ts";

const NAME = { upstream: "default", endpoint: "127.0.0.1:3000" } as const;
const LIMITED = "to: 3000\nmax_in_flight: 4";

function upstreamsOf(yaml: string): readonly NamedUpstream[] {
  return configOf(yaml).upstreams;
}

/** A configuration with one upstream of this name. */
function called(name: string, to = "3000"): string {
  return `upstreams:\n  ${name}:\n    endpoints: ["${to}"]\n    max_in_flight: 4\nroutes:\n  - to: ${name}`;
}

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
class NewScene extends SupervisorScene {
  readonly told: ToElder[] = [];

  /** @param before the configuration of the old process */
  static async begin(workers: number, yaml = LIMITED, held = 4, before = yaml): Promise<NewScene> {
    const scene = new NewScene(workers, yaml);
    const theirs = upstreamsOf(before);
    const names = new LineageNames(theirs, scene.supervisor.config.upstreams);
    const limits = theirs.flatMap(({ name, endpoints }) =>
      endpoints.map((endpoint) => ({ upstream: name, endpoint: endpoint.name, max: held }))
    );
    scene.supervisor.lineage.expect(limits, names);
    await scene.serve();
    return scene;
  }

  succeed(): this {
    void this.supervisor.lineage.succeed(99, (message) => void this.told.push(message));
    return this;
  }

  say(message: ToHeir): this {
    this.supervisor.lineage.elderSaid(message);
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
    return this.supervisor.slotsOf(NAME).held.get(participant) ?? 0;
  }
}

test("the new process: begins without a slot, and gets them one by one as the old one gives them", async () => {
  const scene = await NewScene.begin(2);
  assert.deepEqual(scene.worker(0).start?.slots, []);
  scene.worker(0).say({ type: "want", ...NAME, count: 3, waitedMs: 5 });
  assert.deepEqual(scene.heard(), [], "nothing is said while it is not certain whose place it is");
  scene.succeed();
  assert.deepEqual(scene.heard(), [
    { type: "lead", limits: [NAME] },
    { type: "command", id: 0, command: { command: "desire", desired: scene.supervisor.desired } },
    { type: "recall", ...NAME, count: 3, waitedMs: 5 },
  ]);
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...NAME, count: 1 });
  assert.deepEqual([scene.held(-1), scene.held(0), scene.supervisor.slotsOf(NAME).free], [3, 1, 0]);
  // A request that has waited there for longer than ours goes first.
  scene.say({ type: "want", ...NAME, count: 1, waitedMs: 1000 });
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(scene.granted(), [{ type: "grant", ...NAME, count: 1 }]);
});

test("the new process: slots of an old one that is gone are free, and its sums are ours", async () => {
  const scene = (await NewScene.begin(2)).succeed();
  scene.say({ type: "report", report: busy(4, 0, 70) });
  scene.worker(1).say({ type: "want", ...NAME, count: 1, waitedMs: 5 });
  scene.supervisor.lineage.elderGone();
  assert.deepEqual(scene.events.at(-1), "-1 gone");
  assert.deepEqual([scene.held(0), scene.held(1), scene.supervisor.slotsOf(NAME).free], [2, 2, 0]);
  const sum = scene.supervisor.report();
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
  void scene.supervisor.command({ command: "pause", upstreams: paused }, { paused }).then(
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
  const sum = scene.supervisor.report();
  scene.worker(0).say({ type: "report", report: busy(1) });
  scene.say({ type: "report", report: busy(2, 3) });
  assert.deepEqual((await sum).upstreams.map(({ inFlight, waiting }) => [inFlight, waiting]), [[3, 3]]);
  void scene.supervisor.command({ command: "reopen" }).then(() => (done = true));
  done = false;
  scene.worker(0).done();
  scene.supervisor.lineage.elderGone();
  await turn();
  assert.equal(done, true, "one that is gone keeps nobody waiting");
});

/** The new process calls `web` what the old one calls `default`. */
const WEB = { ...NAME, upstream: "web" } as const;

test("names: the old process hears its own, and what it says is known by ours", async () => {
  const scene = (await NewScene.begin(1, called("web"), 4, LIMITED)).succeed();
  assert.deepEqual(scene.heard()[0], { type: "lead", limits: [NAME] });
  scene.worker(0).say({ type: "want", ...WEB, count: 1, waitedMs: 5 });
  assert.deepEqual(scene.heard(), [{ type: "recall", ...NAME, count: 1, waitedMs: 5 }]);
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...WEB, count: 1 });
  scene.say({ type: "want", ...NAME, count: 1, waitedMs: 9 });
  scene.worker(0).say({ type: "give", ...WEB, count: 1 });
  assert.deepEqual(scene.granted(), [{ type: "grant", ...NAME, count: 1 }]);
  void scene.supervisor.command({ command: "resume", upstreams: ["web"] });
  void scene.supervisor.command({ command: "drain", windowMs: 7, ...WEB });
  const commands = scene.heard().flatMap((message) => message.type === "command" ? [message.command] : []);
  assert.deepEqual(commands, [
    { command: "resume", upstreams: ["default"] },
    { command: "drain", windowMs: 7, ...NAME },
  ]);
  scene.say({ type: "report", report: busy(2, 3) });
  const [told] = scene.supervisor.lineage.elder?.report.upstreams ?? [];
  assert.deepEqual([told?.name, told?.inFlight, told?.waiting], ["web", 2, 3]);
  scene.say({ type: "down", ...NAME, code: "refused", detail: "" });
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "down", ...WEB, code: "refused", detail: "" });
  scene.worker(0).say({ type: "down", ...WEB, code: "refused", detail: "" });
  assert.deepEqual(scene.heard().at(-1), { type: "down", ...NAME, code: "refused", detail: "" });
  scene.say({ type: "whole", id: 5 });
  await turn();
  scene.worker(0).say({ type: "report", report: emptyReport() });
  scene.say({ type: "report", report: busy(1) });
  await turn();
  const whole = scene.heard().at(-1);
  assert.ok(whole?.type === "whole");
  assert.deepEqual(whole.report.upstreams.map(({ name, inFlight }) => [name, inFlight]), [["default", 1]]);
});

test("names: a command about what the old process does not have is done without it", async () => {
  const scene =
    (await NewScene.begin(1, called("web") + "\n  - { match: { path: /b }, to: 4000 }", 4, LIMITED))
      .succeed();
  scene.heard();
  const other = scene.supervisor.config.upstreams.find(({ name }) => name !== "web")?.name ?? "";
  let done = false;
  void scene.supervisor.command({ command: "pause", upstreams: [other] }).then(() => (done = true));
  scene.worker(0).done();
  await turn();
  assert.deepEqual([done, scene.heard()], [true, []]);
});

test("names: a reload that renames goes on with them", async () => {
  const scene = (await NewScene.begin(1, called("web"), 4, LIMITED)).succeed();
  const changing = scene.supervisor.change(configOf(called("site")), 700);
  scene.worker(0).done({ ok: true, addresses: [] });
  await turn();
  await turn();
  scene.worker(0).done();
  assert.ok((await changing).ok);
  scene.heard();
  const site = { ...NAME, upstream: "site" };
  scene.worker(0).say({ type: "want", ...site, count: 1, waitedMs: 5 });
  assert.deepEqual(scene.heard(), [{ type: "recall", ...NAME, count: 1, waitedMs: 5 }]);
  scene.say({ type: "give", ...NAME, count: 1 });
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...site, count: 1 });
  void scene.supervisor.command({ command: "resume", upstreams: ["site"] });
  const [command] = scene.heard();
  assert.ok(command?.type === "command");
  assert.deepEqual(command.command, { command: "resume", upstreams: ["default"] });
});

test("an upgrade that names other endpoints: what waits in the old process goes there, what runs may end", async () => {
  const scene = (await NewScene.begin(1, called("default", "3001"), 4, LIMITED)).succeed();
  const command = scene.heard().findLast((message) => message.type === "command");
  assert.ok(command?.type === "command" && command.command.command === "follow");
  assert.deepEqual(
    command.command.upstreams.map(({ upstream, endpoints }) => [upstream, endpoints[0]?.name]),
    [
      ["default", "127.0.0.1:3001"],
    ],
  );
  assert.ok(command.command.drainMs > 3_600_000, "its own drain time is for that");
  assert.deepEqual(scene.supervisor.lineage.differing(), []);
  scene.say({
    type: "done",
    id: command.id,
    result: { ok: false, failure: { kind: "system", message: "no" } },
  });
  assert.equal(scene.supervisor.lineage.differing().length, 1, "it could not");
});

test("a silent old process: verbs wait for it once, and for the others always", async () => {
  const scene = (await NewScene.begin(1)).succeed();
  let done = 0;
  const command = () => void scene.supervisor.command({ command: "reopen" }).then(() => done++);
  command();
  scene.worker(0).done();
  await turn();
  assert.deepEqual([done, scene.supervisor.lineage.silent], [0, null]);
  scene.clock.advance(3000);
  await turn();
  assert.deepEqual([done, scene.supervisor.lineage.silent], [1, 99]);
  command();
  await turn();
  assert.equal(done, 1, "the worker has not answered");
  scene.worker(0).done();
  await turn();
  assert.equal(done, 2);
  const sums = scene.supervisor.report();
  scene.worker(0).say({ type: "report", report: busy(1) });
  assert.equal((await sums).upstreams[0]?.inFlight, 1);
  // It goes on: all that it was told meanwhile is done there.
  const told = scene.heard().findLast((message) => message.type === "command");
  assert.ok(told?.type === "command");
  scene.say({ type: "done", id: told.id, result: { ok: true } });
  assert.equal(scene.supervisor.lineage.silent, null);
  command();
  scene.worker(0).done();
  await turn();
  assert.equal(done, 2);
  scene.supervisor.lineage.elderGone();
  await turn();
  assert.equal(done, 3);
});

test("a change of configuration: what waits in the old process goes to the new endpoints", async () => {
  const scene = (await NewScene.begin(1)).succeed();
  scene.heard();
  const changing = scene.supervisor.change(configOf("to: 3001\nmax_in_flight: 4"), 700);
  scene.worker(0).done({ ok: true, addresses: [] });
  await turn();
  await turn();
  scene.worker(0).done();
  await turn();
  const commands = scene.heard().filter((message) => message.type === "command");
  assert.deepEqual(commands.map(({ command }) => command.command), ["desire", "follow"]);
  const command = commands[1];
  assert.ok(command?.command.command === "follow");
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
  void scene.supervisor.ended.then(() => (ended = true));
  void scene.supervisor.stop();
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
  readonly scene: SupervisorScene;
  readonly said: ToHeir[];
  tell(message: ToElder): void;
}> {
  const scene = new SupervisorScene(workers, yaml);
  await scene.serve();
  const said: ToHeir[] = [];
  scene.supervisor.lineage.handOver((message) => void said.push(message));
  void scene.supervisor.stop();
  return { scene, said, tell: (message) => scene.supervisor.lineage.heirSaid(message) };
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
  const scene = new SupervisorScene(1);
  await scene.serve();
  scene.supervisor.setDesired({ paused: ["default"], drained: [NAME] });
  scene.supervisor.lineage.handOver(() => {});
  scene.supervisor.lineage.heirSaid({
    type: "command",
    id: 0,
    command: { command: "desire", desired: { paused: [], drained: [], watched: true } },
  });
  assert.deepEqual(scene.worker(0).commands(), ["watch", "resume", "undrain"]);
});

test("the old process: what is ordered stands when it goes over to other endpoints", async () => {
  const { scene, tell } = await oldScene(1);
  const { upstreams } = configOf("to: 3001\nmax_in_flight: 4");
  const follow = upstreams.map(({ name, endpoints }) => ({ upstream: name, endpoints }));
  tell({ type: "command", id: 1, command: { command: "pause", upstreams: ["default"] } });
  tell({ type: "command", id: 2, command: { command: "drain", windowMs: 9, ...NAME } });
  tell({ type: "command", id: 3, command: { command: "undrain", ...NAME } });
  tell({ type: "command", id: 4, command: { command: "follow", upstreams: follow, drainMs: 9 } });
  await turn();
  scene.worker(0).done({ ok: true, addresses: [] });
  await turn();
  await turn();
  const commit = scene.worker(0).command("commit");
  assert.deepEqual([commit?.paused, commit?.drained], [["default"], []]);
});

test("the old process: goes over to other endpoints while it begins to stop, one change after the other", async () => {
  const scene = new SupervisorScene(1, LIMITED);
  await scene.serve();
  const said: ToHeir[] = [];
  scene.supervisor.lineage.handOver((message) => void said.push(message));
  for (const [id, port] of [[1, 3001], [2, 3002]] as const) {
    const upstreams = configOf(`to: ${port}`).upstreams.map(({ name, endpoints }) => ({
      upstream: name,
      endpoints,
    }));
    scene.supervisor.lineage.heirSaid({
      type: "command",
      id,
      command: { command: "follow", upstreams, drainMs: 9 },
    });
  }
  await turn();
  void scene.supervisor.stop();
  for (let i = 0; i < 4; i++) {
    scene.worker(0).done({ ok: true, addresses: [] });
    await turn();
    await turn();
  }
  assert.deepEqual(
    said.filter(({ type }) => type === "done"),
    [1, 2].map((id) => ({
      type: "done",
      id,
      result: { ok: true },
    })),
  );
  assert.equal(scene.supervisor.config.upstreams[0]?.endpoints[0]?.name, "127.0.0.1:3002");
});

test("the old process: its sums are those of both, and its own when the other is gone", async () => {
  const { scene, said, tell } = await oldScene(1);
  said.length = 0;
  const whole = scene.supervisor.report();
  const asked = said.at(-1);
  assert.ok(asked?.type === "whole");
  // The new process asks for ours to answer that.
  tell({ type: "report" });
  scene.worker(0).say({ type: "report", report: busy(1) });
  await turn();
  assert.deepEqual(said.at(-1), { type: "report", report: busy(1) });
  tell({ type: "whole", id: asked.id, report: busy(5) });
  assert.equal((await whole).upstreams[0]?.inFlight, 5);
  const alone = scene.supervisor.report();
  scene.supervisor.lineage.heirGone();
  await turn();
  scene.worker(0).say({ type: "report", report: busy(2) });
  assert.equal((await alone).upstreams[0]?.inFlight, 2);
});

test("the old process: has all slots again when the new one is gone", async () => {
  const { scene, tell } = await oldScene(1);
  tell({ type: "lead", limits: [NAME] });
  scene.worker(0).say({ type: "give", ...NAME, count: 4 });
  scene.worker(0).say({ type: "want", ...NAME, count: 2, waitedMs: 0 });
  scene.supervisor.lineage.heirGone();
  assert.deepEqual(scene.worker(0).heard.at(-1), { type: "grant", ...NAME, count: 2 });
});

test("a chain: the middle passes on commands, sums and slots", async () => {
  const scene = (await NewScene.begin(1)).succeed();
  scene.heard();
  const said: ToHeir[] = [];
  scene.supervisor.lineage.handOver((message) => void said.push(message));
  const tell = (message: ToElder) => scene.supervisor.lineage.heirSaid(message);
  void scene.supervisor.stop();
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
  void scene.supervisor.ended.then(() => (ended = true));
  scene.worker(0).exit();
  scene.clock.advance(3_600_000);
  await turn();
  assert.equal(ended, false);
  scene.supervisor.lineage.elderGone();
  await turn();
  assert.equal(ended, true);
});

test("a trial: commands given meanwhile are done when it is over", async () => {
  const scene = new SupervisorScene(1);
  await scene.serve();
  const trial = Promise.withResolvers<void>();
  scene.supervisor.try(trial.promise);
  let done = false;
  void scene.supervisor.command({ command: "drain", windowMs: 0, ...NAME }).then(() => (done = true));
  scene.worker(0).done();
  await turn();
  assert.equal(done, false);
  trial.resolve();
  await turn();
  assert.equal(done, true);
});
