/** Things that happen in the same moment, in either order. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

test("a response that comes together with a reset is delivered", async () => {
  const origin = (await ScriptedOrigin.listen()).auto((_, peer) => {
    void peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    peer.reset();
    return null;
  });
  const proxy = await TestProxy.start(`to: ${origin.address}`);
  try {
    for (let i = 0; i < 20; i++) {
      const response = await askOnce(proxy.port, POST);
      assert.equal(response.status, 200, response.field("Proxy-Status") ?? "");
      assert.equal(response.text, "hello");
    }
    assert.equal(origin.connections, 20);
  } finally {
    await proxy.stop();
    await origin.close();
  }
});

test("a connection that ends with its answer, unannounced, loses no request that may be repeated", async () => {
  // The next one in the queue is sent on it before the FIN is seen, or after: both must do.
  const origin = (await ScriptedOrigin.listen()).auto(async (request, peer) => {
    await peer.respond({ body: request.target });
    await peer.halfClose();
    return null;
  });
  const proxy = await TestProxy.start(`to: ${origin.address}\nmax_in_flight: 1`);
  try {
    const asked = Array.from({ length: 30 }, async (_, i) => {
      const response = await askOnce(proxy.port, `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.equal(response.status, 200, response.field("Proxy-Status") ?? "");
      assert.equal(response.text, `/${i}`);
    });
    await Promise.all(asked);
    assert.equal(proxy.upstream().inFlight, 0);
  } finally {
    await proxy.stop();
    await origin.close();
  }
});

test("an idle connection that ends before the request comes costs even a POST nothing", async () => {
  const origin = (await ScriptedOrigin.listen()).auto((request) => request.text);
  const proxy = await TestProxy.start(`to: ${origin.address}`);
  try {
    const client = await RawClient.connect(proxy.port);
    for (let i = 0; i < 5; i++) {
      assert.equal((await client.ask(POST)).text, "body");
      const [endpoint] = proxy.upstream().endpoints;
      const peer = origin.peers.at(-1);
      if (i % 2 === 0) void peer?.halfClose();
      else peer?.reset();
      await proxy.until("the pool to notice", () => endpoint?.pool.size === 0);
    }
    assert.equal(origin.connections, 5);
    client.destroy();
  } finally {
    await proxy.stop();
    await origin.close();
  }
});

test("a connection that ends before it was used counts as a failure of the endpoint, and is survived", async () => {
  let refuse = 3;
  const origin = await ScriptedOrigin.listen();
  const proxy = await TestProxy.start(`to: ${origin.address}`);
  const serving = (async () => {
    for (;;) {
      const peer = await origin.accept();
      if (refuse-- > 0) {
        // Accepts and hangs up without reading: a backend that is shutting down.
        peer.destroy();
        continue;
      }
      await peer.readRequest();
      await peer.respond({ body: "at last" });
      return;
    }
  })();
  try {
    const response = await askOnce(proxy.port, GET);
    assert.equal(response.text, "at last");
    await serving;
    assert.match(proxy.events[0] ?? "", /^down \S+ connection_terminated$/);
  } finally {
    await proxy.stop();
    await origin.close();
  }
});

test("a Unix socket that does not exist yet is waited for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  const path = join(folder, "app.sock");
  const proxy = await TestProxy.start(`to: unix:${path}`);
  let origin: ScriptedOrigin | null = null;
  try {
    const client = await RawClient.connect(proxy.port);
    await client.send(POST);
    await proxy.until("one to wait", () => proxy.upstream().waiting === 1 && proxy.upstream().allDown);
    origin = (await ScriptedOrigin.listen({ path })).auto((request) => request.text);
    assert.equal((await client.readResponse({ method: "POST" })).text, "body");
    client.destroy();
  } finally {
    await proxy.stop();
    await origin?.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what does not fit into the waiting room is refused with its reason, the rest is served", async () => {
  const origin = await ScriptedOrigin.listen();
  await origin.stopListening();
  const proxy = await TestProxy.start(`to: ${origin.address}\nqueue: {size: 3, bytes: 1KiB}`);
  try {
    const post = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 800\r\n\r\n${"x".repeat(800)}`;
    const clients: RawClient[] = [];
    const say = async (request: string): Promise<RawClient> => {
      const client = await RawClient.connect(proxy.port);
      await client.send(request);
      clients.push(client);
      return client;
    };
    await say(post);
    await proxy.until("one to wait", () => proxy.upstream().waiting === 1 && proxy.upstream().allDown);
    const tooMuch = await (await say(post)).readResponse({ method: "POST" });
    assert.equal(tooMuch.status, 503);
    assert.match(tooMuch.field("Proxy-Status") ?? "", /error=body_buffer_full/);
    assert.equal(proxy.upstream().bufferedBytes, 800);
    await say(GET);
    await say(GET);
    await proxy.until("three to wait", () => proxy.upstream().waiting === 3);
    const tooMany = await (await say(GET)).readResponse();
    assert.equal(tooMany.status, 503);
    assert.match(tooMany.field("Proxy-Status") ?? "", /error=queue_full; details="3 requests are waiting"/);
    assert.equal(tooMany.field("Retry-After"), "1");
    origin.auto((request) => request.method);
    await origin.listenAgain();
    const served = [clients[0], clients[2], clients[3]].map((client) => client?.readResponse());
    assert.deepEqual((await Promise.all(served)).map((response) => response?.text), ["POST", "GET", "GET"]);
    for (const client of clients) client.destroy();
  } finally {
    await proxy.stop();
    await origin.close();
  }
});
