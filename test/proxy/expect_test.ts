/** Expect: 100-continue, forwarded and not answered here (RFC 9110 §10.1.1). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { message, withLab } from "./lab.ts";

const H = "Host: a";
const ASKING = ["PUT / HTTP/1.1", H, "Content-Length: 5", "Expect: 100-Continue"];

test("the expectation goes up before the body, and the 100 comes down", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(ASKING));
    const head = await peer.readUntil("\r\n\r\n");
    assert.match(head, /\r\nExpect: 100-continue\r\n/);
    assert.match(head, /\r\nContent-Length: 5\r\n\r\n$/);
    assert.equal(client.transcript, "", "nothing is answered on the endpoint's behalf");
    await peer.send("HTTP/1.1 100 Continue\r\nX-Why: go\r\n\r\n");
    assert.equal(await client.readUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\nX-Why: go\r\n\r\n");
    await client.send("abcde");
    await peer.readUntil("abcde");
    await peer.respond({ status: 201 });
    assert.equal((await client.readResponse()).status, 201);
    // Both connections go on.
    await client.send(message(["GET /next HTTP/1.1", H]));
    assert.equal((await peer.readRequest()).target, "/next");
    await peer.respond({ body: "next" });
    assert.equal((await client.readResponse()).text, "next");
    assert.equal(proxy.ended[0]?.requestBodyBytes, 5);
  }));

test("a client that does not wait for the 100", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(message(ASKING, "abcde"));
    assert.equal((await peer.readRequest()).text, "abcde");
    await peer.respond({ body: "done" });
    assert.equal((await client.readResponse()).text, "done");
  }));

test("without content there is nothing to wait for, so the expectation ends here", () =>
  withLab("pool: {size: 0}", async ({ begin }) => {
    for (const length of [[], ["Content-Length: 0"]]) {
      const { client, peer } = await begin(
        message(["POST / HTTP/1.1", H, "Expect: 100-continue", ...length]),
      );
      assert.doesNotMatch(await peer.readUntil("\r\n\r\n"), /expect/i);
      await peer.respond({ body: "done" });
      assert.equal((await client.readResponse()).text, "done");
    }
  }));

test("a final response instead of the 100 ends both connections", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(ASKING));
    await peer.readUntil("\r\n\r\n");
    await peer.respond({ status: 401, body: "who?" });
    const answer = await client.readResponse();
    assert.equal(answer.status, 401);
    assert.equal(answer.field("Connection"), "close");
    // The body comes all the same, looking like a request.
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").catch(() => {});
    assert.equal(await client.readToEnd(), "");
    await peer.readToClose();
    const { status, reason } = await proxy.endedAt(0);
    assert.equal(`${status}${reason}`, "401");
    assert.equal(proxy.ended.length, 1);
  }));

test("other expectations are answered with 417 and never forwarded", () =>
  withLab("", async ({ origin, proxy, connect }) => {
    const odd = [
      "100-continue, x",
      "100-continue;a",
      "x 100-continue",
      "100-continued",
      '"100-continue"',
      "",
    ];
    for (const value of odd) {
      const client = await connect();
      await client.send(message(["PUT / HTTP/1.1", H, "Content-Length: 1", `Expect: ${value}`], "a"));
      const answer = await client.readResponse();
      assert.equal(answer.status, 417, value);
      assert.equal(answer.field("Connection"), "close");
      assert.equal(await client.readToEnd(), "");
    }
    const twice = await connect();
    const lines = ["PUT / HTTP/1.1", H, "Content-Length: 1", "Expect: 100-continue", "Expect: 100-continue"];
    assert.equal((await twice.ask(message(lines, "a"))).status, 417);
    assert.deepEqual(new Set(proxy.ended.map(({ reason }) => reason)), new Set(["expectation_failed"]));
    assert.equal(origin.connections, 0);
  }));

test("on HTTP/1.0 any expectation is ignored, and no interim response comes down", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(
      message(["PUT / HTTP/1.0", H, "Content-Length: 1", "Expect: 100-continue"], "a"),
    );
    const request = await peer.readRequest();
    assert.deepEqual(request.all("Expect"), []);
    await peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    await peer.respond({ body: "done" });
    const answer = await client.readResponse();
    assert.deepEqual(answer.interim, []);
    assert.equal(answer.text, "done");
  }));

test("a 100 that nobody asked for stays here", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(message(["PUT / HTTP/1.1", H, "Content-Length: 1"], "a"));
    await peer.readRequest();
    await peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const answer = await client.readResponse();
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.interim, []);
  }));

test("a client that does not send its body after the 100 is given up", () =>
  withLab("body_idle_timeout: 150ms", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(ASKING));
    await peer.readUntil("\r\n\r\n");
    await peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    const answer = await client.readResponse();
    assert.equal(answer.interim.length, 1);
    assert.equal(answer.status, 408);
    await peer.readToClose();
    assert.equal((await proxy.endedAt(0)).reason, "client_timeout");
  }));
