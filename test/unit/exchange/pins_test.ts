/** Connections on which a client has authenticated serve that client and no other, as long as both are there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionLab } from "../../support/session_lab.ts";

const ONE = "to: 3001\n";

for (const scheme of ["Negotiate", "NEGOTIATE", "Nego2", "kerberos"]) {
  test(`a login in the first request (${scheme}) is nobody else's`, async () => {
    const lab = await SessionLab.open(ONE);
    const alice = lab.client();
    assert.equal(alice.body("/login", `${scheme} alice`), "alice at a");
    assert.deepEqual(lab.pinned(), [1, 1]);
    for (let others = 0; others < 3; others++) assert.equal(lab.client().body("/"), "nobody at a");
    assert.equal(alice.body("/"), "alice at a", "with or without the field");
    assert.equal(lab.a.peers.filter(({ user }) => user === "alice").length, 1);
  });
}

test("NTLM: the three steps go on one connection, which is used by that client only", async () => {
  const lab = await SessionLab.open(ONE);
  const stranger = lab.client();
  assert.equal(stranger.body("/"), "nobody at a");
  const alice = lab.client();
  assert.match(alice.ask("/login"), /401 [^]*WWW-Authenticate: Negotiate, NTLM, Basic/);
  assert.equal(alice.login("alice"), "alice at a");
  assert.equal(stranger.body("/"), "nobody at a");
  assert.equal(lab.client().login("bob"), "bob at a");
  assert.equal(alice.body("/"), "alice at a");
  assert.equal(lab.a.torn, 0);
  assert.deepEqual(lab.pinned(), [2, 2]);
});

test("an Authorization field on any line pins, one of another kind does not", async () => {
  const lab = await SessionLab.open(ONE);
  lab.client().ask("/", "Basic eDp5", "Authorization: ntlm hello\r\n");
  assert.deepEqual(lab.pinned(), [1, 1]);
  for (const other of ["Basic eDp5", "Bearer ntlm", "Digest username=negotiate"]) {
    lab.client().ask("/", other);
  }
  assert.deepEqual(lab.pinned(), [1, 1]);
});

test("a token in a 401 pins, although no request was seen to ask for it", async () => {
  const lab = await SessionLab.open(ONE);
  const client = lab.client();
  assert.match(client.ask("/riddle"), /WWW-Authenticate: Negotiate riddle/);
  assert.deepEqual(lab.pinned(), [1, 1]);
  lab.client().ask("/");
  assert.equal(lab.a.peers.length, 2);
  client.ask("/login", "Negotiate alice");
  assert.equal(lab.a.peers[0]?.user, "alice", "the handshake goes on where it has begun");
});

test("a pin ends with its client", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  alice.socket.abort();
  lab.runtime.network.run();
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.notEqual(lab.a.last.end, "");
});

test("a pin ends with a client that leaves while its request is under way", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  alice.send("/silent");
  lab.runtime.network.run();
  assert.deepEqual(lab.pinned(), [1, 0]);
  alice.socket.abort();
  lab.runtime.network.run();
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.notEqual(lab.a.last.end, "");
  assert.equal(lab.proxy.upstream().inFlight, 0);
});

test("the client's connection is closed when its pin is closed", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  lab.a.last.socket.close();
  lab.runtime.network.run();
  assert.match(alice.end, /^(ended |finished)/);
  assert.deepEqual(lab.pinned(), [0, 0]);
});

test("a pin that is closed under its request leaves the client as it would be without a proxy", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  alice.send("/silent");
  lab.runtime.network.run();
  lab.a.last.socket.abort();
  lab.advance(100);
  assert.equal(alice.take(), "", "not a byte of an answer");
  assert.match(alice.end, /^(ended |finished)/);
  assert.equal(lab.a.peers.length, 1, "it was not sent elsewhere");
  assert.equal(lab.proxy.ended.at(-1)?.reason, "connection_terminated");
});

test("the first request of a session is not sent again, and its failure is told", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client().send("/silent", "Negotiate alice");
  lab.runtime.network.run();
  lab.a.last.socket.abort();
  lab.advance(1000);
  assert.match(alice.take(), /^HTTP\/1\.1 502 [^]*\r\nConnection: close\r\n[^]*connection_terminated/);
  assert.match(alice.end, /^(ended |finished)/);
  assert.equal(lab.a.peers.length, 1);
});

test("the first request of a session is held while the endpoint is down, as any other", async () => {
  const lab = await SessionLab.open(ONE);
  void lab.a.listener?.close();
  const alice = lab.client().send("/login", "Negotiate alice");
  lab.advance(2000);
  assert.equal(alice.take(), "");
  await lab.a.up();
  lab.advance(2000);
  assert.match(alice.take(), /alice at a$/);
});

test("an answer that ends the pin ends the client's connection, and says so", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  assert.match(alice.ask("/close"), /\r\nConnection: close\r\n[^]*alice at a$/);
  assert.match(alice.end, /^(ended |finished)/);
  assert.deepEqual(lab.pinned(), [0, 0]);
});

for (const fields of ["Connection: close\r\n", "Connection: Close, x\r\n"]) {
  test(`a client that says ${fields.trim()} gets its answer, and leaves no pin`, async () => {
    const lab = await SessionLab.open(ONE);
    const alice = lab.client();
    assert.match(alice.ask("/", "Negotiate alice", fields), /\r\nConnection: close\r\n[^]*alice at a$/);
    assert.deepEqual(lab.pinned(), [0, 0]);
    assert.equal(lab.client().body("/"), "nobody at a");
  });
}

test("a challenge that the client cannot answer on this connection does not reach it", async () => {
  const lab = await SessionLab.open(ONE);
  const answer = lab.client().ask("/login", "NTLM hello", "Connection: close\r\n");
  assert.match(answer, /^HTTP\/1\.1 401 [^]*\r\nWWW-Authenticate: Basic realm="a"\r\n/);
  assert.doesNotMatch(answer, /NTLM/);
  // Who is merely invited can accept on another connection; an HTTP/1.0 client has one for each request.
  assert.match(lab.client().ask("/login", "", "Connection: close\r\n"), /Negotiate, NTLM, Basic/);
  const old = lab.client();
  old.say("GET /login HTTP/1.0\r\n\r\n");
  lab.runtime.network.run();
  assert.match(old.take(), /\r\nWWW-Authenticate: Basic realm="a, b"\r\n/);
  const kept = lab.client();
  kept.say("GET /login HTTP/1.0\r\nConnection: keep-alive\r\nAuthorization: NTLM hello\r\n\r\n");
  lab.runtime.network.run();
  assert.match(kept.take(), /\r\nWWW-Authenticate: NTLM riddle\r\n[^]*\r\nConnection: keep-alive\r\n/);
  assert.equal(kept.body("/login", "NTLM alice", "Connection: keep-alive\r\n"), "alice at a");
});

test("requests that come at once are sent one after the other, on the pin", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.say(
    "GET /login HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM hello\r\n\r\n" +
      "GET /login HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM alice\r\n\r\n" +
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  lab.runtime.network.run();
  assert.equal(alice.take().split("alice at a").length, 3);
  assert.equal(lab.a.peers.length, 1);
  assert.equal(lab.a.torn, 0);
});

test("a pin holds a slot only while its request is under way", async () => {
  const lab = await SessionLab.open(`${ONE}max_in_flight: 1\n`);
  const alice = lab.client();
  alice.login("alice");
  const bob = lab.client();
  assert.equal(bob.login("bob"), "bob at a");
  alice.send("/silent");
  lab.runtime.network.run();
  bob.send("/1");
  const stranger = lab.client().send("/2");
  const bobToo = lab.client();
  lab.runtime.network.run();
  assert.equal(lab.proxy.upstream().waiting, 2, "both wait for the slot");
  assert.deepEqual(lab.pinned(), [2, 1]);
  alice.socket.abort();
  lab.advance(200);
  assert.match(bob.take(), /bob at a$/);
  assert.match(stranger.take(), /nobody at a$/);
  assert.equal(bobToo.body("/3"), "nobody at a");
  assert.equal(lab.proxy.upstream().inFlight, 0);
});

test("those who wait for slots have them in order of arrival, whether they have a connection or not", async () => {
  const lab = await SessionLab.open(`${ONE}max_in_flight: 1\n`);
  const alice = lab.client();
  alice.login("alice");
  const busy = lab.client().send("/silent");
  lab.runtime.network.run();
  const first = lab.client().send("/first");
  lab.advance(1);
  alice.send("/second");
  lab.advance(1);
  const third = lab.client().send("/third");
  lab.advance(1);
  busy.socket.abort();
  lab.advance(500);
  assert.match(first.take(), /nobody at a$/);
  assert.match(alice.take(), /alice at a$/);
  assert.match(third.take(), /nobody at a$/);
  const order = lab.proxy.ended.map(({ target }) => target).slice(-3);
  assert.deepEqual(order, ["/first", "/second", "/third"]);
});

test("a pin that ends while its request waits for a slot ends the client's connection", async () => {
  const lab = await SessionLab.open(`${ONE}max_in_flight: 1\n`);
  const alice = lab.client();
  alice.login("alice");
  const pin = lab.a.last;
  lab.client().send("/silent");
  lab.runtime.network.run();
  alice.send("/");
  lab.runtime.network.run();
  assert.equal(lab.proxy.upstream().waiting, 1);
  pin.socket.close();
  lab.runtime.network.run();
  assert.equal(lab.proxy.upstream().waiting, 0);
  assert.equal(alice.take(), "");
  assert.match(alice.end, /^(ended |finished)/);
  assert.equal(pin.requests, 2);
});

test("a request on a pin is held during a pause, and its pin stays for it", async () => {
  const lab = await SessionLab.open(`${ONE}pool: {idle_timeout: 5s}\n`);
  const alice = lab.client();
  alice.login("alice");
  lab.proxy.upstream().pause();
  alice.send("/");
  lab.advance(20_000);
  assert.equal(alice.take(), "");
  lab.proxy.upstream().resume();
  lab.advance(100);
  assert.match(alice.take(), /alice at a$/);
});

test("a held request that is answered because its time is up leaves the session as it was", async () => {
  const lab = await SessionLab.open(`${ONE}pool: {idle_timeout: 50s}\n`);
  const alice = lab.client();
  alice.login("alice");
  lab.proxy.upstream().pause();
  alice.send("/");
  lab.advance(31_000);
  assert.match(alice.take(), /^HTTP\/1\.1 503 [^]*hold_timeout/);
  lab.proxy.upstream().resume();
  assert.equal(alice.body("/"), "alice at a");
});

test("pause, then drain: a held request does not keep the endpoint from being drained", async () => {
  const lab = await SessionLab.open(ONE);
  const [before, after] = [lab.client(), lab.client()];
  before.login("alice");
  after.login("bob");
  lab.proxy.upstream().pause();
  before.send("/");
  lab.runtime.network.run();
  lab.drain(0, 10_000);
  after.send("/");
  lab.runtime.network.run();
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.equal(before.take() + after.take(), "");
  assert.ok(before.isClosed && after.isClosed);
});

test("idle pins are closed after pool.idle_timeout, and their clients with them", async () => {
  const lab = await SessionLab.open(`${ONE}pool: {idle_timeout: 5s}\n`);
  const alice = lab.client();
  alice.login("alice");
  lab.advance(4000);
  assert.equal(alice.body("/"), "alice at a");
  lab.advance(4900);
  assert.equal(alice.isClosed, false);
  lab.advance(400);
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.ok(alice.isClosed);
});

test("no pin is idle for more than ten minutes", async () => {
  const lab = await SessionLab.open(`${ONE}pool: {idle_timeout: 1h}\nkeep_alive_timeout: 1h\n`);
  const alice = lab.client();
  alice.login("alice");
  lab.advance(599_000);
  assert.deepEqual(lab.pinned(), [1, 1]);
  lab.advance(2000);
  assert.deepEqual(lab.pinned(), [0, 0]);
});

test("a pin lives although nothing is pooled", async () => {
  const lab = await SessionLab.open(`${ONE}pool: {size: 0}\n`);
  const alice = lab.client();
  assert.equal(alice.login("alice"), "alice at a");
  assert.equal(alice.body("/"), "alice at a");
});

test("a session stays at its endpoint", async () => {
  const lab = await SessionLab.open("to: [3001, 3002]\n");
  const clients = ["alice", "bob", "carol"].map((user) => {
    const client = lab.client();
    return { client, home: client.login(user) };
  });
  for (let round = 0; round < 3; round++) {
    for (const { client, home } of clients) assert.equal(client.body("/"), home);
  }
  assert.equal(new Set(clients.map(({ home }) => home.slice(-1))).size, 2, "both endpoints have sessions");
});

test("a drained endpoint finishes handshakes, tells the client with the answer, and is left", async () => {
  const lab = await SessionLab.open("to: [3001, 3002]\npolicy: round_robin\n");
  const alice = lab.client();
  const riddle = alice.ask("/login", "NTLM hello");
  assert.match(riddle, /NTLM riddle/);
  const [home] = lab.a.peers.length === 1 ? [0] : [1];
  lab.drain(home as number, 30_000);
  lab.advance(300);
  assert.equal(alice.isClosed, false);
  const answer = alice.ask("/login", "NTLM alice");
  assert.match(answer, /\r\nConnection: close\r\n[^]*alice at [ab]$/);
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.equal(lab.a.torn + lab.b.torn, 0);
});

test("while an endpoint is drained a handshake's answer does not end the connection", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.ask("/login", "Negotiate old");
  lab.drain(0, 30_000);
  const riddle = alice.ask("/login", "NTLM hello");
  assert.match(riddle, /\r\nWWW-Authenticate: NTLM riddle\r\n/);
  assert.doesNotMatch(riddle, /Connection: close/);
  assert.match(alice.ask("/login", "NTLM alice"), /\r\nConnection: close\r\n[^]*alice at a$/);
});

test("idle pins of a drained endpoint are given a second", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  lab.drain(0, 30_000);
  lab.advance(900);
  assert.equal(alice.isClosed, false);
  lab.advance(300);
  assert.ok(alice.isClosed);
  assert.deepEqual(lab.pinned(), [0, 0]);
});

test("at the end of a drain what is still under way on a pin is cut, and not sent elsewhere", async () => {
  const lab = await SessionLab.open("to: [3001, 3002]\n");
  const alice = lab.client();
  const home = alice.login("alice").endsWith("a") ? 0 : 1;
  alice.send("/silent");
  lab.runtime.network.run();
  lab.drain(home, 5000);
  lab.advance(6000);
  assert.ok(alice.isClosed);
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.equal(lab.a.peers.length + lab.b.peers.length, 1);
});

test("while Sluice stops, a handshake is finished", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.ask("/login", "NTLM hello");
  const stopped = lab.proxy.gateway.drain(30_000);
  const again = alice.ask("/login", "NTLM hello");
  assert.match(again, /NTLM riddle/);
  assert.doesNotMatch(again, /Connection: close/);
  assert.match(alice.ask("/login", "NTLM alice"), /\r\nConnection: close\r\n[^]*alice at a$/);
  alice.socket.close();
  lab.runtime.network.run();
  await stopped;
});

const TWO = `upstreams:
  one: {endpoints: [3001]}
  two: {endpoints: [3002]}
routes:
  - {match: {path: /two}, to: two}
  - {to: one}
`;

test("one client has a pin to each upstream", async () => {
  const lab = await SessionLab.open(TWO);
  const alice = lab.client();
  assert.equal(alice.login("alice"), "alice at a");
  assert.equal(alice.body("/two"), "nobody at b");
  assert.deepEqual(lab.pinned("two"), [0, 0], "the other one knows nothing of it");
  assert.equal(alice.body("/two", "Negotiate admin"), "admin at b");
  assert.equal(alice.body("/"), "alice at a");
  assert.equal(alice.body("/two/x"), "admin at b");
  // One session less, while the other goes on: the client is asked anew.
  lab.b.last.socket.close();
  lab.runtime.network.run();
  assert.equal(alice.isClosed, false);
  assert.equal(alice.body("/two"), "nobody at b");
  assert.equal(alice.body("/"), "alice at a");
  // The end of the last one is the client's.
  lab.a.last.socket.close();
  lab.runtime.network.run();
  assert.ok(alice.isClosed);
});

test("a pin that ends within a handshake ends the client's connection, other pins or not", async () => {
  const lab = await SessionLab.open(TWO);
  const alice = lab.client();
  alice.ask("/two", "Negotiate admin");
  alice.ask("/login", "NTLM hello");
  lab.a.last.socket.close();
  lab.runtime.network.run();
  assert.ok(alice.isClosed);
  assert.deepEqual([lab.pinned("one"), lab.pinned("two")], [[0, 0], [0, 0]]);
});

test("the answer to a challenge goes to no other upstream, however a route leads there", async () => {
  for (const knownThere of [false, true]) {
    const lab = await SessionLab.open(TWO);
    const alice = lab.client();
    if (knownThere) assert.equal(alice.login("alice", "/two/login"), "alice at b");
    assert.match(alice.ask("/login", "NTLM hello"), /NTLM riddle/);
    const seen = lab.b.peers.map(({ received }) => received);
    assert.equal(alice.ask("/two/login", "NTLM alice"), "");
    assert.ok(alice.isClosed);
    assert.deepEqual(lab.b.peers.map(({ received }) => received), seen);
    assert.equal(lab.proxy.ended.at(-1)?.reason, "connection_terminated");
    assert.deepEqual([...lab.pinned("one"), ...lab.pinned("two")], [0, 0, 0, 0]);
  }
});

test("nor does it when the session that it belongs to has ended meanwhile", async () => {
  const lab = await SessionLab.open(TWO);
  const alice = lab.client();
  assert.match(alice.ask("/login", "NTLM hello"), /NTLM riddle/);
  // Half of it is here, so that the client's connection stays open for the rest.
  alice.say("GET /two/login HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM ");
  lab.runtime.network.run();
  lab.a.last.socket.close();
  lab.runtime.network.run();
  alice.say("alice\r\n\r\n");
  lab.runtime.network.run();
  assert.equal(alice.take(), "");
  assert.ok(alice.isClosed);
  assert.equal(lab.b.peers.length, 0);
});

test("during a handshake other requests go elsewhere, and other handshakes begin there", async () => {
  const lab = await SessionLab.open(TWO);
  const alice = lab.client();
  assert.match(alice.ask("/login", "NTLM hello"), /NTLM riddle/);
  assert.equal(alice.body("/two/x"), "nobody at b");
  assert.equal(alice.body("/two/x", "Basic eDp5"), "nobody at b");
  assert.equal(alice.body("/two/x", "Negotiate YIIalice"), "YIIalice at b");
  assert.match(alice.ask("/two/login", "NTLM TlRMTVNTUAABAAAA"), /NTLM riddle/);
  assert.equal(alice.body("/two/login", "NTLM bob"), "bob at b");
  assert.equal(alice.body("/login", "NTLM alice"), "alice at a");
});

test("a request that is half here when its pin ends goes nowhere", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.ask("/login", "NTLM hello");
  alice.say("GET /login HTTP/1.1\r\nHost: a\r\n");
  lab.runtime.network.run();
  lab.a.last.socket.close();
  lab.runtime.network.run();
  alice.say("Authorization: NTLM alice\r\n\r\n");
  lab.advance(100);
  assert.equal(alice.take(), "");
  assert.ok(alice.isClosed);
  assert.equal(lab.a.peers.length, 1);
});

test("a client has at most eight pins: the one used least recently makes room", async () => {
  const names = Array.from({ length: 9 }, (_, at) => `u${at}`);
  const lab = await SessionLab.open(
    `upstreams:\n${names.map((name) => `  ${name}: {endpoints: [3001]}\n`).join("")}routes:\n` +
      names.map((name) => `  - {match: {path: /${name}}, to: ${name}}\n`).join(""),
  );
  const alice = lab.client();
  for (const name of names.slice(0, 8)) alice.body(`/${name}`, `Negotiate ${name}`);
  assert.equal(alice.body("/u0"), "u0 at a");
  assert.equal(alice.body("/u8", "Negotiate u8"), "u8 at a");
  assert.deepEqual(lab.pinned("u1"), [0, 0]);
  assert.equal(alice.body("/u1"), "nobody at a");
  assert.equal(alice.body("/u0"), "u0 at a");
});

test("a protocol switch takes the pin along, and ends the others", async () => {
  const lab = await SessionLab.open(TWO);
  const alice = lab.client();
  alice.body("/two", "Negotiate admin");
  alice.login("alice");
  const { a } = lab;
  const answer = a.answer.bind(a);
  a.answer = (peer, head) =>
    head.includes("/chat")
      ? "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
      : answer(peer, head);
  alice.ask(
    "/chat",
    "",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
  );
  assert.deepEqual([lab.pinned("one"), lab.pinned("two")], [[0, 0], [0, 0]]);
  assert.equal(lab.proxy.gateway.tunnels, 1);
  assert.equal(a.peers.length, 1, "on the connection that was alice's");
  a.last.say("hello");
  lab.runtime.network.run();
  assert.equal(alice.take(), "hello");
  alice.socket.close();
  a.last.socket.close();
  lab.runtime.network.run();
  assert.equal(lab.proxy.upstream("one").inFlight, 0);
  assert.equal(lab.client().body("/"), "nobody at a");
});

test("a body that the client withholds: an answer before it ends both connections", async () => {
  const lab = await SessionLab.open(ONE);
  const { a } = lab;
  const answer = a.answer.bind(a);
  const alice = lab.client();
  alice.login("alice");
  // Reads heads only: what follows them has not come.
  a.last.onData = (peer) => {
    if (peer.received.includes("POST")) peer.say(answer(a.last, "GET / HTTP/1.1"));
  };
  alice.say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
  lab.runtime.network.run();
  assert.match(alice.take(), /\r\nConnection: close\r\n[^]*alice at a$/);
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.notEqual(a.last.end, "");
});

test("an answer before the end of an upload ends both connections", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  const { a } = lab;
  a.last.onData = (peer) => {
    peer.onData = null;
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
  };
  alice.say(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${"x".repeat(1000)}`);
  lab.runtime.network.run();
  assert.match(alice.take(), /\r\nConnection: close\r\n[^]*early$/);
  assert.deepEqual(lab.pinned(), [0, 0]);
  assert.equal(lab.client().body("/"), "nobody at a");
});

test("bytes after the answer on a pin end both connections", async () => {
  const lab = await SessionLab.open(ONE);
  const alice = lab.client();
  alice.login("alice");
  const { a } = lab;
  a.last.onData = (peer) => peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more");
  assert.match(alice.ask("/"), /ok$/);
  assert.ok(alice.isClosed);
  assert.deepEqual(lab.pinned(), [0, 0]);
});
