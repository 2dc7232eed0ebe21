/** A client that is slower than any link does not keep a slot from others, and a slow one that is honest is served. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab, type Peer } from "../support/memory_lab.ts";

const UPLOAD = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ONE_SLOT = "to: 3001\nmax_in_flight: 1\nqueue: {timeout: 1h}\nbody_idle_timeout: 10s\n";

const SMALL_BUFFERS = { receiveBufferBytes: 1024, sendBufferBytes: 1024 };

const answer = (peer: Peer): void => {
  const { received } = peer;
  if (received.endsWith("\r\n\r\n") && received.startsWith("GET")) peer.say(OK);
  else if (received.split("\r\n\r\n")[1]?.length === 100_000) {
    peer.received = "";
    peer.say(OK);
  }
};

for (
  const [setting, slots, given] of [["auto", 1, true], ["auto", 0, false], ["0", 1, false], [
    "1KiB",
    0,
    true,
  ]] as const
) {
  test(`a body that dribbles, body_rate: ${setting}, max_in_flight: ${slots}`, async () => {
    const yaml = `${ONE_SLOT}body_rate: ${setting}\n`.replace("flight: 1", `flight: ${slots}`);
    const { runtime, dial, proxy } = await memoryLab(yaml, {}, answer);
    const slow = dial();
    slow.say(UPLOAD + "x".repeat(70_000));
    runtime.network.run();
    assert.equal(proxy.upstream().inFlight, 1);
    const next = dial();
    next.say(GET);
    for (let second = 0; second < 30; second++) {
      slow.say("x");
      runtime.network.advance(1000);
    }
    assert.equal(slow.received === "", !given);
    if (given) {
      assert.match(slow.received, /^HTTP\/1\.1 408 [^]*reason: client_timeout\n/);
      const { reason, detail } = proxy.ended[slots === 1 ? 0 : 1] ?? {};
      assert.equal(`${reason}: ${detail}`, "client_timeout: slower than body_rate");
    }
    assert.equal(next.received.endsWith("ok"), given || slots === 0);
  });
}

test("a slow body that keeps to the rate is served, however long it takes; so is one that pauses and catches up", async () => {
  const { runtime, dial, proxy } = await memoryLab(ONE_SLOT, {}, answer);
  const steady = dial();
  steady.say(UPLOAD);
  for (let at = 0; at < 100_000; at += 400) {
    steady.say("x".repeat(400));
    runtime.network.advance(1000);
  }
  assert.match(steady.received, /ok$/);
  const fitful = dial();
  fitful.say(UPLOAD);
  for (let at = 0; at < 100_000; at += 2500) {
    runtime.network.advance(9900);
    fitful.say("x".repeat(2500));
  }
  runtime.network.run();
  assert.match(fitful.received, /ok$/);
  assert.deepEqual(proxy.ended.map(({ reason }) => reason), ["", ""]);
});

test("time in which the endpoint does not read is not the client's", async () => {
  const { runtime, dial, origins, proxy } = await memoryLab(ONE_SLOT, SMALL_BUFFERS, (peer) => {
    if (peer.received.length < 50_000) peer.socket.pause();
    answer(peer);
  });
  const client = dial();
  client.say(UPLOAD + "x".repeat(100_000));
  for (let step = 0; step < 200 && client.received === ""; step++) {
    runtime.network.advance(5000);
    origins[0]?.socket.resume();
  }
  runtime.network.run();
  assert.match(client.received, /ok$/);
  assert.equal(proxy.ended[0]?.reason, "");
});

const BIG = 400_000;
const big = (peer: Peer): void => {
  if (peer.received.startsWith("GET /big")) {
    peer.received = "";
    peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${BIG}\r\n\r\n${"x".repeat(BIG)}`);
  } else answer(peer);
};
test("a response that is taken a few bytes at a time does not keep its slot", async () => {
  const { runtime, dial, proxy } = await memoryLab(ONE_SLOT, SMALL_BUFFERS, big);
  const slow = dial();
  let budget = 0;
  slow.onData = () => {
    if (slow.received.length > budget) slow.socket.pause();
  };
  slow.say("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.run();
  const next = dial();
  next.say(GET);
  for (let step = 0; step < 12; step++) {
    budget = slow.received.length;
    slow.socket.resume();
    runtime.network.advance(9000);
  }
  assert.match(next.received, /ok$/);
  assert.equal(proxy.ended[0]?.reason, "client_write_timeout");
});

test("a response that is taken at the rate is complete", async () => {
  const { runtime, dial, proxy } = await memoryLab(ONE_SLOT, SMALL_BUFFERS, big);
  const slow = dial();
  slow.onData = () => {
    if (slow.received.length % 4 !== 0) slow.socket.pause();
  };
  slow.say("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  for (let step = 0; step < 2000 && slow.received.length < BIG; step++) {
    runtime.network.advance(1000);
    slow.socket.resume();
  }
  runtime.network.run();
  assert.equal(slow.received.split("\r\n\r\n")[1]?.length, BIG);
  assert.equal(proxy.ended[0]?.reason, "");
});

test("a response that lies in our buffers whole frees its slot, although its client does not read", async () => {
  for (const framing of ["length", "chunked"] as const) {
    const body = "x".repeat(90_000);
    const text = framing === "length"
      ? `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      : `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${
        `7d0\r\n${"x".repeat(2000)}\r\n`.repeat(45)
      }0\r\n\r\n`;
    const sizes = { receiveBufferBytes: 120_000, sendBufferBytes: 120_000 };
    const { runtime, dial, proxy, origins } = await memoryLab(ONE_SLOT, sizes, (peer) => {
      if (peer.received.endsWith("\r\n\r\n")) peer.say(peer.received.includes("/small") ? text : OK);
      peer.received = "";
    });
    // Its kernel buffers are full of the answers to requests before.
    const client = dial();
    client.socket.pause();
    for (let count = 0; count < 6; count++) {
      client.say("GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
      runtime.network.run();
    }
    assert.equal(proxy.upstream().inFlight, 0, framing);
    const next = dial();
    next.say(GET);
    runtime.network.run();
    assert.match(next.received, /ok$/);
    client.socket.resume();
    runtime.network.run();
    assert.equal(origins.length, 1, "the connection is used again");
    const { reason } = proxy.ended[0] ?? {};
    assert.equal(reason, "");
  }
});
