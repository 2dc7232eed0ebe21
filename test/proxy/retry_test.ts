/** Connections that die under a request: what is repeated, where, and what is said when it must not be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { type Peer, ScriptedOrigin } from "../support/scripted_origin.ts";
import { acrossChunks, inOneChunk } from "../support/wire.ts";

interface Case {
  readonly origin: ScriptedOrigin;
  readonly proxy: TestProxy;
  readonly client: RawClient;
}

async function withOrigin(yaml: string, run: (test: Case) => Promise<void>): Promise<void> {
  const origin = await ScriptedOrigin.listen();
  const proxy = await TestProxy.start(`to: ${origin.address}\n${yaml}`);
  const client = await RawClient.connect(proxy.port);
  try {
    await run({ origin, proxy, client });
    assert.deepEqual(origin.autoErrors, []);
    assert.equal(proxy.upstream().waiting, 0);
    assert.equal(proxy.upstream().inFlight, 0);
    assert.equal(proxy.upstream().bufferedBytes, 0);
  } finally {
    client.destroy();
    await proxy.stop();
    await origin.close();
  }
}

function message(method: string, fields = "", body = ""): string {
  const length = body === "" && method !== "POST" ? "" : `Content-Length: ${body.length}\r\n`;
  return `${method} / HTTP/1.1\r\nHost: a\r\n${length}${fields}\r\n${body}`;
}

/** Ends a connection on which a request has arrived: in order, or with a reset. */
const DEATHS = {
  "FIN": (peer: Peer) => void peer.halfClose(),
  "reset": (peer: Peer) => peer.reset(),
} as const;

/** A pooled connection exists; the next request on it meets `death`. */
async function reuse({ origin, client }: Case, request: string, death: keyof typeof DEATHS): Promise<Peer> {
  await client.send(message("GET"));
  const first = await origin.accept();
  await first.readRequest();
  await first.respond({ body: "warm" });
  assert.equal((await client.readResponse()).text, "warm");
  await client.send(request);
  await first.readRequest();
  DEATHS[death](first);
  return first;
}

for (const death of ["FIN", "reset"] as const) {
  for (const method of ["GET", "PUT"]) {
    test(`a reused connection dies (${death}): ${method} is repeated once on a fresh one`, async () => {
      await withOrigin("", async (it) => {
        await reuse(it, message(method, "", method === "PUT" ? "put body" : ""), death);
        const second = await it.origin.accept();
        const repeated = await second.readRequest();
        assert.equal(repeated.method, method);
        assert.equal(repeated.text, method === "PUT" ? "put body" : "");
        await second.respond({ body: "second" });
        assert.equal((await it.client.readResponse()).text, "second");
        const ended = await it.proxy.endedAt(1);
        assert.deepEqual([ended.attempts, ended.reason, ended.reused], [2, "", false]);
        assert.deepEqual(it.proxy.events, [], "a pooled connection says nothing about its endpoint");
      });
    });
  }

  test(`a reused connection dies (${death}): POST is not repeated, and the client is told why`, async () => {
    await withOrigin("", async (it) => {
      await reuse(it, message("POST", "", "once"), death);
      const response = await it.client.readResponse({ method: "POST" });
      assert.equal(response.status, 502);
      assert.match(
        response.field("Proxy-Status") ?? "",
        /^sluice; error=not_idempotent; details="connection_/,
      );
      assert.equal((await it.proxy.endedAt(1)).reason, "not_idempotent");
      assert.equal(it.origin.connections, 1, "nobody heard of it again");
      // The client's connection is as good as before.
      await it.client.send(message("GET"));
      const second = await it.origin.accept();
      await second.readRequest();
      await second.respond({ body: "next" });
      assert.equal((await it.client.readResponse()).text, "next");
    });
  });
}

for (
  const [what, yaml, fields] of [
    ["with Idempotency-Key", "", "Idempotency-Key: k1\r\n"],
    ["with retry: unanswered", "retry: unanswered", ""],
  ] as const
) {
  test(`POST ${what} is repeated when its connection dies`, async () => {
    await withOrigin(yaml, async (it) => {
      await reuse(it, message("POST", fields, "again"), "reset");
      const second = await it.origin.accept();
      assert.equal((await second.readRequest()).text, "again");
      // The second one is fresh; after its end the endpoint counts as down, and is dialled again.
      second.reset();
      const third = await it.origin.accept();
      assert.equal((await third.readRequest()).text, "again");
      await third.respond({ body: "third" });
      assert.equal((await it.client.readResponse()).text, "third");
      assert.equal((await it.proxy.endedAt(1)).attempts, 3);
      assert.match(it.proxy.events.join(), /^down \S+ connection_terminated,up \S+$/);
    });
  });
}

