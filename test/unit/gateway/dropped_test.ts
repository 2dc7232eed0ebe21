/** What counts as dropped when everything ends at once: whoever has asked and has not been given all of an answer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab } from "../../support/memory_lab.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("dropped: requests without an answer, and answers that have not left; neither idle clients nor half heads", async () => {
  const yaml = "to: 3001\nmax_in_flight: 3\n";
  let asked = 0;
  const buffers = { receiveBufferBytes: 64, sendBufferBytes: 64 };
  const { runtime, proxy, dial } = await memoryLab(yaml, buffers, (peer) => {
    if (!peer.received.endsWith("\r\n\r\n")) return;
    asked++;
    const body = "a".repeat(asked === 1 ? 8 : 200);
    if (asked <= 2) peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    if (asked === 3) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun");
  });
  const idle = dial();
  idle.say(GET);
  runtime.network.run();
  assert.match(idle.received, /aaaaaaaa$/);
  dial().say("GET / HTTP");
  const slow = dial();
  slow.socket.pause();
  slow.say(GET);
  runtime.network.run();
  assert.equal(proxy.ended.length, 2);
  // One whose answer has begun, two without, and one that waits for a slot.
  for (let i = 0; i < 4; i++) dial().say(GET);
  runtime.network.advance(500);
  assert.equal(asked, 5);
  assert.equal(proxy.upstream().waiting, 1);
  proxy.gateway.abortAll();
  assert.equal(proxy.gateway.dropped, 5);
  runtime.network.run();
  proxy.gateway.abortAll();
  assert.equal(proxy.gateway.dropped, 5, "each of them once");
});
