/** Answers piece by piece of the small HTTP server, in memory: what is written reaches its client, or the client is dropped. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address, Socket } from "../../../runtime/contract/contract.ts";
import { type HttpRoute, JSON_LINES_TYPE, jsonReply, type Outlet } from "../../../src/server/http_message.ts";
import { HttpServer } from "../../../src/server/http_server.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { Peer } from "../../support/memory_lab.ts";
import { createMemoryRuntime, type MemoryNetworkOptions } from "../../support/memory_runtime.ts";
import { walkSeeds } from "../../support/seeds.ts";

const ADDRESS: Address = { kind: "unix", path: "/control" };
const ASK = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
/** Of a stream: as much may be left unread. */
const BACKLOG_BYTES = 1024 * 1024;

async function scene(options: MemoryNetworkOptions = {}, more: readonly HttpRoute[] = []) {
  const runtime = createMemoryRuntime({ clock: new FakeClock(), ...options });
  const outlets: Outlet[] = [];
  const errors: unknown[] = [];
  let over = 0;
  const route: HttpRoute = {
    method: "GET",
    path: "/stream",
    handle: () => ({
      status: 200,
      contentType: JSON_LINES_TYPE,
      begin(out) {
        outlets.push(out);
        return () => over++;
      },
    }),
  };
  const server = await HttpServer.start(runtime, {
    address: ADDRESS,
    routes: [route, ...more],
    onError: (error) => errors.push(error),
  });
  const run = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) {
      runtime.network.run();
      await Promise.resolve();
    }
  };
  const dial = async (text: string): Promise<Peer> => {
    const peer = new Peer();
    runtime.dial({ address: ADDRESS, timeoutMs: 1000, tls: null }, {
      opened: (socket: Socket) => {
        peer.socket = socket;
        return peer;
      },
      failed: ({ detail }) => assert.fail(detail),
    });
    await run();
    peer.say(text);
    await run();
    return peer;
  };
  return { runtime, server, outlets, errors, run, dial, over: () => over };
}

/** The chunks of a chunked answer, and whether it has come to its end. */
function chunksOf(received: string): { readonly chunks: readonly string[]; readonly complete: boolean } {
  let rest = received.slice(received.indexOf("\r\n\r\n") + 4);
  const chunks: string[] = [];
  for (;;) {
    const end = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, end), 16);
    if (end < 0 || rest.length < end + 2 + size + 2) return { chunks, complete: false };
    if (size === 0) return { chunks, complete: rest === "0\r\n\r\n" };
    chunks.push(rest.slice(end + 2, end + 2 + size));
    rest = rest.slice(end + 2 + size + 2);
  }
}

test("stream: each piece is a chunk of its own, in order, and the end comes after all of them", async () => {
  for (const seed of walkSeeds(20)) {
    const { runtime, outlets, run, dial, over } = await scene({
      seed,
      sendBufferBytes: 50,
      receiveBufferBytes: 50,
    });
    const client = await dial(ASK);
    const [out] = outlets as [Outlet];
    const wanted: string[] = [];
    for (let at = 0; at < 100; at++) {
      const text = `${at}${"x".repeat(runtime.network.random(80))}\n`;
      wanted.push(text);
      out.write(text);
      if (runtime.network.random(3) === 0) await run();
    }
    out.end();
    out.write("never");
    assert.equal(over(), 1, "told at once");
    // Through buffers of 50 bytes.
    for (let round = 0; round < 10 && client.end === ""; round++) await run();
    assert.deepEqual(chunksOf(client.received), { chunks: wanted, complete: true }, `seed ${seed}`);
    assert.match(client.received, /\r\nConnection: close\r\n/);
  }
});

test("stream: a client that reads gets any amount; of one that does not, no more is kept than is allowed", async () => {
  const { server, outlets, run, dial, over } = await scene();
  const piece = "x".repeat(32 * 1024);
  const reading = await dial(ASK);
  const stalled = await dial(ASK);
  stalled.socket.pause();
  const [toReading, toStalled] = outlets as [Outlet, Outlet];
  let written = 0;
  for (; over() === 0; written += piece.length) {
    assert.ok(written <= BACKLOG_BYTES + 1024 * 1024, "it is dropped some time");
    toReading.write(piece);
    toStalled.write(piece);
    await run();
  }
  // What the sockets have taken comes on top.
  assert.ok(written >= BACKLOG_BYTES, `${written} bytes`);
  assert.equal(server.connections, 1);
  toStalled.write(piece);
  stalled.socket.resume();
  await run();
  assert.match(stalled.end, /reset/);
  for (let at = 0; at < 100; at++) {
    toReading.write(piece);
    await run();
  }
  toReading.end();
  await run();
  const { chunks, complete } = chunksOf(reading.received);
  assert.ok(complete);
  assert.equal(chunks.length, written / piece.length + 100);
});

test("stream: a client that takes it slowly gets the rest after the end, also while the server closes", async () => {
  const { server, outlets, run, dial } = await scene();
  const client = await dial(ASK);
  client.socket.pause();
  const [out] = outlets as [Outlet];
  const piece = "y".repeat(100_000);
  for (let at = 0; at < 8; at++) out.write(piece);
  await run();
  let isClosed = false;
  void server.close(60_000).then(() => isClosed = true);
  out.write("too late");
  await run();
  assert.equal(isClosed, false);
  client.socket.resume();
  await run();
  assert.deepEqual(chunksOf(client.received), { chunks: Array(8).fill(piece), complete: true });
  client.socket.finish();
  await run();
  assert.equal(isClosed, true);
});

test("an answer that cannot be sent is a bug: told, and answered 500", async () => {
  const routes: readonly HttpRoute[] = [
    {
      method: "GET",
      path: "/split",
      handle: () => ({ ...jsonReply(200, 1), headers: { "X-A": "b\r\nC: d" } }),
    },
    {
      method: "GET",
      path: "/hop",
      handle: async () => ({ ...jsonReply(200, 1), headers: { Connection: "x" } }),
    },
    { method: "GET", path: "/status", handle: () => jsonReply(99, 1) },
  ];
  const { errors, dial } = await scene({}, routes);
  for (const { path } of routes) {
    const client = await dial(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    assert.match(client.received, /^HTTP\/1\.1 500 [^]*"error":"internal_error"/);
    assert.doesNotMatch(client.received, /\r\nC: d/);
  }
  assert.equal(errors.length, 3);
});

test("a request that has come whole is carried out, although its client has gone right behind it", async () => {
  const asked: boolean[] = [];
  const route: HttpRoute = {
    method: "POST",
    path: "/order",
    handle: ({ signal, body }) => {
      asked.push(signal.aborted);
      return jsonReply(200, body);
    },
  };
  const { runtime, dial } = await scene({}, [route]);
  const client = await dial("POST /order HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na");
  client.say("b");
  runtime.network.run();
  client.socket.abort();
  // Both within one turn of the event loop: no promise has been settled in between.
  runtime.network.run();
  for (let at = 0; at < 10; at++) await Promise.resolve();
  assert.deepEqual(asked, [true]);
});
