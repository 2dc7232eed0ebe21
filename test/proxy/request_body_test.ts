/** Request bodies on their way to the endpoint: framing, trailers, limits, and clients that end within one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { acrossChunks } from "../support/wire.ts";
import { message, patterned, withLab } from "./lab.ts";

const H = "Host: a";
const CHUNKED = ["POST /up HTTP/1.1", H, "Transfer-Encoding: chunked"];
/** Larger than request_buffer, so it is streamed. */
const LARGE = 300_000;

test("a body with a length goes up with that length, whatever the method", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto((request) => `${request.method} ${request.field("Content-Length")} ${request.text}`);
    const client = await connect();
    for (const method of ["GET", "DELETE", "OPTIONS", "POST", "PATCH", "X-OTHER"]) {
      const answer = await client.ask(message([`${method} / HTTP/1.1`, H, "Content-Length: 3"], "abc"));
      assert.equal(answer.text, `${method} 3 abc`);
    }
    const padded = await client.ask(message(["POST / HTTP/1.1", H, "Content-Length: 0003"], "abc"));
    assert.equal(padded.text, "POST 3 abc", "written as we would write it");
    const head = await client.ask(message(["HEAD / HTTP/1.1", H, "Content-Length: 3"], "abc"));
    assert.equal(head.field("Content-Length"), "10");
    assert.equal((await client.ask(message(["POST / HTTP/1.1", H, "Content-Length: 0"]))).text, "POST 0 ");
    assert.equal((await client.ask(message(["POST / HTTP/1.1", H]))).text, "POST undefined ");
    assert.equal(origin.connections, 1);
  }));

test("a chunked body is chunked anew: extensions are gone, the coding is spelt our way", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(
      message(
        ["GET /up HTTP/1.1", H, "transfer-encoding: Chunked"],
        '003;a=b\r\nabc\r\n2 ; q="x;y"\r\nde\r\n0;z\r\n\r\n',
      ),
    );
    const request = await peer.readRequest();
    assert.equal(request.field("Transfer-Encoding"), "chunked");
    assert.equal(request.all("Content-Length").length, 0);
    assert.equal(request.text, "abcde");
    assert.doesNotMatch(peer.transcript, /a=b|x;y|;z/);
    await peer.respond({ body: "ok" });
    assert.equal((await client.readResponse()).text, "ok");
  }));

test("trailers go up behind the body, without those that could be taken for something else", () =>
  withLab("", async ({ begin }) => {
    const { peer } = await begin(message(
      [...CHUNKED, "Trailer: X-Sum, Content-Length"],
      "1\r\na\r\n0\r\nX-Sum:  7 \r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\nHost: evil\r\nAuthorization: x\r\n" +
        "Cookie: c\r\nX-Forwarded-For: 6.6.6.6\r\nContent-Type: text/html\r\nVia: 1.1 x\r\nConnection: close\r\nx-end: 1\r\n\r\n",
    ));
    const request = await peer.readRequest();
    assert.equal(request.text, "a");
    assert.deepEqual(request.trailers, [["X-Sum", "7"], ["x-end", "1"]]);
    assert.equal(request.field("Host"), "a");
    assert.equal(request.field("X-Forwarded-For"), "127.0.0.1");
  }));

test("a large body is streamed, unchanged, in whatever pieces it comes", () =>
  withLab("", async ({ begin, proxy }) => {
    const body = patterned(LARGE);
    const { client, peer } = await begin(message(["PUT /up HTTP/1.1", H, `Content-Length: ${LARGE}`]));
    void client.sendSplit(body, [1, 2, 70_000, 70_001, 299_999]);
    const request = await peer.readRequest();
    assert.deepEqual(request.body, body);
    await peer.respond({ status: 201 });
    assert.equal((await client.readResponse()).status, 201);
    assert.equal((await proxy.endedAt(0)).requestBodyBytes, LARGE);
  }));

test("a small body is complete before it takes a connection", () =>
  withLab("", async ({ origin, connect, proxy }) => {
    origin.auto((request) => request.text);
    const slow = await connect();
    await slow.send(message(["POST / HTTP/1.1", H, "Content-Length: 5"], "slow"));
    const quick = await connect();
    assert.equal(
      (await quick.ask(message(["POST / HTTP/1.1", H, "Content-Length: 5"], "quick"))).text,
      "quick",
    );
    assert.equal(proxy.upstream().inFlight, 0);
    await slow.send("!");
    assert.equal((await slow.readResponse()).text, "slow!");
    assert.equal(origin.connections, 1);
  }));

