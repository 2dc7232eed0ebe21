/** A gate from its opening to its end: reloads, pauses and drains, alone and together. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenError } from "../../../src/api/api_error.ts";
import { GateLab } from "../../support/gate_lab.ts";
import { answerOf } from "../../support/network_lab.ts";

const app = (...endpoints: number[]) => ({ upstreams: { app: { endpoints } } });

test("gate: serves, tells what it does, and ends without a trace", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const gate = await lab.open(app(3000));
  assert.deepEqual(gate.addresses, [`127.0.0.1:${gate.port}`]);
  const client = lab.ask("/1");
  await lab.pass(20);
  assert.equal(answerOf(client), "200 3000/1");
  const status = gate.status();
  assert.equal(status.state, "serving");
  assert.equal(status.connections, 1);
  assert.equal(status.totals.requests, 1);
  assert.deepEqual(status.upstreams.map(({ name, state, waiting }) => [name, state, waiting]), [[
    "app",
    "up",
    0,
  ]]);
  await lab.end(gate);
  assert.equal(gate.status().state, "stopping");
  assert.ok(
    lab.lines.some((line) => / info sluice: listening on 127\.0\.0\.1:\d+$/.test(line)),
    lab.lines.join("\n"),
  );
  assert.ok(lab.lines.every((line) => !line.includes("\n")));
  const refused = lab.dial(gate.port);
  await lab.pass(20);
  assert.equal(refused.end, "connection_refused");
});

test("gate: several in one process know nothing of each other", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  await lab.backend(3001);
  const first = await lab.open(app(3000));
  const second = await lab.open(app(3001));
  await lab.done(first.pause());
  const held = lab.dial(first.port);
  held.say("GET /held HTTP/1.1\r\nHost: lab\r\n\r\n");
  const other = lab.ask("/other");
  await lab.pass(50);
  assert.equal(answerOf(held), "");
  assert.equal(answerOf(other), "200 3001/other");
  assert.equal(first.status().upstreams[0]?.waiting, 1);
  assert.equal(second.status().upstreams[0]?.waiting, 0);
  await lab.done(second.close(0));
  await lab.done(first.resume());
  await lab.pass(50);
  assert.equal(answerOf(held), "200 3000/held");
  await lab.end(first);
});

test("gate: a pause is the program's own, whoever else pauses", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  await lab.backend(3001);
  const gate = await lab.open({
    upstreams: { a: { endpoints: [3000] }, b: { endpoints: [3001] } },
    routes: [{ match: { path: "/a/" }, to: "a" }, { to: "b" }],
  });
  const owners = () =>
    Object.fromEntries(
      gate.status().upstreams.map(({ name, paused }) =>
        [name, paused?.owners.map(({ owner }) => owner) ?? []] as const
      ),
    );
  await lab.done(gate.pause());
  await lab.done(gate.pause("a"));
  await lab.done(gate.pause("a"));
  assert.deepEqual(owners(), { a: ["program", "program"], b: ["program"] });
  const held = [lab.ask("/a/1"), lab.ask("/b")];
  await lab.done(gate.resume("b"));
  await lab.pass(50);
  assert.deepEqual(held.map(answerOf), ["", "200 3001/b"]);
  await lab.done(gate.resume("a"));
  assert.deepEqual(owners(), { a: [], b: [] });
  await lab.pass(50);
  assert.equal(answerOf(held[0]!), "200 3000/a/1"); // it was made above
  for (const verb of ["pause", "resume"] as const) {
    await assert.rejects(lab.done(gate[verb]("c")), { name: "RangeError", message: /no upstream c.*a, b/ });
  }
  await lab.done(gate.resume());
  await lab.end(gate);
});

test("gate: a reload changes all or nothing, and a pause of all is one of what it adds", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  await lab.backend(3001);
  const gate = await lab.open(app(3000));
  const { port } = gate;
  const before = gate.status();
  await assert.rejects(
    lab.done(
      gate.reload({ upstreams: { app: { endpoints: [3001], hold: "soon" } }, routes: [{ to: "ap" }] }),
    ),
    (error: Error & { problems?: readonly string[] }) => {
      assert.equal(error.name, "ConfigError");
      assert.deepEqual(error.problems?.map((line) => line.split(": ")[0]), [
        "upstreams.app.hold",
        "routes[0].to",
      ]);
      return true;
    },
  );
  const client = lab.ask("/1");
  await lab.pass(20);
  assert.equal(answerOf(client), "200 3000/1");
  assert.equal(gate.status().generation, before.generation);
  await lab.done(gate.pause());
  const more = { more: { endpoints: [3001] }, app: { endpoints: [3000] } };
  await lab.done(gate.reload({
    listen: "127.0.0.1:0",
    upstreams: more,
    routes: [{ match: { path: "/m/" }, to: "more" }, { to: "app" }],
    log: lab.log,
  }));
  assert.equal(gate.port, port, "a listener that is written the same stays");
  assert.equal(gate.status().generation, before.generation + 1);
  const held = [lab.ask("/m/1"), lab.ask("/2")];
  await lab.pass(100);
  assert.deepEqual(held.map(answerOf), ["", ""]);
  await lab.done(gate.resume());
  await lab.pass(100);
  assert.deepEqual(held.map(answerOf), ["200 3001/m/1", "200 3000/2"]);
  await lab.end(gate);
});

test("gate: reloads that are asked for at once are done in their order", async () => {
  const lab = new GateLab();
  for (const port of [3000, 3001, 3002]) await lab.backend(port);
  const gate = await lab.open(app(3000));
  const reloads = [3001, 3002].map((port) => gate.reload({ listen: "127.0.0.1:0", ...app(port) }));
  await lab.done(Promise.all(reloads));
  assert.deepEqual(gate.status().upstreams[0]?.endpoints.map(({ name }) => name), ["127.0.0.1:3002"]);
  await lab.end(gate);
});

test("gate: what cannot be bound opens nothing", async () => {
  const lab = new GateLab();
  const gate = await lab.open(app(3000));
  const twice = lab.library.open({ listen: [`127.0.0.1:${gate.port}`, "127.0.0.1:0"], ...app(3000) });
  await assert.rejects(
    lab.done(twice),
    (error) => error instanceof OpenError && /address_in_use.*choose another listen$/.test(error.message),
  );
  await assert.rejects(
    lab.done(gate.reload({ listen: "https://127.0.0.1:0", ...app(3000) })),
    /tls\.cert/,
  );
  await lab.end(gate);
});

test("gate: close lets requests end within its own time, and says so to each who asks", async () => {
  const lab = new GateLab();
  const backend = await lab.backend(3000);
  backend.keeps = true;
  const gate = await lab.open({ ...app(3000), options: { drain_timeout: "1s" } });
  const client = lab.ask("/slow");
  await lab.pass(20);
  let closed = 0;
  const closing = [gate.close(10_000), gate.close(), gate.closed];
  for (const each of closing) void each.then(() => closed++);
  await lab.pass(5_000);
  assert.equal(closed, 0, "the time that was given counts, not that of the options");
  backend.answer();
  await lab.done(Promise.all(closing));
  assert.equal(answerOf(client), "200 3000/slow");
  await assert.rejects(gate.reload(app(3000)), /closed/);
  await assert.rejects(gate.pause(), /closed/);
  await lab.end(gate);
});

test("gate: a later close may shorten the time, and cuts off what is left", async () => {
  const lab = new GateLab();
  const backend = await lab.backend(3000);
  backend.keeps = true;
  const gate = await lab.open(app(3000));
  const client = lab.ask("/slow");
  await lab.pass(20);
  void gate.close();
  await lab.pass(1_000);
  assert.equal(client.end, "");
  await lab.done(gate.close(500), 2_000);
  assert.notEqual(client.end, "");
  assert.ok(lab.lines.some((line) => line.includes("1 request dropped")), lab.lines.join("\n"));
  await assert.rejects(gate.close(-1), { name: "RangeError" });
  await lab.end(gate);
});

test("gate: close during a pause answers what is held, and counts it", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const gate = await lab.open(app(3000));
  await lab.done(gate.pause());
  const held = lab.ask("/held");
  await lab.pass(20);
  await lab.done(gate.close(100), 5_000);
  assert.match(answerOf(held), /^503 /);
  await lab.end(gate);
});

test("gate: `await using` closes it", async () => {
  const lab = new GateLab();
  const gate = await lab.open(app(3000));
  await lab.done(Promise.resolve(gate[Symbol.asyncDispose]()));
  await lab.done(gate.closed);
  await lab.end();
});

test("gate: a log that throws does no harm, and lines of the access log come to it", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const lines: string[] = [];
  const gate = await lab.open({
    ...app(3000),
    options: { access_log: "json" },
    log: (line) => {
      lines.push(line);
      throw new Error("full");
    },
  });
  const client = lab.ask("/1");
  await lab.pass(20);
  assert.equal(answerOf(client), "200 3000/1");
  await lab.end(gate);
  assert.ok(lines.some((line) => line.includes('"target":"/1"')), lines.join("\n"));
});

test("gate: the admin listener is the program's if it wants one", async () => {
  const lab = new GateLab();
  const gate = await lab.open({ ...app(3000), options: { admin: "127.0.0.1:9180" } });
  const client = lab.dial(9180);
  client.say("GET /status.json HTTP/1.1\r\nHost: 127.0.0.1:9180\r\nConnection: close\r\n\r\n");
  await lab.pass(50);
  assert.match(client.received, /^HTTP\/1\.1 200 [^]*"name":"app"/);
  await lab.end(gate);
});
