/** Endpoints drained, and endpoints swapped, of a whole Sluice in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "../../support/memory_lab.ts";
import { answerOf, type PlaneBackend } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const CLOSE = "\x88\x02\x03\xe9";
const MASKED_CLOSE = "\x88\x82\x00\x00\x00\x00\x03\xe9";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

interface Tunnel {
  readonly client: Peer;
  readonly server: Peer;
}

async function webSocket(lab: PlaneLab, backend: PlaneBackend): Promise<Tunnel> {
  backend.script = (peer) => {
    peer.onData = null;
    peer.say(SWITCH);
  };
  const client = lab.dial();
  client.say(
    "GET /ws HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await lab.until("a tunnel", () => client.received.includes("\r\n\r\n"));
  backend.script = null;
  client.received = "";
  const server = backend.peers.at(-1);
  assert.ok(server !== undefined);
  return { client, server };
}

test("drain: no new request, idle connections closed, in-flight ones end; undrain takes it back", async () => {
  const lab = await PlaneLab.start("to: [3000, 3001]");
  const [one, two] = [await lab.backend(3000), await lab.backend(3001)];
  for (let i = 0; i < 4; i++) {
    lab.ask();
    await lab.pass(10);
  }
  assert.ok(one.asked.length > 0 && two.asked.length > 0);
  two.keeps = true;
  lab.asks(2);
  await lab.pass(10);
  const before = two.asked.length;
  lab.watch();
  const drained = lab.plane.drain("3001", null, 60_000, true);
  await lab.pass(10);
  assert.equal(two.open, 1, "only the one in flight");
  const clients = lab.asks(6);
  await lab.pass(200);
  assert.equal(two.asked.length, before);
  assert.ok(clients.every((client) => answerOf(client).startsWith("200 3000")));
  assert.equal((await lab.done(lab.plane.status())).upstreams[0]?.endpoints[1]?.state, "draining");
  two.answer();
  const outcome = await lab.done(drained, 200);
  assert.ok(outcome.ok && outcome.in_flight === 0);
  assert.equal((await lab.done(lab.plane.status())).upstreams[0]?.endpoints[1]?.state, "drained");
  two.keeps = false;
  assert.ok((await lab.done(lab.plane.undrain("127.0.0.1:3001", null))).ok);
  lab.asks(6);
  await lab.pass(200);
  assert.ok(two.asked.length > before);
  assert.deepEqual(lab.names(), ["draining", "drained", "undrained"]);
  await lab.stop();
});

test("drain: what is left at the end of the window goes elsewhere if it may, or is cut visibly", async () => {
  const lab = await PlaneLab.start("to: [3000, 3001]");
  const [one, two] = [await lab.backend(3000), await lab.backend(3001)];
  one.keeps = true;
  two.keeps = true;
  lab.asks(2);
  await lab.pass(300);
  assert.equal(two.asked.length, 1);
  two.script = (peer) => peer.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  const clients = [lab.ask("/a"), lab.ask("/b")];
  await lab.pass(300);
  const streaming = clients.find(({ received }) => received.includes("abc"));
  assert.ok(streaming !== undefined);
  const outcome = await lab.done(lab.plane.drain("3001", null, 1000, true), 3000);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  await lab.pass(100);
  assert.match(streaming.end, /^ended/);
  assert.ok(streaming.received.endsWith("abc\r\n"), "without the last chunk");
  one.answer();
  await lab.pass(500);
  assert.equal(one.asked.length, 3, "the GET that had no answer was sent to the other one");
  await lab.stop();
});

test("drain: WebSockets are told to go between two frames, one after the other, and end in order", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const backend = await lab.backend(3000);
  const tunnels = [
    await webSocket(lab, backend),
    await webSocket(lab, backend),
    await webSocket(lab, backend),
  ];
  const [first, second, third] = tunnels;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  second.server.say("\x81\x05he");
  await lab.pass(10);
  const drained = lab.plane.drain("3000", null, 30_000, true);
  await lab.pass(20);
  assert.equal(first.client.received, CLOSE);
  assert.equal(third.client.received, "", "not all at once");
  // Messages of the client still arrive, and its Close ends both sides.
  first.client.say("\x81\x82\x00\x00\x00\x00hi" + MASKED_CLOSE);
  await lab.pass(100);
  assert.equal(first.server.received, "\x81\x82\x00\x00\x00\x00hi" + MASKED_CLOSE);
  assert.match(first.server.end, /^ended /);
  assert.match(first.client.end, /^ended /);
  first.client.socket.close();
  // In the middle of a frame there is nothing to be said before its end, and nothing after Close.
  assert.equal(second.client.received, "\x81\x05he");
  second.server.say("llo\x81\x03abc");
  await lab.pass(10);
  second.server.say("\x81\x01x");
  await lab.pass(10);
  assert.equal(second.client.received, "\x81\x05hello" + CLOSE);
  second.client.say(MASKED_CLOSE);
  // A client that goes without a word: the endpoint is told in its place.
  await lab.pass(200);
  assert.equal(third.client.received, CLOSE);
  third.client.socket.finish();
  await lab.pass(100);
  assert.equal(third.server.received, MASKED_CLOSE);
  second.client.socket.close();
  third.client.socket.close();
  assert.ok((await lab.done(drained, 2000)).ok);
  await lab.stop();
});

test("drain: a WebSocket that does not answer Close is ended at the end of the window", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const { client, server } = await webSocket(lab, await lab.backend(3000));
  const drained = lab.plane.drain("3000", null, 5000, true);
  await lab.pass(4900);
  assert.equal(client.received, CLOSE);
  assert.equal(client.end, "");
  assert.ok((await lab.done(drained, 500)).ok);
  assert.notEqual(client.end, "");
  assert.notEqual(server.end, "");
  await lab.stop();
});

test("stop: WebSockets are told to go, and Sluice ends as soon as they have", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const { client } = await webSocket(lab, await lab.backend(3000));
  const stopped = await lab.done(lab.plane.stop(false));
  assert.ok(stopped.ok && stopped.connections === 1);
  await lab.pass(100);
  assert.equal(client.received, CLOSE);
  client.say(MASKED_CLOSE);
  await lab.pass(10);
  client.socket.close();
  assert.equal(await lab.done(lab.ended, 3000), 0);
});

const hosts: readonly (readonly [what: string, yaml: string, asked: string | null, host: string])[] = [
  ["the endpoint's, when nothing tells", "to: 3000", null, "127.0.0.1:3001"],
  ["the one of host_header", "to: 3000\nhost_header: app.internal:8080", null, "app.internal:8080"],
  ["the endpoint's, when requests have it", "to: 3000\nhost_header: endpoint", null, "127.0.0.1:3001"],
  [
    "that of the first route that has one",
    "upstreams: {app: {endpoints: [3000]}, b: {endpoints: [3002]}}\nroutes:\n" +
    '  - {match: {host: b.test}, to: b}\n  - {match: {host: "*.test"}, to: app}\n  - {match: {host: a.test}, to: app}',
    null,
    "a.test",
  ],
  ["the one that was asked for", "to: 3000\nhost_header: app.internal", "www.example.com", "www.example.com"],
];

for (const [what, yaml, asked, host] of hosts) {
  test(`swap: the Host of the question of health is ${what}`, async () => {
    const lab = await PlaneLab.start(yaml);
    const fresh = await lab.backend(3001);
    const heard: (string | undefined)[] = [];
    // As frameworks do that serve known hosts only.
    fresh.script = (peer, head) => {
      heard.push(/^Host: (.*)\r$/m.exec(head)?.[1]);
      const status = heard.at(-1) === host ? "200 OK" : "400 Bad Request";
      peer.say(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    };
    const upstream = yaml.includes("app:") ? "app" : null;
    const outcome = await lab.done(lab.plane.swap(upstream, ["3001"], { path: "/up", host: asked }, 1000, 0));
    assert.deepEqual(heard, [host]);
    assert.ok(outcome.ok);
    await lab.stop();
  });
}

test("swap: a question of health that cannot be asked, and one that is answered with a refusal", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const fresh = await lab.backend(3001);
  fresh.script = (peer) => peer.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  const refused = await lab.done(lab.plane.swap(null, ["3001"], { path: "/up", host: "a.test" }, 300, 0));
  assert.ok(!refused.ok);
  assert.deepEqual(refused.problems, ["127.0.0.1:3001: GET /up with Host a.test is answered 400"]);
  for (const host of ["a b", "a\r\nX: y", "", "a/b", "a:b"]) {
    const outcome = await lab.done(lab.plane.swap(null, ["3001"], { path: "/up", host }, 300, 0));
    assert.ok(!outcome.ok && outcome.code === "invalid", JSON.stringify(host));
  }
  await lab.stop();
});

test("swap: the new endpoints take over in one step, what the old ones have ends in time", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const old = await lab.backend(3000);
  old.keeps = true;
  const inFlight = lab.ask("/old");
  await lab.pass(10);
  const tunnel = await webSocket(lab, old);
  lab.watch();
  const unhealthy = await lab.done(lab.plane.swap(null, ["3001"], { path: "/up", host: null }, 1000, 5000));
  assert.ok(!unhealthy.ok && unhealthy.code === "unhealthy", JSON.stringify(unhealthy));
  assert.match(unhealthy.problems?.[0] ?? "", /^127\.0\.0\.1:3001: /);
  const fresh = await lab.backend(3001);
  fresh.script = (peer) => peer.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
  const swapped = lab.plane.swap("default", ["3001"], { path: "/up", host: null }, 10_000, 5000);
  await lab.pass(1000);
  lab.ask("/still-old");
  await lab.pass(10);
  assert.deepEqual(old.asked, ["/old", "/ws", "/still-old"], "nothing has changed before it is ready");
  fresh.script = null;
  const outcome = await lab.done(swapped, 2000);
  assert.deepEqual(outcome, { ok: true, generation: 2, from: ["127.0.0.1:3000"] });
  const client = lab.ask("/new");
  await lab.pass(200);
  assert.equal(answerOf(client), "200 3001/new");
  assert.equal(tunnel.client.received, CLOSE);
  old.answer(1);
  await lab.pass(10);
  assert.equal(answerOf(inFlight), "200 3000/old", "in flight it goes on");
  await lab.pass(6000);
  assert.equal(old.open, 0);
  const status = await lab.done(lab.plane.status());
  assert.equal(status.generation, 2);
  assert.deepEqual(status.upstreams[0]?.endpoints.map(({ name }) => name), ["127.0.0.1:3001"]);
  assert.ok(lab.names().includes("swapped"));
  const wrong = await lab.done(lab.plane.swap(null, ["no such:port"], null, 100, 0));
  assert.ok(!wrong.ok && wrong.code === "invalid");
  await lab.stop();
});

test("swap: waiting requests go to the new endpoints, and a reload does not undo it", async () => {
  const lab = await PlaneLab.start("to: 3000");
  const waiting = lab.asks(3);
  await lab.pass(100);
  await lab.backend(3001);
  assert.ok((await lab.done(lab.plane.swap(null, ["3001"], null, 1000, 0))).ok);
  await lab.pass(500);
  assert.ok(waiting.every((client) => answerOf(client).startsWith("200 3001")));
  lab.yaml = "to: 3000\nhold: 5s";
  const reloaded = await lab.done(lab.plane.reload());
  assert.ok(reloaded.ok);
  assert.deepEqual(reloaded.changes, ["upstream default: hold: 30s -> 5s"]);
  lab.yaml = "to: 3002";
  const named = await lab.done(lab.plane.reload());
  assert.ok(named.ok);
  assert.deepEqual(named.changes, [
    "upstream default: endpoints 127.0.0.1:3001 -> 127.0.0.1:3002",
    "upstream default: hold: 5s -> 30s",
  ]);
  await lab.stop();
});

/** An endless answer that has begun. */
const ENDLESS = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";