test("where slots are few, a small body of unknown length is complete before it takes one, too", () =>
  withLab("max_in_flight: 1", async ({ origin, connect, proxy }) => {
    origin.auto((request) => request.text);
    const slow = await connect();
    await slow.send(message(CHUNKED, "4\r\nslow\r\n"));
    const quick = await connect();
    assert.equal((await quick.ask(message(CHUNKED, "5\r\nquick\r\n0\r\n\r\n"))).text, "quick");
    assert.equal(proxy.upstream().inFlight, 0);
    await slow.send("1\r\n!\r\n0\r\n\r\n");
    assert.equal((await slow.readResponse()).text, "slow!");
  }));

test("where slots are few, a long body of unknown length is streamed once request_buffer is full", () =>
  withLab("max_in_flight: 1\nrequest_buffer: 8B", async ({ begin, connect, proxy }) => {
    const { client, peer } = await begin(message(CHUNKED, "3\r\nabc\r\n6\r\ndefghi\r\n"));
    await proxy.until("all of it to go on", () => acrossChunks("abcdefghi").test(peer.transcript));
    const next = await connect();
    await next.send(message(CHUNKED, "9\r\n123456789\r\n"));
    await proxy.until("the next one to wait", () => proxy.upstream().waiting === 1);
    await next.send("2\r\nxy\r\n0\r\n\r\n");
    await client.send("1\r\nj\r\n0\r\n\r\n");
    assert.equal((await peer.readRequest()).text, "abcdefghij");
    await peer.respond({ body: "first" });
    assert.equal((await client.readResponse()).text, "first");
    assert.equal((await peer.readRequest()).text, "123456789xy");
    await peer.respond({ body: "second" });
    assert.equal((await next.readResponse()).text, "second");
  }));

test("where slots are many, a body of unknown length is streamed at once", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(CHUNKED, "2\r\nhi\r\n"));
    await proxy.until("it to go on", () => acrossChunks("hi").test(peer.transcript));
    await client.send("0\r\n\r\n");
    assert.equal((await peer.readRequest()).text, "hi");
    await peer.respond({ body: "ok" });
    assert.equal((await client.readResponse()).text, "ok");
  }));

for (
  const [how, body] of [["length", "Content-Length: 300000"], [
    "chunks",
    "Transfer-Encoding: chunked",
  ]] as const
) {
  test(`a client that ends within a body (${how}): the request upstream is cut, its connection not used again`, () =>
    withLab("", async ({ begin, proxy }) => {
      const { client, peer } = await begin(
        message(["PUT /up HTTP/1.1", H, body], how === "chunks" ? "5\r\nabcde\r\n" : "abcde"),
      );
      await peer.readUntil(acrossChunks("abcde"));
      await client.halfClose();
      const answer = await client.readResponse();
      assert.equal(answer.status, 400);
      assert.equal(answer.field("Proxy-Status")?.startsWith("sluice; error=client_gone"), true);
      assert.equal(await client.readToEnd(), "");
      await peer.readToClose();
      assert.doesNotMatch(peer.transcript, /\r\n0\r\n/);
      assert.equal((await proxy.endedAt(0)).reason, "client_gone");
      assert.equal(proxy.upstream().inFlight, 0);
    }));

  test(`a client that resets within a body (${how})`, () =>
    withLab("", async ({ begin, proxy, origin, connect }) => {
      const { client, peer } = await begin(
        message(["PUT /up HTTP/1.1", H, body], how === "chunks" ? "5\r\nabcde\r\n" : "abcde"),
      );
      await peer.readUntil(acrossChunks("abcde"));
      client.reset();
      await peer.readToClose();
      assert.doesNotMatch(peer.transcript, /\r\n0\r\n/);
      const ended = await proxy.endedAt(0);
      assert.equal(ended.reason, "client_gone");
      assert.equal(ended.status, 0);
      origin.auto(() => "fresh");
      const next = await (await connect()).ask(message(["GET / HTTP/1.1", H]));
      assert.equal(next.text, "fresh");
      assert.equal(origin.connections, 2);
    }));
}

test("max_body: a length beyond it is refused before anything is dialled", () =>
  withLab("max_body: 1KiB", async ({ origin, connect, proxy }) => {
    origin.auto((request) => String(request.bodyBytes));
    const client = await connect();
    const ask = (bytes: number) =>
      client.ask(message(["POST / HTTP/1.1", H, `Content-Length: ${bytes}`], "a".repeat(bytes)));
    assert.equal((await ask(1024)).text, "1024");
    const refused = await ask(1025);
    assert.equal(refused.status, 413);
    assert.equal(refused.field("Connection"), "close");
    assert.equal(await client.readToEnd(), "");
    assert.equal((await proxy.endedAt(1)).reason, "request_too_large");
    assert.equal(proxy.ended[1]?.local, true);
  }));

