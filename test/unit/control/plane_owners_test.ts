/** Several owners pause the same upstream: each ends its own pauses, and requests wait for the last one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PauseOwner } from "../../../src/process/worker/pause_owner.ts";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

async function paused(
  lab: PlaneLab,
  owner: PauseOwner,
  leaseMs: number | null,
  upstream: string | null = null,
) {
  const outcome = await lab.done(lab.plane.pause(upstream, 0, leaseMs, undefined, owner));
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome.token;
}

async function resumed(lab: PlaneLab, token?: string, upstream: string | null = null) {
  const outcome = await lab.done(lab.plane.resume(upstream, token));
  assert.ok(outcome.ok);
  return {
    ended: outcome.ended,
    held: outcome.still_paused.map(({ upstream, owner }) => `${upstream} ${owner}`),
  };
}

test("owners: the end of one with-pause lets nothing through that another one holds", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  const first = await paused(lab, "with_pause", 10_000);
  const second = await paused(lab, "with_pause", 10_000);
  const client = lab.ask("/held");
  assert.deepEqual(await resumed(lab, second), { ended: 1, held: ["default with_pause"] });
  await lab.pass(500);
  assert.equal(answerOf(client), "", "the first one still runs");
  assert.ok((await lab.done(lab.plane.renew(first, 10_000))).ok);
  assert.deepEqual(await resumed(lab, first), { ended: 1, held: [] });
  await lab.pass(100);
  assert.equal(answerOf(client), "200 3000/held");
  assert.deepEqual(await resumed(lab, first), { ended: 0, held: [] }, "it is over");
  await lab.stop();
});

test("owners: a with-pause ends no operator's pause, and resume ends no with-pause", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  lab.watch();
  await paused(lab, "operator", null);
  const token = await paused(lab, "with_pause", 1000);
  const client = lab.ask("/held");
  assert.deepEqual(await resumed(lab), { ended: 1, held: ["default with_pause"] });
  await lab.pass(100);
  assert.equal(answerOf(client), "");
  await paused(lab, "operator", null);
  assert.deepEqual(await resumed(lab, token), { ended: 1, held: ["default operator"] });
  await lab.pass(2000);
  assert.equal(answerOf(client), "");
  assert.deepEqual(await resumed(lab), { ended: 1, held: [] });
  await lab.pass(100);
  assert.equal(answerOf(client), "200 3000/held");
  assert.deepEqual(
    lab.events.flatMap((event) =>
      event.event === "paused" || event.event === "resumed" || event.event === "pause_ended"
        ? [`${event.event} ${event.owner}`]
        : []
    ),
    [
      "paused operator",
      "paused with_pause",
      "pause_ended operator",
      "paused operator",
      "pause_ended with_pause",
      "resumed operator",
    ],
  );
  await lab.stop();
});

test("owners: a pause that fails to become idle, or whose asker leaves, ends itself alone", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const backend = await lab.backend(3000);
  backend.keeps = true;
  lab.ask("/in-flight");
  await lab.pass(10);
  await paused(lab, "operator", null);
  const late = await lab.done(lab.plane.pause(null, 200, 10_000, undefined, "with_pause"));
  assert.ok(!late.ok && late.code === "timeout" && /The pause has been ended/.test(late.message));
  const gone = new AbortController();
  const leaving = lab.plane.pause(null, 60_000, null, gone.signal);
  await lab.pass(100);
  gone.abort();
  await lab.done(leaving, 100);
  lab.ask("/second");
  await lab.pass(100);
  assert.deepEqual(backend.asked, ["/in-flight"], "the operator's pause stands");
  const [upstream] = (await lab.done(lab.plane.status())).upstreams;
  assert.deepEqual(upstream?.paused?.owners.map(({ owner }) => owner), ["operator"]);
  await lab.stop();
});

test("owners: the longest of several leases counts, and a pause without one outlives them", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  await paused(lab, "operator", 1000);
  await paused(lab, "operator", 3000);
  const client = lab.ask("/held");
  const [upstream] = (await lab.done(lab.plane.status())).upstreams;
  const { owners = [], lease_until: until } = upstream?.paused ?? {};
  assert.equal(owners.length, 2);
  assert.equal(until, owners[1]?.lease_until, "the last of them");
  await lab.pass(2000);
  assert.equal(answerOf(client), "");
  await paused(lab, "operator", null);
  await lab.pass(5000);
  assert.equal(answerOf(client), "");
  await paused(lab, "operator", 100);
  await lab.pass(5000);
  assert.equal(answerOf(client), "", "a later lease does not shorten it");
  assert.deepEqual(await resumed(lab), { ended: 1, held: [] });
  await lab.pass(100);
  assert.equal(answerOf(client), "200 3000/held");
  await lab.stop();
});

test("owners: a wait for idle whose pause is ended meanwhile does not say that all is quiet", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const backend = await lab.backend(3000);
  backend.keeps = true;
  lab.ask("/in-flight");
  await lab.pass(10);
  const waiting = lab.plane.pause(null, 10_000, null);
  await lab.pass(100);
  await resumed(lab);
  const outcome = await lab.done(waiting, 200);
  assert.ok(!outcome.ok && outcome.code === "failed" && /has ended meanwhile/.test(outcome.message));
  await lab.stop();
});

test("owners: a resume of one upstream leaves the rest of a pause of all", async () => {
  const lab = await PlaneLab.start(
    "upstreams: {app: {endpoints: [3000]}, api: {endpoints: [3001]}}\nroutes: [{match: {path: /api}, to: api}, {to: app}]",
  );
  await lab.backend(3000);
  await lab.backend(3001);
  const token = await paused(lab, "operator", null);
  const [app, api] = [lab.ask("/app"), lab.ask("/api")];
  assert.deepEqual(await resumed(lab, undefined, "app"), { ended: 1, held: [] });
  await lab.pass(100);
  assert.equal(answerOf(app), "200 3000/app");
  assert.equal(answerOf(api), "");
  assert.deepEqual(await resumed(lab, token), { ended: 1, held: [] });
  await lab.pass(100);
  assert.equal(answerOf(api), "200 3001/api");
  await lab.stop();
});

test("owners: another Sluice goes on with the pauses of all askers, and with their tokens", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  await paused(lab, "operator", 60_000);
  const token = await paused(lab, "with_pause", 1000);
  const restart = lab.plane.pauses.begin("restart", ["default"], null).pause;
  const handover = lab.plane.handoverState();
  assert.deepEqual(handover.paused.map(({ owner }) => owner), ["operator", "with_pause"]);

  const next = await PlaneLab.start("to: 3000");
  await next.backend(3000);
  await next.done(next.plane.restore(handover));
  const client = next.ask("/held");
  await next.pass(900);
  assert.ok((await next.done(next.plane.renew(token, 1000))).ok);
  assert.deepEqual(await resumed(next), { ended: 1, held: ["default with_pause"] });
  await next.pass(900);
  assert.equal(answerOf(client), "");
  assert.deepEqual(await resumed(next, token), { ended: 1, held: [] });
  await next.pass(100);
  assert.equal(answerOf(client), "200 3000/held");
  await lab.done(lab.plane.pauses.end(restart, null));
  await next.stop();
  await lab.stop();
});

test("owners: what the other Sluice has resumed since is resumed, and no pause of our own", async () => {
  const lab = await PlaneLab.start("to: 3000");
  await lab.backend(3000);
  const entry = { upstream: "default", since: 0, leaseUntil: null };
  await lab.done(lab.plane.restore({
    swapped: [],
    drained: [],
    paused: [{ ...entry, token: "a" }, { ...entry, token: "b", owner: "with_pause" }],
  }));
  const { pause } = lab.plane.pauses.begin("upgrade", ["default"], null);
  await lab.done(lab.plane.takeOver({ swapped: [], drained: [], paused: [{ ...entry, token: "a" }] }));
  const owners = async () =>
    (await lab.done(lab.plane.status())).upstreams[0]?.paused?.owners.map(({ owner }) => owner);
  assert.deepEqual(await owners(), ["upgrade", "operator"]);
  await lab.done(lab.plane.takeOver({ swapped: [], drained: [], paused: [] }));
  assert.deepEqual(await owners(), ["upgrade"]);
  const client = lab.ask("/held");
  await lab.pass(100);
  assert.equal(answerOf(client), "");
  await lab.done(lab.plane.pauses.end(pause, null));
  await lab.pass(100);
  assert.equal(answerOf(client), "200 3000/held");
  await lab.stop();
});
