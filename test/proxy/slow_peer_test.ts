/** Who may take how long, on a clock that the test moves: the late one is given up, the others are not. */

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
  runtime.network.advance(900);
  assert.match(client.received, /ok$/, "empty lines are not yet a head");
  client.say(" ");
  runtime.network.advance(200);
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

const UPLOAD = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n";

test("first_byte_timeout counts from the end of the request, not while the client sends", async () => {
  const yaml = "to: 3001\nfirst_byte_timeout: 1s\n";
  const { runtime, dial, proxy } = await memoryLab(yaml, {}, () => {});
  const client = dial();
  client.say(UPLOAD);
  runtime.network.advance(5000);
  client.say("x".repeat(100_000));
  runtime.network.advance(5000);
  assert.equal(client.received, "");
  client.say("x".repeat(200_000));
  runtime.network.advance(900);
  assert.equal(client.received, "");
  runtime.network.advance(200);
  assert.match(client.received, /^HTTP\/1\.1 504 /);
  assert.equal(proxy.ended[0]?.reason, "http_response_timeout");
});

test("a response that waits for the request's body is not late while that is coming", async () => {
  const { runtime, dial, origins, proxy } = await memoryLab(
    "to: 3001\nbody_idle_timeout: 1s\n",
    {},
    (peer) => {
      peer.onData = null;
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    },
  );
  const client = dial();
  client.say(UPLOAD);
  for (let step = 0; step < 10; step++) {
    runtime.network.advance(900);
    client.say("x".repeat(30_000));
  }
  runtime.network.run();
  origins[0]?.say("done");
  runtime.network.run();
  assert.match(client.received, /^HTTP\/1\.1 200 [^]*done$/);
  assert.equal(proxy.ended[0]?.reason, "");
});

test("an endpoint is not idle while the client is the one who does not read", async () => {
  const size = 1_000_000;
  const yaml = "upstreams: {app: {endpoints: [3001], body_idle_timeout: 1s, first_byte_timeout: 1s}}\n" +
    "routes: [{to: app}]\nbody_idle_timeout: 60s\n";
  const { runtime, dial, proxy } = await memoryLab(yaml, {}, (peer) => {
    peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`);
  });
  const client = dial();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.socket.pause();
  runtime.network.advance(50_000);
  client.socket.resume();
  runtime.network.run();
  assert.equal(client.received.split("\r\n\r\n")[1]?.length, size);
  assert.equal(proxy.ended[0]?.reason, "");
});

const ASKING = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

test("while it waits, a request that waits for 100 hears nothing, however long that takes", async () => {
  const yaml = "to: 3001\nmax_in_flight: 1\nbody_idle_timeout: 1s\nfirst_byte_timeout: 60s\n";
  const { runtime, dial, origins } = await memoryLab(yaml, {}, () => {});
  dial().say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.run();
  const client = dial();
  client.say(ASKING);
  runtime.network.advance(20_000);
  assert.equal(client.received, "");
  const [peer] = origins;
  assert.ok(peer);
  peer.say(OK);
  runtime.network.advance(5000);
  assert.match(
    peer.received,
    /PUT [^]*\r\nExpect: 100-continue\r\n[^]*\r\n\r\n$/,
    "the endpoint may take its time",
  );
  assert.equal(client.received, "");
  peer.say("HTTP/1.1 100 Continue\r\n\r\n");
  runtime.network.advance(900);
  assert.equal(client.received, "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("abcde");
  runtime.network.advance(5000);
  assert.match(peer.received, /abcde$/);
  peer.say(OK);
  runtime.network.run();
  assert.match(client.received, /ok$/);
});

test("an endpoint that answers nothing to a request that waits for 100: 504", async () => {
  const yaml = "to: 3001\nfirst_byte_timeout: 1s\n";
  const { runtime, dial, proxy } = await memoryLab(yaml, {}, () => {});
  const client = dial();
  client.say(ASKING);
  runtime.network.advance(1100);
  assert.match(client.received, /^HTTP\/1\.1 504 [^]*\r\nConnection: close\r\n/);
  assert.equal(proxy.ended[0]?.reason, "http_response_timeout");
});

test("traffic in one direction keeps a tunnel alive", async () => {
  const { runtime, dial, origins, proxy } = await memoryLab(
    "to: 3001\ntunnel_idle_timeout: 1s\n",
    {},
    (peer) => {
      peer.onData = null;
      peer.say(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
      );
    },
  );
  const client = dial();
  client.say(
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  runtime.network.run();
  for (let step = 0; step < 20; step++) {
    runtime.network.advance(900);
    origins[0]?.say("tick");
  }
  runtime.network.run();
  assert.match(client.received, /(?:tick){20}$/);
  runtime.network.advance(1200);
  assert.equal(proxy.ended[0]?.detail, "idle");
  assert.equal(proxy.gateway.connections, 0);
});