test("max_body: chunks beyond it are refused when they come, and the request upstream is cut", () =>
  withLab("max_body: 1KiB", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(CHUNKED, `400\r\n${"a".repeat(1024)}\r\n`));
    await peer.readUntil(acrossChunks("a".repeat(1024)));
    await client.send("1\r\nb\r\n");
    const refused = await client.readResponse();
    assert.equal(refused.status, 413);
    assert.equal(refused.field("Proxy-Status"), "sluice; error=request_too_large");
    assert.equal(await client.readToEnd(), "");
    await peer.readToClose();
    assert.doesNotMatch(peer.transcript, /\r\n0\r\n|b\r\n/);
    assert.equal((await proxy.endedAt(0)).reason, "request_too_large");
  }));

test("max_body: 0 is no limit", () =>
  withLab("max_body: 0", async ({ origin, connect }) => {
    origin.auto((request) => String(request.bodyBytes));
    const client = await connect();
    const request = message(["POST / HTTP/1.1", H, `Content-Length: ${LARGE}`], "a".repeat(LARGE));
    assert.equal((await client.ask(request)).text, String(LARGE));
  }));

test("an early final response is relayed, the rest of the body thrown away, no connection used again", () =>
  withLab("", async ({ begin, origin, connect, proxy }) => {
    const { client, peer } = await begin(
      message(["POST / HTTP/1.1", H, `Content-Length: ${LARGE}`], "begin"),
    );
    await peer.readUntil("begin");
    await peer.respond({ status: 403, body: "no" });
    const answer = await client.readResponse();
    assert.equal(answer.status, 403);
    assert.equal(answer.text, "no");
    assert.equal(answer.field("Connection"), "close");
    // The rest comes all the same, and is no request.
    await client.send("x".repeat(LARGE - 5) + message(["GET /smuggled HTTP/1.1", H])).catch(() => {});
    assert.equal(await client.readToEnd(), "");
    await peer.readToClose();
    const ended = await proxy.endedAt(0);
    assert.equal(`${ended.status}${ended.reason}`, "403");
    origin.auto((request) => request.target);
    assert.equal((await (await connect()).ask(message(["GET /next HTTP/1.1", H]))).text, "/next");
    assert.equal(origin.connections, 2);
    assert.equal(proxy.ended.length, 2);
  }));

test("an early response may be followed by the rest of the body, which is then relayed", () =>
  withLab("", async ({ begin, connect }) => {
    const { client, peer } = await begin(
      message(["POST / HTTP/1.1", H, `Content-Length: ${LARGE}`], "begin"),
    );
    await peer.readUntil("begin");
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nearly ");
    await client.readUntil("Connection: close\r\n\r\n");
    await client.send("x".repeat(LARGE - 10) + "final");
    await peer.readUntil("final");
    await peer.send("later!");
    assert.equal(await client.readToEnd(), "early later!");
    // All of the request was sent: the connection upstream can be used again.
    const next = await connect();
    await next.send(message(["GET /next HTTP/1.1", H]));
    assert.equal((await peer.readRequest()).target, "/next");
  }));

test("queue.bytes bounds bodies that are read ahead as well; more of them are streamed", () =>
  withLab("request_buffer: 64KiB\nqueue: {bytes: 256KiB}", async ({ origin, connect, proxy }) => {
    origin.auto((request) => `${request.bodyBytes}`);
    const head = message(["POST /up HTTP/1.1", H, "Content-Length: 65536"]);
    const upstream = proxy.upstream();
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect()));
    for (const [index, client] of clients.entries()) {
      await client.send(head);
      await client.send(patterned(65_000));
      await proxy.until("it to be read, or streamed", () => {
        const read = Math.min(2, index + 1);
        return upstream.bufferedBytes === read * 65_000 && upstream.inFlight === index + 1 - read;
      });
      assert.ok(upstream.copiedBytes + upstream.bufferedBytes <= 256 * 1024);
    }
    for (const client of clients) {
      await client.send(new Uint8Array(536));
      assert.equal((await client.readResponse()).text, "65536");
    }
    assert.equal(upstream.bufferedBytes, 0);
    assert.equal(upstream.copiedBytes, 0);
  }));
