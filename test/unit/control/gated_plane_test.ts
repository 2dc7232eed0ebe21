/** Which verbs wait, are refused or are done while one Sluice takes the place of another. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate, gatedPlane } from "../../../src/control/gated_plane.ts";
import type { ControlPlane } from "../../../src/control/plane.ts";
import { FakePlane } from "../../support/fake_plane.ts";
import { turn } from "../../support/watchdog.ts";

async function codeOf(answer: Promise<{ readonly ok: boolean; readonly code?: string }>): Promise<string> {
  const outcome = await answer;
  return outcome.ok ? "done" : outcome.code ?? "";
}

test("gate: on trial the configuration stays, all else goes on", async () => {
  const gate = new Gate();
  const verbs = gatedPlane(new FakePlane(), gate);
  gate.trial = true;
  const answers = [verbs.reload(), verbs.swap(null, ["3001"], null, 1, 1), verbs.restart(null, 1)];
  assert.deepEqual(await Promise.all(answers.map(codeOf)), ["busy", "busy", "busy"]);
  const others = [verbs.pause(null, 0, null), verbs.drain("e", null, 0, false), verbs.reopenLogs()];
  assert.deepEqual(await Promise.all(others.map(codeOf)), ["done", "done", "done"]);
  gate.trial = false;
  assert.equal(await codeOf(verbs.reload()), "done");
});

test("gate: while the names change hands verbs wait for whoever is in charge then", async () => {
  for (const replaced of [false, true]) {
    const gate = new Gate();
    const plane = new FakePlane();
    const verbs = gatedPlane(plane, gate);
    gate.shut();
    const answer = codeOf(verbs.resume(null));
    await turn();
    assert.equal(plane.asked.length, 0);
    if (replaced) gate.replaced(99);
    else gate.open();
    assert.equal(await answer, replaced ? "replaced" : "done");
    assert.equal(plane.asked.length, replaced ? 0 : 1);
  }
});

test("gate: a wait in a process that ends is to be asked of the other one, unless whoever asked has left", async () => {
  const gate = new Gate();
  const slow: ControlPlane["wait"] = (_upstream, _what, _timeoutMs, signal) =>
    new Promise((done) => {
      signal?.addEventListener("abort", () => done({ ok: false, code: "failed", message: "left" }));
    });
  const verbs = gatedPlane(Object.assign(new FakePlane(), { wait: slow }), gate);
  const leaving = new AbortController();
  const answers = [verbs.wait(null, "idle", 1, leaving.signal), verbs.wait(null, "idle", 1)].map(codeOf);
  await turn();
  leaving.abort();
  assert.equal(await answers[0], "failed");
  let idle = false;
  void gate.idle.then(() => (idle = true));
  await turn();
  assert.equal(idle, false);
  gate.replaced(99);
  gate.end();
  assert.equal(await answers[1], "replaced");
  await turn();
  assert.equal(idle, true);
});