test("retry: off repeats nothing", async () => {
  await withOrigin("retry: off", async (it) => {
    await reuse(it, message("GET"), "reset");
    const response = await it.client.readResponse();
    assert.equal(response.status, 502);
    assert.match(response.field("Proxy-Status") ?? "", /error=connection_terminated/);
  });
});

test("a body of which only a part was kept is not repeated", async () => {
  await withOrigin("request_buffer: 1KiB", async ({ origin, proxy, client }) => {
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n${"x".repeat(5000)}`);
    const peer = await origin.accept();
    await peer.readUntil("x".repeat(5000));
    peer.reset();
    const response = await client.readResponse({ method: "PUT" });
    assert.equal(response.status, 502);
    assert.match(response.field("Proxy-Status") ?? "", /error=body_not_replayable/);
    assert.equal(response.field("Connection"), "close");
    assert.equal((await proxy.endedAt(0)).reason, "body_not_replayable");
    assert.equal(origin.connections, 1);
  });
});

test("a chunked body that is still kept is repeated from its beginning, while its rest arrives", async () => {
  await withOrigin("", async ({ origin, client }) => {
    await client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbegi\r\n");
    const first = await origin.accept();
    await first.readUntil(acrossChunks("begi"));
    first.reset();
    const second = await origin.accept();
    await second.readUntil(acrossChunks("begi"));
    await client.send("2\r\nns\r\n0\r\nX-Sum: 6\r\n\r\n");
    await second.readUntil("0\r\n");
    assert.match(inOneChunk(second.transcript.split("\r\n\r\n")[1] ?? ""), /^6\r\nbegins\r\n0\r\n/);
    await second.respond({ body: "ok" });
    assert.equal((await client.readResponse()).text, "ok");
  });
});

test("once a response has begun nothing is repeated, and the client sees the cut", async () => {
  await withOrigin("", async ({ origin, proxy, client }) => {
    await client.send(message("GET"));
    const peer = await origin.accept();
    await peer.readRequest();
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    await client.readUntil("half");
    peer.reset();
    await client.readToClose();
    assert.equal((await proxy.endedAt(0)).reason, "http_response_incomplete");
    assert.equal(origin.connections, 1);
  });
});

test("an endpoint that resets one request while it serves others is not stormed", async () => {
  await withOrigin("hold: 700ms\npool: {size: 0}", async ({ origin, proxy, client }) => {
    let poisoned = 0;
    origin.auto(async (request, peer) => {
      if (request.target !== "/poison") return "fine";
      poisoned++;
      // Somebody else is served meanwhile: the endpoint is well.
      const other = await RawClient.connect(proxy.port);
      assert.equal((await other.ask("GET /fine HTTP/1.1\r\nHost: a\r\n\r\n")).text, "fine");
      other.destroy();
      peer.reset();
      return null;
    });
    await client.send("GET /poison HTTP/1.1\r\nHost: a\r\n\r\n");
    const response = await client.readResponse();
    assert.equal(response.status, 502);
    assert.match(response.field("Proxy-Status") ?? "", /error=connection_terminated/);
    assert.ok(poisoned >= 3 && poisoned <= 8, `${poisoned} attempts`);
    assert.deepEqual(proxy.events, []);
  });
});

test("a status on the list is retried; when that comes to nothing the endpoint's own answer is delivered", async () => {
  await withOrigin("retry: {on: [reset, 503], tries: 3}", async ({ origin, proxy, client }) => {
    let answers = 0;
    origin.auto((request) => {
      answers++;
      if (request.target === "/never" || answers % 2 === 1) {
        return { status: 503, body: `busy ${answers}`, fields: [["X-Origin", "yes"]] };
      }
      return `after ${answers}`;
    });
    assert.equal((await client.ask(message("GET"))).text, "after 2");
    assert.equal((await client.ask(message("PUT", "", "x"))).text, "after 4");
    const post = await client.ask(message("POST", "", "x"));
    assert.deepEqual([post.status, post.text], [503, "busy 5"], "not idempotent: the answer itself");
    const never = await client.ask("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.deepEqual([never.status, never.text, never.field("X-Origin")], [503, "busy 8", "yes"]);
    assert.equal(never.field("Proxy-Status"), undefined);
    assert.deepEqual(proxy.ended.map(({ attempts }) => attempts), [2, 2, 1, 3]);
  });
});

test("a retried status whose next attempt is never answered delivers the answer there was", async () => {
  const yaml = "hold: 300ms\nretry: {on: [reset, 503]}\nqueue: {timeout: 300ms}";
  await withOrigin(yaml, async ({ origin, client }) => {
    await client.send(message("GET"));
    const peer = await origin.accept();
    await peer.readRequest();
    await origin.stopListening();
    await peer.respond({ status: 503, body: "closing", close: true });
    await peer.halfClose();
    const response = await client.readResponse();
    assert.deepEqual([response.status, response.text], [503, "closing"]);
  });
});
