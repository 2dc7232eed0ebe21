/** Peers that are too slow: which deadline ends what, and which must not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { acrossChunks } from "../support/wire.ts";
import { message, withLab } from "./lab.ts";

const H = "Host: a";
const GET = message(["GET / HTTP/1.1", H]);

test("a connection without a request is closed without a word", () =>
  withLab("head_timeout: 60ms", async ({ connect, proxy }) => {
    const client = await connect();
    assert.equal(await client.readToEnd(), "");
    assert.equal(proxy.ended.length, 0);
  }));

test("a head that does not arrive in time is answered with 408", () =>
  withLab("head_timeout: 150ms", async ({ connect, proxy }) => {
    const client = await connect();
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    const answer = await client.readResponse();
    assert.equal(answer.status, 408);
    assert.equal(answer.field("Connection"), "close");
    assert.match(answer.field("Proxy-Status") ?? "", /^sluice; error=client_timeout/);
    assert.equal(await client.readToEnd(), "");
    assert.equal((await proxy.endedAt(0)).reason, "client_timeout");
  }));

test("an idle connection is closed after keep_alive_timeout", () =>
  withLab("keep_alive_timeout: 60ms", async ({ origin, connect }) => {
    origin.auto(() => "ok");
    const client = await connect();
    assert.equal((await client.ask(GET)).text, "ok");
    assert.equal(await client.readToEnd(), "");
  }));

test("empty lines are no request: a connection that sends them after an answer ends without a word", () =>
  withLab("keep_alive_timeout: 60ms\nhead_timeout: 150ms", async ({ origin, connect, proxy }) => {
    origin.auto(() => "ok");
    const client = await connect();
    assert.equal((await client.ask(GET)).text, "ok");
    await client.send("\r\n\r");
    assert.equal(await client.readToEnd(), "");
    assert.equal(proxy.ended.length, 1);
  }));

test("a small body that stops is answered with 408, and nothing was dialled", () =>
  withLab("body_idle_timeout: 150ms", async ({ connect, proxy, origin }) => {
    const client = await connect();
    await client.send(message(["POST / HTTP/1.1", H, "Content-Length: 5"], "ab"));
    const answer = await client.readResponse();
    assert.equal(answer.status, 408);
    assert.equal(await client.readToEnd(), "");
    assert.equal((await proxy.endedAt(0)).reason, "client_timeout");
    assert.equal(origin.connections, 0);
  }));

test("a large body that stops is answered with 408, and the request upstream is cut", () =>
  withLab("body_idle_timeout: 150ms", async ({ begin, proxy }) => {
    const { client, peer } = await begin(
      message(["POST / HTTP/1.1", H, "Transfer-Encoding: chunked"], "2\r\nab\r\n"),
    );
    await peer.readUntil(acrossChunks("ab"));
    assert.equal((await client.readResponse()).status, 408);
    await peer.readToClose();
    assert.doesNotMatch(peer.transcript, /\r\n0\r\n/);
    assert.equal((await proxy.endedAt(0)).reason, "client_timeout");
  }));

test("an endpoint that does not begin to answer: 504", () =>
  withLab("first_byte_timeout: 150ms", async ({ begin, proxy }) => {
    const { client, peer } = await begin(GET);
    await peer.readRequest();
    await peer.send("HTTP/1.1 200 O");
    const answer = await client.readResponse();
    assert.equal(answer.status, 504);
    assert.equal(answer.field("Proxy-Status"), "sluice; error=http_response_timeout");
    assert.deepEqual(answer.all("Connection"), [], "the client did nothing wrong");
    await peer.readToClose();
    assert.equal((await proxy.endedAt(0)).reason, "http_response_timeout");
  }));

test("a response that stops is cut", () =>
  withLab("body_idle_timeout: 150ms", async ({ begin, proxy }) => {
    const { client, peer } = await begin(GET);
    await peer.readRequest();
    await peer.send(message(["HTTP/1.1 200 OK", "Content-Length: 10"], "abc"));
    await client.readUntil("abc");
    assert.equal(await client.readToEnd(), "");
    await peer.readToClose();
    assert.equal((await proxy.endedAt(0)).reason, "connection_read_timeout");
  }));

test("a client that stops reading is dropped", () =>
  withLab("body_idle_timeout: 150ms", async ({ begin, proxy }) => {
    const { client, peer } = await begin(GET);
    client.record = false;
    client.pause();
    await peer.readRequest();
    const sent = peer.send(message(["HTTP/1.1 200 OK", `Content-Length: ${1 << 26}`])).then(() =>
      peer.send(new Uint8Array(1 << 26))
    ).catch(() => {});
    const { reason, status } = await proxy.endedAt(0);
    assert.equal(`${status} ${reason}`, "200 client_write_timeout");
    await peer.untilClosed();
    await sent;
    assert.equal(proxy.upstream().inFlight, 0);
  }));

test("an endpoint that stops reading: 504, and the rest of the body is not waited for", () =>
  withLab("body_idle_timeout: 150ms", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(["POST / HTTP/1.1", H, `Content-Length: ${1 << 26}`]));
    peer.record = false;
    peer.pause();
    client.send(new Uint8Array(1 << 26)).catch(() => {});
    const answer = await client.readResponse();
    assert.equal(answer.status, 504);
    assert.equal(answer.field("Proxy-Status"), "sluice; error=connection_write_timeout");
    assert.equal((await proxy.endedAt(0)).reason, "connection_write_timeout");
  }));

/** The process stands still, and with it everything in it. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("a standstill of the process: a request that came in time meanwhile is answered", () =>
  withLab("keep_alive_timeout: 300ms", async ({ origin, connect }) => {
    origin.auto(() => "ok");
    const client = await connect();
    assert.equal((await client.ask(GET)).text, "ok");
    await client.send(GET);
    standStill(700);
    assert.equal((await client.readResponse()).text, "ok");
    assert.equal(await client.readToEnd(), "", "and the deadline is kept afterwards");
  }));

test("a standstill of the process: a body that came in time meanwhile is relayed", () =>
  withLab("body_idle_timeout: 300ms", async ({ begin }) => {
    const { client, peer } = await begin(
      message(["POST / HTTP/1.1", H, "Transfer-Encoding: chunked"], "2\r\nab\r\n"),
    );
    await peer.readUntil(acrossChunks("ab"));
    await client.send("2\r\ncd\r\n0\r\n\r\n");
    standStill(700);
    await peer.readUntil(/c(\r\n1\r\n)?d\r\n0\r\n\r\n/);
    await peer.send(message(["HTTP/1.1 200 OK", "Content-Length: 2"], "ok"));
    assert.equal((await client.readResponse()).text, "ok");
  }));
