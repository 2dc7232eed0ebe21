/** A body that is paused at its very last byte: what is left to come is only its end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab, type Peer } from "../../support/memory_lab.ts";

/** Above the high-water mark once the kernel's buffers (64 KiB each way here) are full. */
const SIZES = Array.from({ length: 40 }, (_, i) => 190_000 + i * 2000);

test("a response whose last byte paused the endpoint ends when the client reads on", async () => {
  for (const size of SIZES) {
    const { runtime, proxy, origins, dial } = await memoryLab("to: 3001\n", {}, (peer) => {
      peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${"a".repeat(size - 10_000)}`);
    });
    const client = dial();
    client.socket.pause();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    runtime.network.run();
    origins[0]?.say("a".repeat(10_000));
    runtime.network.run();
    client.socket.resume();
    runtime.network.run();
    assert.ok(client.received.endsWith("\r\n\r\n" + "a".repeat(size)));
    assert.equal(proxy.ended.length, 1, `${size} bytes`);
    assert.equal(proxy.upstream().endpoints[0]?.pool.size, 1);
  }
});

test("a request whose last byte paused the client ends when the endpoint reads on", async () => {
  for (const size of SIZES) {
    const { runtime, proxy, origins, dial } = await memoryLab("to: 3001\n", {}, (peer) => {
      if (peer.received.endsWith("b")) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    const client = dial();
    client.say("GET / HTTP/1.1\r\nHost: b\r\nX: b\r\n\r\n");
    runtime.network.run();
    const origin = origins[0] as Peer;
    origin.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    runtime.network.run();
    origin.socket.pause();
    client.say(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${"a".repeat(size - 1)}b`);
    runtime.network.run();
    origin.socket.resume();
    runtime.network.run();
    assert.equal(proxy.ended.length, 2, `${size} bytes`);
    assert.equal(proxy.upstream().endpoints[0]?.pool.size, 1);
  }
});
