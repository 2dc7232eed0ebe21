import assert from "node:assert/strict";
import { test } from "node:test";
import { DemoBackend } from "../../../../src/cli/demo/demo_backend.ts";
import type {
  CloseReason,
  Socket,
  SocketError,
  SocketEvents,
} from "../../../../runtime/contract/contract.ts";
import { createMemoryRuntime, type MemoryRuntime } from "../../../support/memory_runtime.ts";

/** Asks once; what came back, or why the dial failed. */
class Client {
  text = "";
  ended = false;
  close: CloseReason | null = null;
  error: SocketError | null = null;
  socket: Socket | null = null;
  /** It does not close when the backend has. */
  staysOpen = false;

  constructor(runtime: MemoryRuntime, backend: DemoBackend, request: string) {
    const events: SocketEvents = {
      data: (bytes) => this.text += new TextDecoder("latin1").decode(bytes),
      drained: () => {},
      ended: () => {
        this.ended = true;
        if (!this.staysOpen) this.socket?.close();
      },
      closed: (reason) => this.close = reason,
    };
    runtime.dial({ address: backend.address, timeoutMs: 1000, tls: null }, {
      opened: (socket) => {
        this.socket = socket;
        queueMicrotask(() => {
          const bytes = new TextEncoder().encode(request);
          socket.write(bytes, 0, bytes.length);
        });
        return events;
      },
      failed: (error) => this.error = error,
    });
  }
}

/** Lets promises and events take their turns. */
async function settle(runtime: MemoryRuntime): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    runtime.network.run();
    await Promise.resolve();
  }
}

const GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