for (const how of ["swap", "drained, then swapped", "reload"] as const) {
  test(`drain: an endpoint that comes back within the window keeps all it serves (${how})`, async () => {
    const lab = await PlaneLab.start("to: 3000\ndrain_timeout: 5s");
    const [old, other] = [await lab.backend(3000), await lab.backend(3001)];
    const first = await webSocket(lab, old);
    const second = await webSocket(lab, old);
    const go = async (port: number) => {
      lab.yaml = `to: ${port}\ndrain_timeout: 5s`;
      const done = how === "reload"
        ? await lab.done(lab.plane.reload())
        : await lab.done(lab.plane.swap(null, [String(port)], null, 1000, 5000));
      assert.ok(done.ok, JSON.stringify(done));
    };
    if (how === "drained, then swapped") await lab.done(lab.plane.drain("3000", null, 3000, false));
    await go(3001);
    other.script = (peer) => peer.say(ENDLESS);
    const between = lab.ask("/between");
    await lab.pass(20);
    await go(3000);
    old.script = (peer) => peer.say(ENDLESS);
    const after = lab.ask("/after");
    await lab.pass(20_000);
    assert.ok(after.received.includes("abc"));
    assert.equal(after.end, "", "what was begun after it had come back goes on");
    assert.equal(first.client.received, CLOSE, "it was told before, and ends when its client answers");
    assert.deepEqual([second.client.received, second.client.end], ["", ""], "nobody else is told");
    assert.match(between.end, /^ended/, "the other endpoint was drained in its turn");
    await lab.stop();
  });
}

test("drain: WebSockets of an upstream that a reload takes away are told to go at once", async () => {
  const lab = await PlaneLab.start(
    "upstreams: {app: {endpoints: [3000]}}\nroutes: [{to: app}]\ndrain_timeout: 5s",
  );
  const { client } = await webSocket(lab, await lab.backend(3000));
  await lab.backend(3001);
  lab.yaml = "upstreams: {web: {endpoints: [3001]}}\nroutes: [{to: web}]\ndrain_timeout: 5s";
  assert.ok((await lab.done(lab.plane.reload())).ok);
  await lab.pass(100);
  assert.equal(client.received, CLOSE);
  assert.equal(client.end, "");
  await lab.pass(5500);
  assert.notEqual(client.end, "");
  await lab.stop();
});
