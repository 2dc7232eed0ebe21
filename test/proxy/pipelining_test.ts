/** Several requests on one connection at once: answered in order, one at a time, each under the same rules. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawClient } from "../support/raw_client.ts";
import { message, withLab } from "./lab.ts";

const H = "Host: a";

function get(target: string, ...fields: string[]): string {
  return message([`GET ${target} HTTP/1.1`, H, ...fields]);
}

async function texts(client: RawClient, count: number): Promise<string[]> {
  const found: string[] = [];
  for (let index = 0; index < count; index++) found.push((await client.readResponse()).text);
  return found;
}

test("pipelined requests go up one at a time, with their bodies, and are answered in order", () =>
  withLab("", async ({ begin, proxy, origin }) => {
    const { client, peer } = await begin(
      get("/1") + message(["POST /2 HTTP/1.1", H, "Content-Length: 19"], "GET /no HTTP/1.1\r\n\r") +
        message(["POST /3 HTTP/1.1", H, "Transfer-Encoding: chunked"], "3\r\nabc\r\n0\r\n\r\n") + get("/4"),
    );
    for (
      const [target, body] of [["/1", ""], ["/2", "GET /no HTTP/1.1\r\n\r"], ["/3", "abc"], [
        "/4",
        "",
      ]] as const
    ) {
      const request = await peer.readRequest();
      assert.equal(request.target, target);
      assert.equal(request.text, body);
      assert.equal(peer.inbox.unread.length, 0, "nothing of the next one yet");
      await peer.respond({ body: target });
      assert.equal((await client.readResponse()).text, target);
    }
    await proxy.endedAt(3);
    assert.equal(origin.connections, 1);
  }));

test("requests arrive in any pieces", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto((request) => request.target + request.text);
    const client = await connect();
    const chunked = message(
      ["POST /b HTTP/1.1", H, "Transfer-Encoding: chunked"],
      "2\r\nxy\r\n0\r\nT: 1\r\n\r\n",
    );
    void client.dribble(get("/a") + chunked + get("/c"));
    assert.deepEqual(await texts(client, 3), ["/a", "/bxy", "/c"]);
  }));

test("answers given here keep their place among those from the endpoint", () =>
  withLab(
    "upstreams: {app: {endpoints: [ORIGIN]}}\n" +
      "routes: [{match: {path: /fixed}, respond: fixed}, {match: {path: /app}, to: app}]",
    async ({ begin }) => {
      const { client, peer } = await begin(get("/app") + get("/fixed") + get("/none") + get("/app/2"));
      await peer.readRequest();
      await peer.respond({ body: "app" });
      assert.equal((await peer.readRequest()).target, "/app/2");
      await peer.respond({ body: "app 2" });
      assert.deepEqual((await texts(client, 4)).map((text) => text.slice(0, 5)), [
        "app",
        "fixed",
        "404 N",
        "app 2",
      ]);
    },
  ));

test("a malformed request behind a good one is refused in its turn, and nothing behind it is read", () =>
  withLab("", async ({ begin, proxy, origin }) => {
    const { client, peer } = await begin(get("/1") + "GET /2\r\n\r\n" + get("/3"));
    await peer.readRequest();
    await peer.respond({ body: "one" });
    assert.equal((await client.readResponse()).text, "one");
    assert.equal((await client.readResponse()).status, 400);
    assert.equal(await client.readToEnd(), "");
    assert.deepEqual(proxy.ended.map(({ status }) => status), [200, 400]);
    assert.equal(origin.connections, 1);
  }));

test("nothing behind a request with Connection: close is read", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(get("/1", "Connection: close") + get("/2"));
    assert.equal((await peer.readRequest()).all("Connection").length, 0);
    await peer.respond({ body: "one" });
    const answer = await client.readResponse();
    assert.equal(answer.field("Connection"), "close");
    assert.equal(await client.readToEnd(), "");
    await client.halfClose();
    assert.equal(await client.untilClosed(), "ended");
    assert.equal(proxy.ended.length, 1);
  }));

test("a client that has sent its requests and ended gets all its answers", () =>
  withLab("client_half_close: finish", async ({ begin }) => {
    const { client, peer } = await begin(get("/1") + get("/2") + get("/3"));
    await client.halfClose();
    for (const target of ["/1", "/2", "/3"]) {
      assert.equal((await peer.readRequest()).target, target);
      await peer.respond({ body: target });
    }
    assert.deepEqual(await texts(client, 3), ["/1", "/2", "/3"]);
    assert.equal(await client.readToEnd(), "");
    assert.equal(await client.untilClosed(), "ended");
  }));

test("requests beyond 64 KiB wait in the kernel while one is answered", () =>
  withLab("", async ({ begin, connect, origin, proxy }) => {
    const { client, peer } = await begin(get("/first"));
    await peer.readRequest();
    let taken = false;
    const sent = client.send(get("/x").repeat(1_000_000)).then(() => taken = true);
    // A whole exchange of another client later the proxy has read what it is going to read.
    origin.auto(() => "ok");
    assert.equal((await (await connect()).ask(get("/other"))).text, "ok");
    assert.equal(taken, false);
    assert.equal(proxy.ended.length, 1);
    await peer.respond({ body: "first" });
    assert.equal((await client.readResponse()).text, "first");
    client.destroy();
    await sent.catch(() => {});
  }));

test("a client that sends requests and reads no answer is made to wait", () =>
  withLab(
    `routes: [{match: {path: /big}, respond: "${"x".repeat(65_536)}"}, {match: {path: /}, to: ORIGIN}]`,
    async ({ origin, proxy, connect }) => {
      const client = await connect({ paused: true });
      client.record = false;
      const many = 600; // answers of 38 MiB, much more than the kernel buffers for one who does not read
      await client.send(get("/big").repeat(many));
      origin.auto(() => "ok");
      await proxy.until("the first answers", () => proxy.ended.length > 0);
      assert.equal((await (await connect()).ask(get("/other"))).text, "ok");
      assert.ok(proxy.ended.length < many / 2, `${proxy.ended.length} answers given`);
      client.resume();
      let bytes = 0;
      for (let index = 0; index < many; index++) {
        await client.readResponse({ onBody: (piece) => bytes += piece.length });
      }
      assert.equal(bytes, many * 65_536);
    },
  ));
