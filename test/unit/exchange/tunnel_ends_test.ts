/** How tunnels end when a side has ended early or stops reading. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { websocketAccept } from "../../../src/http1/upgrade.ts";
import { memoryLab, type Peer } from "../../support/memory_lab.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Key: ${KEY}\r\n\r\n`;
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Accept: ${websocketAccept(KEY)}\r\n\r\n`;

test("a client's end from before the switch reaches the endpoint", async () => {
  const yaml = "to: 3001\nclient_half_close: finish\n";
  const { runtime, origins, dial, proxy } = await memoryLab(yaml, {}, () => {});
  const client = dial();
  client.say(REQUEST);
  runtime.network.run();
  client.socket.finish();
  runtime.network.run();
  const origin = origins[0] as Peer;
  origin.say(SWITCH + "hello");
  runtime.network.run();
  assert.equal(origin.end, "ended ");
  assert.ok(client.received.endsWith("\r\n\r\nhello"));
  origin.socket.finish();
  runtime.network.run();
  assert.equal(origin.end, "ended finished");
  assert.equal(client.end, "ended finished");
  assert.equal(proxy.ended[0]?.status, 101);
  assert.equal(proxy.ended[0]?.reason, "");
});

test("an endpoint that ended and takes nothing does not keep its side when the client is gone", async () => {
  const yaml = "to: 3001\ntunnel_idle_timeout: 5s\n";
  const sizes = { sendBufferBytes: 64, receiveBufferBytes: 64 };
  const { runtime, origins, dial, proxy } = await memoryLab(yaml, sizes, (peer) => {
    if (!peer.received.endsWith("\r\n\r\n")) return;
    peer.socket.pause();
    peer.say(SWITCH);
  });
  const client = dial();
  client.say(REQUEST);
  runtime.network.run();
  const origin = origins[0] as Peer;
  assert.match(client.received, / 101 /);
  origin.socket.finish();
  client.say("x".repeat(1000));
  runtime.network.run();
  client.socket.finish();
  runtime.network.run();
  assert.equal(client.end, "ended finished");
  assert.equal(proxy.upstream().inFlight, 1);
  runtime.network.advance(20_000);
  assert.equal(proxy.upstream().inFlight, 0);
  assert.equal(proxy.ended.length, 1);
});

test("a side that reads slowly is not idle", async () => {
  const yaml = "to: 3001\ntunnel_idle_timeout: 1s\n";
  const sizes = { sendBufferBytes: 10_000, receiveBufferBytes: 10_000 };
  const { runtime, origins, dial, proxy } = await memoryLab(yaml, sizes, (peer) => {
    peer.onData = null;
    peer.say(SWITCH + "y".repeat(100_000));
  });
  const client = dial();
  client.say(REQUEST);
  const { network } = runtime;
  network.run();
  for (let i = 0; i < 40 && client.received.length < 100_000; i++) {
    client.socket.pause();
    network.advance(700);
    // One chunk at a time.
    const before = client.received.length;
    client.onData = () => client.socket.pause();
    client.socket.resume();
    network.run();
    assert.ok(client.received.length > before, `nothing came at ${before} bytes`);
  }
  assert.equal(proxy.ended.length, 0);
  assert.equal(origins[0]?.unsaid, 0);
});
