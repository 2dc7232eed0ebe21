/** Deadlines of the small HTTP server and its client, in memory: no client keeps anything of it for ever. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address, Socket } from "../../../runtime/contract/contract.ts";
import { HttpCall } from "../../../src/client/http_call.ts";
import { type HttpRoute, JSON_LINES_TYPE, jsonReply } from "../../../src/server/http_message.ts";
import { HttpServer } from "../../../src/server/http_server.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { Peer } from "../../support/memory_lab.ts";
import { createMemoryRuntime } from "../../support/memory_runtime.ts";

const ADDRESS: Address = { kind: "unix", path: "/control" };

const ROUTES: readonly HttpRoute[] = [
  { method: "GET", path: "/now", handle: () => jsonReply(200, "now") },
  { method: "POST", path: "/never", handle: () => new Promise<never>(() => {}) },
  {
    method: "GET",
    path: "/stream",
    handle: () => ({ status: 200, contentType: JSON_LINES_TYPE, begin: () => () => {} }),
  },
];

async function scene() {
  const clock = new FakeClock();
  const runtime = createMemoryRuntime({ clock });
  const server = await HttpServer.start(runtime, {
    address: ADDRESS,
    routes: ROUTES,
    onError: (error) => {
      throw error;
    },
  });
  const run = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      runtime.network.run();
      await Promise.resolve();
    }
  };
  const dial = async (): Promise<Peer> => {
    const peer = new Peer();
    runtime.dial({ address: ADDRESS, timeoutMs: 1000, tls: null }, {
      opened: (socket: Socket) => {
        peer.socket = socket;
        return peer;
      },
      failed: ({ detail }) => assert.fail(detail),
    });
    await run();
    return peer;
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await run();
  };
  return { runtime, server, dial, run, pass };
}

test("half a head, half a body, and silence all come to an end", async () => {
  const { server, dial, run, pass } = await scene();
  const head = await dial();
  head.say("GET /no");
  const body = await dial();
  body.say("POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  const silent = await dial();
  const idle = await dial();
  idle.say("GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
  await run();
  assert.match(idle.received, /^HTTP\/1\.1 200 OK\r\n[^]*"now"\n$/);
  assert.equal(server.connections, 4);
  await pass(10_100);
  assert.match(head.received, /^HTTP\/1\.1 408 [^]*"error":"bad_request"/);
  assert.match(body.received, /^HTTP\/1\.1 408 [^]*"error":"bad_request"/);
  assert.equal(silent.received, "");
  await pass(60_000);
  await pass(60_000);
  assert.equal(server.connections, 0);
});

test("an answer that takes long, and a stream without events, may take as long as they like", async () => {
  const { server, dial, run, pass } = await scene();
  const waiting = await dial();
  waiting.say("POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  const watching = await dial();
  watching.say("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  await run();
  for (let hour = 0; hour < 3; hour++) await pass(3_600_000);
  assert.equal(server.connections, 2);
  assert.equal(waiting.received, "");
  assert.match(watching.received, /^HTTP\/1\.1 200 OK\r\n/);
  waiting.socket.abort();
  watching.socket.finish();
  await run();
  await pass(60_000);
  assert.equal(server.connections, 0);
});

test("the client gives up when it said it would", async () => {
  const { runtime, run, pass } = await scene();
  const question = { method: "POST", target: "/never", body: "{}", timeoutMs: 1000 } as const;
  let told = "";
  void HttpCall.begin(runtime, ADDRESS, question).reply.then((answer) => {
    told = answer.ok ? "answered" : answer.code;
  });
  await run();
  await pass(999);
  assert.equal(told, "");
  await pass(2);
  assert.equal(told, "timeout");
});
