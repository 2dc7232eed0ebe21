/** Peers that stop reading, or never stop sending: they get what is theirs, and do not keep a connection. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab as lab, type Peer } from "../../support/memory_lab.ts";

const answer = (peer: Peer): void =>
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + "a".repeat(100));

test("an idle client whose kernel still holds our answer is dropped in the end", async () => {
  const yaml = "to: 3001\nkeep_alive_timeout: 1s\nbody_idle_timeout: 2s\n";
  const { runtime, proxy, dial } = await lab(yaml, { receiveBufferBytes: 64 }, answer);
  const client = dial();
  client.socket.pause();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.advance(500);
  assert.equal(proxy.ended.length, 1);
  runtime.network.advance(10_000);
  assert.equal(proxy.gateway.connections, 0);
});

test("an idle endpoint that has not taken all of its request is dropped in the end", async () => {
  const yaml = "to: 3001\npool: {idle_timeout: 1s}\n";
  const { runtime, proxy, origins, dial } = await lab(yaml, { receiveBufferBytes: 64 }, (peer) => {
    peer.onData = null;
    peer.socket.pause();
    answer(peer);
  });
  const client = dial();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.run();
  assert.equal(proxy.ended[0]?.status, 200);
  assert.equal(proxy.upstream().endpoints[0]?.pool.size, 1);
  runtime.network.advance(20_000);
  assert.equal(origins[0]?.end, "reset");
});

test("a slow client gets all of an answer that ends its connection", async () => {
  const yaml = "to: 3001\nbody_idle_timeout: 60s\n";
  const { runtime, dial } = await lab(yaml, { receiveBufferBytes: 64 }, answer);
  const client = dial();
  client.socket.pause();
  // It does not ask for the end, so we linger after our last answer.
  client.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\nGET bad\r\n\r\n");
  runtime.network.advance(10_000);
  client.socket.resume();
  runtime.network.run();
  assert.match(client.received, /^HTTP\/1.1 200 OK[^]*a{100}HTTP\/1.1 400 [^]*reason: \w+\n$/);
});

test("a client that never stops sending after our last answer is not listened to for ever", async () => {
  const yaml = "to: 3001\n";
  const { runtime, proxy, dial } = await lab(yaml, {}, answer);
  const client = dial();
  client.say("no request\r\n\r\n");
  for (let i = 0; i < 60; i++) {
    if (client.end.includes("reset")) break;
    if (!client.end.includes("finished")) client.say("x");
    runtime.network.advance(1000);
  }
  assert.equal(proxy.gateway.connections, 0);
  assert.match(client.received, /^HTTP\/1.1 400 /);
});

test("a client that leaves an answer unread and begins a request it never ends is dropped", async () => {
  const yaml = "to: 3001\nbody_idle_timeout: 1s\nfirst_byte_timeout: 1s\n";
  let answers = 0;
  const { runtime, proxy, dial } = await lab(
    yaml,
    { receiveBufferBytes: 16, sendBufferBytes: 16 },
    (peer) => {
      if (answers++ === 0) answer(peer);
    },
  );
  const client = dial();
  client.socket.pause();
  client.say(
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nPATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbegun",
  );
  runtime.network.advance(30_000);
  assert.equal(proxy.gateway.connections, 0);
  assert.equal(proxy.upstream().inFlight, 0);
});

test("a slow client has all of its answer when Sluice stops", async () => {
  const { runtime, proxy, dial } = await lab(
    "to: 3001\n",
    { receiveBufferBytes: 64, sendBufferBytes: 64 },
    (peer) => peer.say("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + "a".repeat(20_000)),
  );
  const client = dial();
  client.socket.pause();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.advance(100);
  assert.equal(proxy.ended.length, 1, "all of it is ours to send");
  const drained = proxy.gateway.drain(30_000);
  runtime.network.advance(5000);
  client.socket.resume();
  runtime.network.advance(5000);
  await drained;
  assert.match(client.received, /^HTTP\/1.1 200 OK[^]*\r\n\r\na{20000}$/);
  assert.equal(client.end, "ended ");
  assert.equal(proxy.gateway.dropped, 0);
});
