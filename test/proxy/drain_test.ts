/** The graceful end: nothing new, what is in flight ends in order, what does not is cut off. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient } from "../support/raw_client.ts";
import { acrossChunks, inOneChunk } from "../support/wire.ts";
import { message, withLab } from "./lab.ts";

const GET = message(["GET / HTTP/1.1", "Host: a"]);

test("what is in flight is finished and announces the end; nothing new is accepted", () =>
  withLab("", async ({ begin, connect, proxy }) => {
    const { client, peer } = await begin(GET);
    await peer.readRequest();
    const half = await connect();
    await half.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
    await proxy.until("both to be there", () => proxy.gateway.connections === 2);
    const drained = proxy.gateway.drain(10_000);
    await assert.rejects(async () => {
      for (;;) (await RawClient.connect(proxy.port)).destroy();
    });
    await peer.respond({ body: "last" });
    const answer = await client.readResponse();
    assert.equal(answer.text, "last");
    assert.equal(answer.field("Connection"), "close");
    assert.equal(await client.readToEnd(), "");
    await client.halfClose();
    // A request whose body was still coming is served as well.
    await half.send("b");
    const request = await peer.readRequest();
    assert.equal(request.text, "ab");
    await peer.respond({ body: "really last" });
    assert.equal((await half.readResponse()).text, "really last");
    await half.halfClose();
    await drained;
    assert.equal(proxy.gateway.connections, 0);
    for (const { reason } of proxy.ended) assert.equal(reason, "");
  }));

test("idle connections are closed, after a moment for a request that is under way", () =>
  withLab("", async ({ origin, connect, begin, proxy }) => {
    const begun = await begin(GET);
    await begun.peer.readRequest();
    await begun.peer.send(message(["HTTP/1.1 200 OK", "Content-Length: 6"], "abc"));
    await begun.client.readUntil("abc");
    origin.auto((request) => request.target);
    const idle = await connect();
    assert.equal((await idle.ask(GET)).text, "/");
    const late = await connect();
    assert.equal((await late.ask(GET)).text, "/");
    const drained = proxy.gateway.drain(10_000);
    const answer = await late.ask(message(["GET /late HTTP/1.1", "Host: a"]));
    assert.equal(answer.text, "/late");
    assert.equal(answer.field("Connection"), "close");
    await late.halfClose();
    // A response that had begun before did not announce the end: its client is given that moment, too.
    await begun.peer.send("def");
    assert.equal(await begun.client.readToEnd(), "def");
    await begun.client.halfClose();
    assert.equal(await idle.readToEnd(), "");
    await idle.halfClose();
    await drained;
    for (const { reason } of proxy.ended) assert.equal(reason, "");
  }));

test("what is not done in time is cut off, and the record says why", () =>
  withLab("", async ({ begin, proxy }) => {
    const waiting = await begin(GET);
    await waiting.peer.readRequest();
    const relaying = await begin(GET);
    await relaying.peer.readRequest();
    await relaying.peer.send(message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "3\r\nabc\r\n"));
    await relaying.client.readUntil(acrossChunks("abc"));
    const switched = await begin(
      message(["GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", KEY]),
    );
    await switched.peer.readRequest();
    await switched.peer.send(
      message(["HTTP/1.1 101 SP", "Connection: Upgrade", "Upgrade: websocket", ACCEPT]),
    );
    await switched.client.readUntil("\r\n\r\n");
    await proxy.gateway.drain(50);
    for (const { client, peer } of [waiting, relaying, switched]) {
      await client.readToClose();
      await peer.readToClose();
    }
    assert.equal(proxy.gateway.dropped, 2, "a tunnel is no request");
    assert.equal(waiting.client.transcript, "");
    assert.equal(
      inOneChunk(relaying.client.transcript.split("\r\n\r\n")[1] ?? ""),
      "3\r\nabc\r\n",
      "no last chunk",
    );
    await proxy.endedAt(2);
    assert.deepEqual(proxy.ended.map(({ reason }) => reason), new Array(3).fill("shutting_down"));
    assert.deepEqual(proxy.ended.map(({ status }) => status).sort(), [0, 101, 200]);
    assert.equal(proxy.upstream().inFlight, 0);
  }));

test("a request that is held to the end of the time is answered: nothing of it was sent", () =>
  withLab("hold: 60s\n", async ({ connect, proxy }) => {
    proxy.upstream().pause();
    const client = await connect();
    await client.send(GET);
    await proxy.until("it to be held", () => proxy.upstream().waiting === 1);
    const drained = proxy.gateway.drain(50);
    const answer = await client.readResponse();
    assert.equal(answer.status, 503);
    assert.match(answer.field("Proxy-Status") ?? "", /error=shutting_down/);
    assert.equal(answer.field("Connection"), "close");
    assert.equal(await client.readToEnd(), "");
    await client.halfClose();
    await drained;
    assert.equal(proxy.gateway.dropped, 1, "it was not served all the same");
    assert.deepEqual(proxy.ended.map(({ status, reason }) => [status, reason]), [[503, "shutting_down"]]);
  }));

const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

test("draining twice, and draining with nobody there", () =>
  withLab("", async ({ proxy }) => {
    await Promise.all([proxy.gateway.drain(1000), proxy.gateway.drain(1000)]);
    await proxy.gateway.drain(1000);
    assert.equal(proxy.gateway.connections, 0);
  }));
