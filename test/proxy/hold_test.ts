/** Requests wait while nobody listens, and while all slots are taken, and take nothing that they do not need. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

/** An origin that is down, and a proxy before it. */
async function away(yaml = ""): Promise<{ origin: ScriptedOrigin; proxy: TestProxy }> {
  const origin = await ScriptedOrigin.listen();
  await origin.stopListening();
  const proxy = await TestProxy.start(`to: 127.0.0.1:${origin.port}\n${yaml}`);
  return { origin, proxy };
}

async function withAway(
  yaml: string,
  run: (origin: ScriptedOrigin, proxy: TestProxy) => Promise<void>,
): Promise<void> {
  const { origin, proxy } = await away(yaml);
  try {
    await run(origin, proxy);
    assert.deepEqual(origin.autoErrors, []);
  } finally {
    await proxy.stop();
    await origin.close();
  }
}

const waiting = (proxy: TestProxy, count: number): Promise<void> =>
  proxy.until(`${count} to wait`, () => proxy.upstream().waiting === count);

test("GET and POST wait while nobody listens and are served in the order they came in", async () => {
  await withAway("max_in_flight: 1", async (origin, proxy) => {
    const seen: string[] = [];
    origin.auto((request) => {
      seen.push(`${request.method} ${request.target} ${request.text}`);
      return `for ${request.target}`;
    });
    const clients: RawClient[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 8; i++) {
      const client = await RawClient.connect(proxy.port);
      clients.push(client);
      if (i % 2 === 0) await client.send(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      else await client.send(`POST /${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`);
      expected.push(i % 2 === 0 ? `GET /${i} ` : `POST /${i} body`);
      await waiting(proxy, i + 1);
    }
    await origin.listenAgain();
    for (const [i, client] of clients.entries()) {
      const response = await client.readResponse();
      assert.equal(response.status, 200);
      assert.equal(response.text, `for /${i}`);
      client.destroy();
    }
    assert.deepEqual(seen, expected);
    for (const ended of proxy.ended) {
      assert.equal(ended.attempts, 1);
      assert.ok(ended.heldMs > 0 && ended.heldMs <= ended.waitMs, `${ended.heldMs} of ${ended.waitMs}`);
    }
    assert.equal(proxy.events[0], `down 127.0.0.1:${origin.port} connection_refused`);
    assert.equal(proxy.events[1], `up 127.0.0.1:${origin.port}`);
  });
});

test("a waiting client that leaves frees its place at once, and the backend never hears of it", async () => {
  await withAway("max_in_flight: 1", async (origin, proxy) => {
    const seen: string[] = [];
    origin.auto((request) => {
      seen.push(request.target);
      return "ok";
    });
    const leave = [
      ["/fin", (client: RawClient) => void client.halfClose()],
      ["/reset", (client: RawClient) => client.reset()],
      ["/destroy", (client: RawClient) => client.destroy()],
    ] as const;
    for (const [index, [target, go]] of leave.entries()) {
      const client = await RawClient.connect(proxy.port);
      await client.send(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`);
      await waiting(proxy, 1);
      go(client);
      await waiting(proxy, 0);
      const ended = await proxy.endedAt(index);
      assert.equal(ended.reason, "client_gone");
      assert.equal(ended.attempts, 0);
      client.destroy();
    }
    assert.equal(proxy.upstream().bufferedBytes, 0);
    const stays = await RawClient.connect(proxy.port);
    await stays.send("GET /stays HTTP/1.1\r\nHost: a\r\n\r\n");
    await waiting(proxy, 1);
    await origin.listenAgain();
    assert.equal((await stays.readResponse()).status, 200);
    assert.deepEqual(seen, ["/stays"]);
    stays.destroy();
  });
});

test("a small body is complete before it takes a slot: a slow client holds nobody up", async () => {
  const origin = (await ScriptedOrigin.listen()).auto((request) => request.text);
  const proxy = await TestProxy.start(`to: ${origin.address}\nmax_in_flight: 1`);
  try {
    const slow = await RawClient.connect(proxy.port);
    await slow.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    const quick = await RawClient.connect(proxy.port);
    for (let i = 0; i < 3; i++) {
      const response = await quick.ask(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nq${i}`);
      assert.equal(response.text, `q${i}`);
    }
    assert.equal(origin.connections, 1);
    assert.equal(proxy.upstream().inFlight, 0);
    await slow.send("67890");
    assert.equal((await slow.readResponse()).text, "1234567890");
    slow.destroy();
    quick.destroy();
  } finally {
    await proxy.stop();
    await origin.close();
  }
});

test("a large body stays with its client while it is held", async () => {
  await withAway("request_buffer: 16KiB", async (origin, proxy) => {
    origin.auto((request) => `${request.bodyBytes}`);
    const size = 32 * 1024 * 1024;
    const client = await RawClient.connect(proxy.port);
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    let sent = 0;
    const piece = new Uint8Array(1024 * 1024).fill(0x62);
    const sending = (async () => {
      while (sent < size) {
        await client.send(piece);
        sent += piece.length;
      }
    })();
    await waiting(proxy, 1);
    await proxy.until("the buffer to fill", () => proxy.upstream().bufferedBytes >= 16 * 1024);
    const full = proxy.upstream().bufferedBytes;
    assert.ok(full <= 16 * 1024 + proxy.runtime.capabilities.maxChunkBytes, `${full} bytes buffered`);
    const stuckAt = sent;
    // Nothing moves any more however long it is held: twenty looks at a stable state.
    let looks = 0;
    await proxy.until("the state to stay", () => ++looks > 20);
    assert.equal(proxy.upstream().bufferedBytes, full);
    assert.ok(stuckAt < size);
    await origin.listenAgain();
    await sending;
    assert.equal((await client.readResponse()).text, `${size}`);
    assert.equal(proxy.upstream().bufferedBytes, 0);
    client.destroy();
  });
});

test("Expect: 100-continue is not answered while the request is held", async () => {
  await withAway("", async (origin, proxy) => {
    const client = await RawClient.connect(proxy.port);
    await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    await waiting(proxy, 1);
    let looks = 0;
    await proxy.until("ten looks", () => ++looks > 10);
    assert.equal(client.transcript, "");
    await origin.listenAgain();
    const peer = await origin.accept();
    await peer.readUntil("\r\n\r\n");
    await peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    await client.readUntil("HTTP/1.1 100 Continue\r\n\r\n");
    await client.send("body");
    await peer.readUntil("body");
    await peer.respond({ body: "thanks" });
    assert.equal((await client.readResponse()).text, "thanks");
    client.destroy();
  });
});

test("503 after the hold time: the reason, Retry-After, and the connection lives on", async () => {
  await withAway("hold: 200ms", async (origin, proxy) => {
    const client = await RawClient.connect(proxy.port);
    const response = await client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(response.status, 503);
    assert.equal(response.field("Retry-After"), "1");
    assert.equal(
      response.field("Proxy-Status"),
      `sluice; error=hold_timeout; details="${origin.address}: connection_refused"`,
    );
    assert.match(response.text, /reason: hold_timeout/);
    assert.ok((proxy.ended[0]?.heldMs ?? 0) >= 190);
    origin.auto(() => "back");
    await origin.listenAgain();
    assert.equal((await client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).text, "back");
    client.destroy();
  });
});

test("hold 0: an unreachable backend is a 502 at once, and noticed as soon as it is back", async () => {
  await withAway("hold: 0", async (origin, proxy) => {
    const client = await RawClient.connect(proxy.port);
    for (let i = 0; i < 3; i++) {
      const response = await client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
      assert.equal(response.status, 502);
      assert.match(response.field("Proxy-Status") ?? "", /error=connection_refused/);
      assert.equal(response.field("Retry-After"), undefined);
    }
    origin.auto(() => "back");
    await origin.listenAgain();
    assert.equal((await client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).text, "back");
    client.destroy();
  });
});
