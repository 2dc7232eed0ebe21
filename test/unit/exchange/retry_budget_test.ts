/** Retries share a budget: what takes a part of it, and for how long. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab, type Peer } from "../../support/memory_lab.ts";

const CLIENTS = 12;

/** Answers that begin and do not end while the test runs. */
const ENDLESS = {
  "an event stream":
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
  "an interim response": "HTTP/1.1 103 Early Hints\r\n\r\n",
  "a WebSocket": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
} as const;

const WEBSOCKET = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

for (const [what, answer] of Object.entries(ENDLESS)) {
  test(`a retry takes part of the budget until its answer begins: ${what}`, async () => {
    const first: Peer[] = [];
    let interrupted = false;
    const yaml = "to: 3001\nhold: 20s\nqueue: {timeout: 20s}\n";
    const { runtime, proxy, dial } = await memoryLab(yaml, {}, (peer) => {
      if (interrupted) peer.say(answer);
      else first.push(peer);
    });
    const fields = what === "a WebSocket" ? WEBSOCKET : "";
    const clients = Array.from({ length: CLIENTS }, dial);
    for (const client of clients) client.say(`GET /events HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    runtime.network.advance(1000);
    assert.equal(first.length, CLIENTS, "all have been sent");
    // Died in their middle, without an answer: all of them are retries now, four times as many as may be under way.
    interrupted = true;
    for (const peer of first) peer.socket.abort();
    runtime.network.advance(2000);
    assert.equal(proxy.upstream().waiting, 0, "nobody waits for the end of another's answer");
    for (const client of clients) assert.ok(client.received.startsWith(answer.slice(0, 12)), client.received);
    assert.equal(proxy.ended.length, 0, "none has ended");
  });
}

test("a retry that is not answered takes part of the budget to its end", async () => {
  const peers: Peer[] = [];
  const { runtime, proxy, origins, dial } = await memoryLab("to: 3001\n", {}, (peer) => peers.push(peer));
  const clients = Array.from({ length: CLIENTS }, dial);
  for (const client of clients) client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.advance(1000);
  for (const peer of peers.splice(0)) peer.socket.abort();
  runtime.network.advance(2000);
  assert.equal(peers.length, 3, "so many may be retries at a time");
  assert.equal(proxy.upstream().waiting, CLIENTS - 3);
  // The answers of some make room for others.
  for (let rounds = 0; rounds < CLIENTS; rounds++) {
    for (const peer of peers.splice(0)) peer.say("HTTP/1.1 204 No Content\r\n\r\n");
    runtime.network.advance(200);
  }
  assert.equal(proxy.ended.filter(({ status }) => status === 204).length, CLIENTS);
  assert.equal(origins.length <= 2 * CLIENTS, true);
});