test("one connection is served, then nobody listens for a while", async () => {
  const runtime = createMemoryRuntime({ seed: 1 });
  const backend = await DemoBackend.start(runtime, { awayMs: 50 });
  const address = backend.address;
  const first = new Client(runtime, backend, GET);
  await settle(runtime);
  assert.match(first.text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(first.text, /\r\nConnection: close\r\n/);
  assert.match(first.text, /\r\n\r\nrequest 000001: GET \/x\n$/);
  const length = Number(/Content-Length: (\d+)/.exec(first.text)?.[1]);
  assert.equal(first.text.split("\r\n\r\n")[1]?.length, length);
  assert.ok(first.ended);
  assert.equal(backend.answered, 1);

  runtime.network.advance(49);
  await settle(runtime);
  const away = new Client(runtime, backend, GET);
  await settle(runtime);
  assert.equal(away.error?.code, "connection_refused");

  runtime.network.advance(1);
  await settle(runtime);
  const second = new Client(runtime, backend, GET);
  await settle(runtime);
  assert.match(second.text, /request 000002: GET/);
  assert.deepEqual(backend.address, address);
  await Promise.all([backend.stop(), settle(runtime)]);
});

test("who was in the queue when it stopped listening is reset; a client that stays does not keep it away for ever", async () => {
  const runtime = createMemoryRuntime({ resetQueueOnClose: false });
  const backend = await DemoBackend.start(runtime, { awayMs: 10 });
  const first = new Client(runtime, backend, GET);
  const queued = new Client(runtime, backend, GET);
  first.staysOpen = true;
  await settle(runtime);
  assert.match(first.text, /request 000001: GET/);
  assert.equal(queued.text, "");
  assert.equal(queued.close?.code, "reset");
  // Its last answer must not be lost by a reset, so the connection is left some time.
  runtime.network.advance(6000);
  await settle(runtime);
  runtime.network.advance(10);
  await settle(runtime);
  const next = new Client(runtime, backend, GET);
  await settle(runtime);
  assert.match(next.text, /request 000002: GET/);
  assert.equal(backend.answered, 2);
  await Promise.all([backend.stop(), settle(runtime)]);
});

test("bodies of any length, and HEAD", async () => {
  const runtime = createMemoryRuntime({ seed: 2 });
  const backend = await DemoBackend.start(runtime, { awayMs: 1 });
  const body = "x".repeat(3000);
  const requests: readonly (readonly [string, RegExp])[] = [
    [`POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n${body}`, /POST \/p with 3000 bytes\n$/],
    [
      `POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n${body}\r\n0\r\n\r\n`,
      /with 3000 bytes\n$/,
    ],
    [
      "POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
      /^HTTP\/1\.1 100 Continue\r\n\r\n$/,
    ],
  ];
  for (const [request, expected] of requests) {
    const client = new Client(runtime, backend, request);
    await settle(runtime);
    assert.match(client.text, expected);
    client.socket?.abort();
    await settle(runtime);
    runtime.network.advance(1);
    await settle(runtime);
  }
  const head = new Client(runtime, backend, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  await settle(runtime);
  assert.match(head.text, /Content-Length: \d+\r\n[^]*\r\n\r\n$/);
  await Promise.all([backend.stop(), settle(runtime)]);
});

test("a client that says nothing does not keep it away for ever", async () => {
  const runtime = createMemoryRuntime({ seed: 3 });
  const backend = await DemoBackend.start(runtime, { awayMs: 5 });
  const silent = new Client(runtime, backend, "");
  await settle(runtime);
  runtime.network.advance(10_000);
  await settle(runtime);
  assert.ok(silent.close !== null);
  runtime.network.advance(5);
  await settle(runtime);
  const next = new Client(runtime, backend, GET);
  await settle(runtime);
  assert.match(next.text, /200 OK/);
  await Promise.all([backend.stop(), settle(runtime)]);
});

test("what is not HTTP gets 400, a client that leaves nothing", async () => {
  const runtime = createMemoryRuntime({ seed: 4 });
  const backend = await DemoBackend.start(runtime, { awayMs: 1 });
  const odd = new Client(runtime, backend, "nonsense\r\n\r\n");
  await settle(runtime);
  assert.match(odd.text, /^HTTP\/1\.1 400 /);
  runtime.network.advance(1);
  await settle(runtime);
  const leaving = new Client(runtime, backend, "GET / HTT");
  await settle(runtime);
  leaving.socket?.finish();
  await settle(runtime);
  assert.ok(leaving.close !== null);
  assert.equal(leaving.text, "");
  await Promise.all([backend.stop(), settle(runtime)]);
});

test("requests are understood however their bytes are split", async () => {
  const runtime = createMemoryRuntime({ seed: 6 });
  const backend = await DemoBackend.start(runtime, { awayMs: 1 });
  const chunked = "PUT /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const field = (bytes: number): string => `X: ${"y".repeat(bytes)}\r\n`;
  const requests: readonly (readonly [string, RegExp])[] = [
    ["POST /a HTTP/1.0\r\ncontent-length: 5\r\n\r\nhello", /POST \/a with 5 bytes\n$/],
    ["POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", /POST \/a\n$/],
    [chunked + "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", /with 15 bytes\n$/],
    [chunked + "0\r\nTrailer: x\r\n\r\n", /PUT \/p\n$/],
    [chunked + "zz\r\n", /^HTTP\/1\.1 400 /],
    [
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      /^HTTP\/1\.1 400 /,
    ],
    [`GET /large HTTP/1.1\r\nHost: a\r\n${field(20_000)}${field(20_000)}\r\n`, /GET \/large\n$/],
    ["x".repeat(100_000), /^HTTP\/1\.1 400 /],
    ["GET / HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
  ];
  for (const [request, expected] of requests) {
    for (const size of [request.length, 1, 7].slice(0, request.length > 1000 ? 1 : 3)) {
      const client = new Client(runtime, backend, "");
      await settle(runtime);
      for (let from = 0; from < request.length; from += size) {
        const bytes = new TextEncoder().encode(request.slice(from, from + size));
        client.socket?.write(bytes, 0, bytes.length);
        await settle(runtime);
      }
      assert.match(client.text, expected, `${request.slice(0, 60)} by ${size}`);
      client.socket?.abort();
      await settle(runtime);
      runtime.network.advance(1);
      await settle(runtime);
    }
  }
  await Promise.all([backend.stop(), settle(runtime)]);
});

test("stopped is stopped", async () => {
  const runtime = createMemoryRuntime({ seed: 5 });
  const backend = await DemoBackend.start(runtime, { awayMs: 1 });
  await Promise.all([backend.stop(), settle(runtime)]);
  runtime.network.advance(1000);
  await settle(runtime);
  const client = new Client(runtime, backend, GET);
  await settle(runtime);
  assert.equal(client.error?.code, "connection_refused");
});
