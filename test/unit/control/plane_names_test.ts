/** What is paused, drained, limited or swapped is a backend: it stays so when a reload changes how it is called. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const named = (name: string, more = "", port = 3000) =>
  `upstreams: {${name}: {endpoints: [${port}]${more}}}\nroutes: [{to: ${name}}]\ndrain_timeout: 20s`;

async function reload(lab: PlaneLab, yaml: string): Promise<void> {
  lab.yaml = yaml;
  const outcome = await lab.done(lab.plane.reload());
  assert.ok(outcome.ok, JSON.stringify(outcome));
}

test("names: a renamed upstream stays paused, with all that waits in it", async () => {
  const lab = await PlaneLab.start(named("app"));
  const backend = await lab.backend(3000);
  lab.watch();
  const paused = await lab.done(lab.plane.pause("app", 0, null, undefined, "with_pause"));
  assert.ok(paused.ok);
  const before = lab.ask("/before");
  await reload(lab, named("web"));
  const after = lab.ask("/after");
  await lab.pass(1000);
  assert.deepEqual(backend.asked, []);
  const [upstream] = (await lab.done(lab.plane.status())).upstreams;
  assert.deepEqual([upstream?.name, upstream?.state, upstream?.waiting], ["web", "paused", 2]);
  assert.deepEqual(
    lab.events.flatMap((event) =>
      event.event === "paused" || event.event === "resumed" ? [`${event.event} ${event.upstream}`] : []
    ),
    ["paused app", "paused web", "resumed app"],
  );
  assert.ok((await lab.done(lab.plane.resume(null, paused.token))).ok);
  await lab.pass(500);
  assert.deepEqual(backend.asked, ["/before", "/after"]);
  assert.deepEqual([answerOf(before), answerOf(after)], ["200 3000/before", "200 3000/after"]);
  await lab.stop();
});

test("names: an upstream that takes over an address of one that is paused is paused, too", async () => {
  const two = (app: string, api: string) =>
    `upstreams: {app: {endpoints: ${app}}, api: {endpoints: ${api}}}\nroutes: [{to: app}, {match: {path: /api}, to: api}]`;
  const lab = await PlaneLab.start(two("[3000]", "[3001]"));
  const backend = await lab.backend(3000);
  await lab.backend(3001);
  await lab.done(lab.plane.pause("app", 0, null));
  await reload(lab, two("[3002]", "[3000]"));
  lab.ask("/api/x");
  await lab.pass(500);
  assert.deepEqual(backend.asked, []);
  await lab.done(lab.plane.resume("api"));
  await lab.pass(500);
  assert.deepEqual(backend.asked, ["/api/x"]);
  const status = await lab.done(lab.plane.status());
  assert.deepEqual(status.upstreams.map(({ state }) => state), ["paused", "up"]);
  await lab.stop();
});

test("names: a pause of all holds an upstream that a reload adds, from its first request on", async () => {
  const lab = await PlaneLab.start(named("app"));
  await lab.done(lab.plane.pause(null, 0, null));
  const other = await lab.backend(3001);
  await reload(
    lab,
    "upstreams: {app: {endpoints: [3000]}, api: {endpoints: [3001]}}\nroutes: [{to: app}, {match: {path: /api}, to: api}]",
  );
  const client = lab.ask("/api");
  await lab.pass(500);
  assert.deepEqual(other.asked, []);
  await lab.done(lab.plane.resume(null));
  await lab.pass(500);
  assert.equal(answerOf(client), "200 3001/api");
  await lab.stop();
});

test("names: a pause ends with its upstream, when nothing has its addresses any more", async () => {
  const lab = await PlaneLab.start(named("app"));
  const old = await lab.backend(3000);
  await lab.backend(3001);
  lab.watch();
  await lab.done(lab.plane.pause("app", 0, null));
  const held = lab.ask("/held");
  await reload(lab, named("other", "", 3001));
  await lab.pass(500);
  assert.equal(answerOf(held), "200 3000/held", "it was asked of the old one");
  assert.deepEqual(old.asked, ["/held"]);
  assert.equal(answerOf(await asked(lab, "/new")), "200 3001/new");
  assert.ok(lab.events.some((event) => event.event === "resumed" && event.because === "removed"));
  await lab.stop();
});

async function asked(lab: PlaneLab, target: string) {
  const client = lab.ask(target);
  await lab.pass(100);
  return client;
}

for (
  const [what, ...configs] of [
    ["renamed", named("web", ", max_in_flight: 1")],
    ["renamed and back", named("web", ", max_in_flight: 1"), named("app", ", max_in_flight: 1")],
    ["taken away and put back", "routes: [{respond: none}]", named("app", ", max_in_flight: 1")],
    [
      "taken away and put back by another name",
      "routes: [{respond: none}]",
      named("web", ", max_in_flight: 1"),
    ],
    [
      "swapped for another endpoint and back",
      named("app", ", max_in_flight: 1", 3001),
      named("app", ", max_in_flight: 1"),
    ],
    [
      "reached in another way",
      named("app", ", max_in_flight: 1, upstream_tls: {verify: false}").replace(
        "3000",
        '"https://127.0.0.1:3000"',
      ),
      named("app", ", max_in_flight: 1"),
    ],
    [
      "in another upstream",
      "upstreams: {app: {endpoints: [3001]}, web: {endpoints: [3000], max_in_flight: 1}}\nroutes: [{to: web}, {match: {path: /app}, to: app}]",
    ],
  ] as const
) {
  test(`names: max_in_flight holds over an endpoint that is ${what}`, async () => {
    const lab = await PlaneLab.start(named("app", ", max_in_flight: 1"));
    const backend = await lab.backend(3000);
    backend.keeps = true;
    const first = lab.ask("/first");
    await lab.pass(50);
    for (const config of configs) await reload(lab, config);
    const second = lab.ask("/second");
    await lab.pass(1000);
    assert.deepEqual(backend.asked, ["/first"], "one at a time");
    backend.keeps = false;
    backend.answer();
    await lab.pass(1000);
    assert.equal(answerOf(first), "200 3000/first");
    assert.equal(answerOf(second), "200 3000/second");
    await lab.stop();
  });
}

test("names: --wait-idle waits for what a renamed upstream still does", async () => {
  const lab = await PlaneLab.start(named("app"));
  const backend = await lab.backend(3000);
  backend.keeps = true;
  lab.ask("/slow");
  await lab.pass(50);
  await reload(lab, named("web"));
  let done = false;
  const paused = lab.plane.pause("web", 10_000, null).finally(() => (done = true));
  await lab.pass(500);
  assert.equal(done, false);
  backend.answer();
  assert.ok((await lab.done(paused, 500)).ok);
  await lab.stop();
});

test("names: an endpoint stays drained however it is reached, and whatever its upstream is called", async () => {
  const lab = await PlaneLab.start("upstreams: {app: {endpoints: [3000, 3001]}}\nroutes: [{to: app}]");
  const [one, two] = [await lab.backend(3000), await lab.backend(3001)];
  assert.ok((await lab.done(lab.plane.drain("3001", null, 1000, false))).ok);
  const configs = [
    "upstreams: {app: {endpoints: [3000, 3001], upstream_tls: {server_name: x}}}\nroutes: [{to: app}]",
    "upstreams: {web: {endpoints: [3000, 3001]}}\nroutes: [{to: web}]",
  ];
  for (const config of configs) {
    await reload(lab, config);
    lab.asks(4);
    await lab.pass(500);
    const [upstream] = (await lab.done(lab.plane.status())).upstreams;
    assert.equal(upstream?.endpoints[1]?.state, "drained");
  }
  await reload(lab, 'upstreams: {web: {endpoints: [3000, "https://127.0.0.1:3001"]}}\nroutes: [{to: web}]');
  lab.asks(4);
  await lab.pass(500);
  assert.deepEqual([one.asked.length, two.peers.length], [12, 0]);
  assert.ok((await lab.done(lab.plane.undrain("https://127.0.0.1:3001", null))).ok);
  await lab.stop();
});

test("names: a swap lasts when its upstream is renamed", async () => {
  const lab = await PlaneLab.start(named("app"));
  await lab.backend(3000);
  await lab.backend(3001);
  assert.ok((await lab.done(lab.plane.swap("app", ["3001"], null, 1000, 0))).ok);
  for (const name of ["web", "app"]) {
    await reload(lab, named(name));
    assert.equal(answerOf(await asked(lab, "/x")), "200 3001/x");
  }
  await lab.stop();
});
