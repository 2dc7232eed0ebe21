/** A client that closes its sending side after the request, and may read on: `printf … | nc -N`, or somebody who has left. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { acrossChunks } from "../support/wire.ts";
import { message, withLab } from "./lab.ts";

const GET = message(["GET / HTTP/1.1", "Host: a"]);
const SIZED = message(["HTTP/1.1 200 OK", "Content-Length: 6"], "abc");
const STREAM = message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "3\r\nabc\r\n");

test("client_half_close: finish: it is answered, also when a connection has to be opened first", () =>
  withLab("client_half_close: finish", async ({ connect, origin, proxy }) => {
    for (let round = 0; round < 3; round++) {
      const client = await connect();
      await client.send(GET);
      await client.halfClose();
      const peer = await origin.accept();
      await peer.readRequest();
      await peer.respond({ body: "late but there", close: true });
      assert.equal((await client.readResponse()).text, "late but there");
      assert.equal((await proxy.endedAt(round)).reason, "");
    }
  }));

test("client_half_close: abort: its slot is free at once, and the record tells why", () =>
  withLab("max_in_flight: 1", async ({ begin, connect, origin, proxy }) => {
    for (const [round, sent] of ["", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", STREAM].entries()) {
      const { client, peer } = await begin(GET);
      await peer.readRequest();
      if (sent !== "") await peer.send(sent);
      if (sent !== "") await client.readUntil(sent === STREAM ? acrossChunks("abc") : "\r\n\r\n");
      const next = await connect();
      await next.send(GET);
      await proxy.until("the next to wait", () => proxy.upstream().waiting === 1);
      await client.halfClose();
      const served = await origin.accept();
      await served.readRequest();
      await peer.readToClose();
      await served.respond({ body: "ok", close: true });
      assert.equal((await next.readResponse()).text, "ok");
      const { status, reason, detail } = await proxy.endedAt(2 * round);
      assert.equal(`${status} ${reason}`, `${sent === STREAM ? 200 : 0} client_gone`);
      assert.equal(detail, "it closed its sending side (client_half_close: abort)");
      await proxy.until("the slot to be free", () => proxy.upstream().inFlight === 0);
    }
  }));

test("client_half_close: abort: a response of known length that has begun is sent to its end", () =>
  withLab("", async ({ begin, proxy, origin }) => {
    const { client, peer } = await begin(GET.repeat(2));
    await peer.readRequest();
    await peer.send(SIZED);
    await client.readUntil("abc");
    await client.halfClose();
    await peer.send("def");
    assert.equal(await client.readToEnd(), "def");
    await proxy.until("it to be gone", () => proxy.gateway.connections === 0);
    // What it had pipelined is not begun, unless the rest of the answer was seen before its end.
    const [first, ...others] = proxy.ended.map(({ reason }) => reason);
    assert.equal(first, "");
    assert.ok(others.length === 0 || others.join() === "client_gone", others.join());
    assert.ok((peer.transcript.match(/GET/g)?.length ?? 0) <= 1 + others.length);
    assert.equal(origin.connections, 1);
  }));

test("client_half_close: abort: requests that Sluice answers itself are answered", () =>
  withLab(
    "upstreams: {app: {endpoints: [ORIGIN]}}\nroutes: [{match: {path: /a}, to: app}, {respond: fixed}]",
    async ({ connect }) => {
      for (const [request, status] of [[GET, 200], ["POST / HTTP/9.9\r\n\r\n", 505]] as const) {
        const client = await connect();
        void client.send(request);
        await client.halfClose();
        assert.equal((await client.readResponse()).status, status);
        assert.equal(await client.readToEnd(), "");
      }
    },
  ));
