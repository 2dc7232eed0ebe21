/** Workers with scripts that are not heard of any more: who is ended, who is not, and what becomes of a reload meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTE_BYTES, ScriptNote } from "../../../../src/process/shared/script_note.ts";
import { beatMs } from "../../../../src/process/worker/worker.ts";
import { configOf, SupervisorScene } from "../../../support/supervisor_scene.ts";
import { turn } from "../../../support/watchdog.ts";

const BEAT = { type: "beat", note: 0 } as const;
const YAML = "to: 3000\nscript: {file: route.ts, stall: 3s}";

/** Time passes, second by second; workers of `beating` beat. */
function pass(scene: SupervisorScene, seconds: number, beating: readonly number[] = []): void {
  for (let second = 0; second < seconds; second++) {
    scene.clock.advance(1000);
    for (const at of beating) scene.worker(at).say(BEAT);
  }
}

async function serving(count: number): Promise<SupervisorScene> {
  const scene = new SupervisorScene(count, YAML);
  await scene.serve();
  for (const worker of scene.workers) worker.say(BEAT);
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
    next.listens().say(BEAT);
    pass(scene, 20, [count, ...others]);
    assert.equal(next.killed, false);
  });
}

test("a worker that beats as often as it should is not ended, whatever the patience, though it is a bit late", async () => {
  for (const stallMs of [1000, 1500, 3000, 10_000, 60_000]) {
    const scene = new SupervisorScene(1, `to: 3000\nscript: {file: route.ts, stall: ${stallMs}ms}`);
    await scene.serve();
    scene.worker(0).say(BEAT);
    for (let beats = 0; beats < 200; beats++) {
      scene.clock.advance(beatMs(stallMs) + 1 + beats % 90);
      scene.worker(0).say(BEAT);
    }
    assert.deepEqual(scene.events, [], `${stallMs} ms`);
    scene.clock.advance(2 * stallMs);
    assert.equal(scene.events.length, 1);
  }
});

test("the call that a worker is in when it is silent is told, if it can be read", async () => {
  const scene = await serving(1);
  const bytes = new Uint8Array(NOTE_BYTES);
  const note = new ScriptNote(bytes);
  const pid = scene.supervisor.pids[0] ?? 0;
  scene.exposed.set(`${pid} 4096`, bytes);
  scene.worker(0).say({ type: "beat", note: 4096 });
  note.begin("route.ts", "onRequest", { method: "GET", uri: "/quick" });
  note.end();
  note.begin("route.ts", "onResponse", { method: "POST", uri: "/loop?n=1" });
  pass(scene, 3);
  assert.deepEqual(scene.events, ["0 stalled: 3 s in onResponse of route.ts: POST /loop?n=1"]);
  scene.worker(0).exit(null, "SIGKILL");
  scene.clock.advance(1000);
  // The next one has another process, of which nothing is known yet.
  scene.worker(1).hello().listens().say(BEAT);
  pass(scene, 3);
  assert.equal(scene.events.at(-1), "0 stalled: 3 s");
  scene.worker(1).exit(null, "SIGKILL");
  scene.clock.advance(1000);
  scene.exposed.set(`${scene.supervisor.pids[0]} 4096`, new Uint8Array(NOTE_BYTES));
  scene.worker(2).hello().listens().say({ type: "beat", note: 4096 });
  pass(scene, 3);
  assert.equal(scene.events.at(-1), "0 stalled: 3 s outside of calls");
});

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
  scene.worker(0).say(BEAT);
  pass(scene, 2);
  assert.equal(scene.worker(0).killed, false);
});

test("time in which this process does not run itself is no silence", async () => {
  const scene = await serving(1);
  // One look, an hour late: the machine has slept.
  for (let nap = 0; nap < 5; nap++) {
    scene.clock.sleep(3_600_000);
    scene.worker(0).say(BEAT);
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
  scene.worker(0).hello().say(BEAT);
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
