/** Clients that send a byte at a time, on a clock that the test moves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab } from "../support/memory_lab.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

test("the deadline of a head does not begin anew with every byte", async () => {
  const { runtime, proxy, dial } = await memoryLab("to: 3001\nhead_timeout: 1s\n", {}, () => {});
  const client = dial();
  client.say("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  for (let step = 0; step < 9; step++) {
    runtime.network.advance(100);
    client.say("x");
  }
  assert.equal(client.received, "");
  runtime.network.advance(200);
  assert.match(client.received, /^HTTP\/1\.1 408 .*\r\n(?:.*\r\n)*Connection: close\r\n/);
  assert.equal(proxy.ended[0]?.reason, "client_timeout");
});

test("nor does that of a head behind empty lines, or of the next one on the connection", async () => {
  const { runtime, dial } = await memoryLab("to: 3001\nhead_timeout: 1s\n", {}, (peer) => peer.say(OK));
  const client = dial();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.run();
  assert.match(client.received, /ok$/);
  runtime.network.advance(5000);
  assert.match(client.received, /ok$/, "idle is not slow");
  client.say("\r\n");
  runtime.network.advance(600);
  client.say("GET");
  runtime.network.advance(600);
  assert.match(client.received, /okHTTP\/1\.1 408 /);
});

test("a body may take as long as it likes while bytes arrive", async () => {
  const yaml = "to: 3001\nbody_idle_timeout: 1s\nfirst_byte_timeout: 1s\n";
  const { runtime, dial, origins, proxy } = await memoryLab(yaml, {}, (peer) => {
    if (peer.received.endsWith("\r\n0\r\n\r\n")) peer.say(OK);
  });
  const client = dial();
  client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let step = 0; step < 50; step++) {
    runtime.network.advance(900);
    client.say("1\r\nx\r\n");
  }
  client.say("0\r\n\r\n");
  runtime.network.run();
  assert.match(client.received, /^HTTP\/1\.1 200 OK/);
  assert.equal(origins[0]?.received.split("1\r\nx\r\n").length, 51);
  assert.equal(proxy.ended[0]?.reason, "");
});

test("a small body that dribbles takes no connection until it is whole", async () => {
  const { runtime, dial, origins } = await memoryLab(
    "to: 3001\nbody_idle_timeout: 1s\n",
    {},
    (peer) => peer.say(OK),
  );
  const client = dial();
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
  for (let step = 0; step < 19; step++) {
    runtime.network.advance(900);
    client.say("x");
  }
  assert.equal(origins.length, 0);
  client.say("x");
  runtime.network.run();
  assert.match(origins[0]?.received ?? "", /\r\n\r\nx{20}$/);
  assert.match(client.received, /ok$/);
});

test("a response that is read a little at a time is not given up", async () => {
  const yaml = "to: 3001\nbody_idle_timeout: 1s\n";
  const size = 200_000;
  const { runtime, dial, proxy } = await memoryLab(
    yaml,
    { receiveBufferBytes: 4096, sendBufferBytes: 4096 },
    (peer) => {
      peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`);
    },
  );
  const client = dial();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.onData = () => client.socket.pause();
  for (let step = 0; client.received.length < size; step++) {
    if (step > 1000) assert.fail(`${client.received.length} bytes after ${step} steps`);
    runtime.network.advance(900);
    client.socket.resume();
  }
  runtime.network.advance(900);
  assert.equal(proxy.ended[0]?.reason, "");
  assert.equal(client.received.split("\r\n\r\n")[1]?.length, size);
});
