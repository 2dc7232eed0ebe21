/** Workers with scripts that are not heard of any more: who is ended, who is not, and what becomes of a reload meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, SupervisorScene } from "../../../support/supervisor_scene.ts";
import { turn } from "../../../support/watchdog.ts";

const YAML = "to: 3000\nscript: {file: route.ts, stall: 3s}";

/** Time passes, second by second; workers of `beating` beat. */
function pass(scene: SupervisorScene, seconds: number, beating: readonly number[] = []): void {
  for (let second = 0; second < seconds; second++) {
    scene.clock.advance(1000);
    for (const at of beating) scene.worker(at).say({ type: "beat" });
  }
}

async function serving(count: number): Promise<SupervisorScene> {
  const scene = new SupervisorScene(count, YAML);
  await scene.serve();
  for (const worker of scene.workers) worker.say({ type: "beat" });
  return scene;
}

for (const count of [1, 2]) {
  test(`a worker of ${count} that is silent for too long is ended and replaced, suspected`, async () => {
    const scene = await serving(count);
    const others = count === 1 ? [] : [1];
    pass(scene, 2, others);
    assert.equal(scene.worker(0).killed, false);
    pass(scene, 1, others);
    assert.equal(scene.worker(0).killed, true);
    assert.deepEqual(scene.events, ["0 stalled: 3 s"]);
    assert.equal(scene.workers.slice(1).some(({ killed }) => killed), false);
    scene.worker(0).exit(null, "SIGKILL");
    assert.match(scene.events[1] ?? "", /^0 ended: a script did not come to an end \(signal SIGKILL\)$/);
    scene.clock.advance(1000);
    const next = scene.worker(count).hello();
    assert.equal(next.start?.suspected, true);
    next.listens().say({ type: "beat" });
    pass(scene, 20, [count, ...others]);
    assert.equal(next.killed, false);
  });
}

test("suspicion ends after ten minutes", async () => {
  const scene = await serving(1);
  pass(scene, 3);
  scene.worker(0).exit(null, "SIGKILL");
  scene.clock.advance(1000);
  scene.worker(1).hello().listens();
  scene.clock.advance(10 * 60_000);
  scene.worker(1).exit(1);
  scene.clock.advance(20_000);
  assert.equal(scene.worker(2).hello().start?.suspected, false);
});

test("a worker that somebody has stopped has all its time anew when it goes on", async () => {
  const scene = await serving(1);
  const pid = scene.supervisor.pids[0] ?? 0;
  scene.stopped.add(pid);
  pass(scene, 60);
  assert.equal(scene.worker(0).killed, false);
  scene.stopped.delete(pid);
  pass(scene, 1);
  scene.worker(0).say({ type: "beat" });
  pass(scene, 2);
  assert.equal(scene.worker(0).killed, false);
});

test("time in which this process does not run itself is no silence", async () => {
  const scene = await serving(1);
  // One look, an hour late: the machine has slept.
  for (let nap = 0; nap < 5; nap++) {
    scene.clock.sleep(3_600_000);
    scene.worker(0).say({ type: "beat" });
  }
  assert.equal(scene.worker(0).killed, false);
});

test("who does not beat is not missed: there are no scripts", async () => {
  const scene = new SupervisorScene(1);
  await scene.serve();
  pass(scene, 60);
  assert.equal(scene.worker(0).killed, false);
});

test("a script that does not come to the end of its top level ends the start", async () => {
  const scene = new SupervisorScene(1, YAML);
  const started = scene.supervisor.start();
  scene.worker(0).hello().say({ type: "beat" });
  pass(scene, 3);
  assert.equal(scene.worker(0).killed, true);
  scene.worker(0).exit(null, "SIGKILL");
  const outcome = await started;
  assert.ok(!outcome.ok);
  assert.equal(outcome.failure.kind, "script");
});

test("a reload that stalls one worker does not take the others along", async () => {
  const scene = await serving(2);
  const changed = scene.supervisor.change(configOf(YAML), 1000, undefined, true);
  await turn();
  assert.deepEqual(scene.worker(0).commands(), ["prepare"]);
  pass(scene, 3, [1]);
  assert.equal(scene.worker(0).killed, true);
  scene.worker(0).exit(null, "SIGKILL");
  await turn();
  assert.deepEqual(scene.worker(1).commands(), ["rollback"]);
  scene.worker(1).done();
  const outcome = await changed;
  assert.ok(!outcome.ok);
  assert.match(outcome.message, /top level/);
});
