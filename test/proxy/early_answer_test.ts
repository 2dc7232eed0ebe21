/**
 * An answer that comes before the end of the request reaches its client, also one that reads only after it has sent all (as
 * Python's http.client and Java's HttpURLConnection do): the rest of the request is read and thrown away
 * (RFC 9112 §9.6), however much it is.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { localhostCertificate } from "../support/certificates.ts";
import { RawClient } from "../support/raw_client.ts";
import type { ReadResponse } from "../support/http_reader.ts";
import { memoryLab } from "../support/memory_lab.ts";
import { type Lab, message, withLab } from "./lab.ts";

const H = "Host: a";
/** Far more than the kernel's buffers on both sides hold. */
const LARGE = 30_000_000;
const body = new Uint8Array(LARGE);
const POST = message(["POST /up HTTP/1.1", H, `Content-Length: ${LARGE}`]);

/** Sends everything, and only then begins to read. */
async function sendThenRead(client: RawClient, ...parts: (string | Uint8Array)[]): Promise<ReadResponse> {
  client.pause();
  for (const part of parts) await client.send(part);
  client.resume();
  const answer = await client.readResponse();
  assert.equal(answer.field("Connection"), "close");
  assert.equal(await client.readToEnd(), "", "the connection ends in order");
  await client.halfClose();
  return answer;
}

/** The body as chunks of a megabyte each. */
function* chunked(): Generator<string | Uint8Array> {
  const size = 1_000_000;
  for (let at = 0; at < LARGE; at += size) {
    yield `${size.toString(16)}\r\n`;
    yield body.subarray(at, at + size);
    yield "\r\n";
  }
  yield "0\r\n\r\n";
}

const SMALL_BODIES = "max_body: 1MiB";

test("an early answer of ours: a body that is announced as too large", () =>
  withLab(SMALL_BODIES, async ({ connect, origin }) => {
    assert.equal((await sendThenRead(await connect(), POST, body)).status, 413);
    assert.equal(origin.connections, 0);
  }));

test("an early answer of ours: a body that turns out to be too large", () =>
  withLab(SMALL_BODIES, async ({ connect }) => {
    const head = message(["POST /up HTTP/1.1", H, "Transfer-Encoding: chunked"]);
    assert.equal((await sendThenRead(await connect(), head, ...chunked())).status, 413);
  }));

test("an early answer of ours: no route, a refused field, an upstream that is down", async () => {
  await withLab(
    "upstreams: {app: {endpoints: [ORIGIN]}}\nroutes: [{match: {path: /app}, to: app}]",
    async ({ connect }) => {
      assert.equal((await sendThenRead(await connect(), POST, body)).status, 404);
      const odd = message(["POST /app HTTP/1.1", H, `Content-Length: ${LARGE}`, "Content-Length: 7"]);
      assert.equal((await sendThenRead(await connect(), odd, body)).status, 400);
    },
  );
  await withLab("hold: 0", async ({ connect, origin }) => {
    await origin.stopListening();
    assert.equal((await sendThenRead(await connect(), POST, body)).status, 502);
  });
});

test("an early answer of ours: the client did not wait for 100", () =>
  withLab(SMALL_BODIES, async ({ connect }) => {
    const head = message(["POST /up HTTP/1.1", H, `Content-Length: ${LARGE}`, "Expect: 100-continue"]);
    assert.equal((await sendThenRead(await connect(), head, body)).status, 413);
  }));

test("an early answer of ours: too many connections", () =>
  withLab("max_connections: 1", async ({ origin, connect }) => {
    origin.auto(() => "ok");
    await (await connect()).ask(message(["GET / HTTP/1.1", H]));
    assert.equal((await sendThenRead(await connect(), POST, body)).status, 503);
  }));

for (const ends of [false, true]) {
  test(`an early answer of the endpoint, which then ${ends ? "closes" : "waits"}`, () =>
    withLab("", async ({ begin }) => {
      const { client, peer } = await begin(POST);
      client.pause();
      await peer.readUntil("\r\n\r\n");
      await peer.send(message(["HTTP/1.1 422 No", "Content-Length: 4"], "no!\n"));
      if (ends) peer.destroy();
      const answer = await sendThenRead(client, body);
      assert.equal(answer.status, 422);
      assert.equal(answer.text, "no!\n");
    }));
}

test("an early answer over TLS", () =>
  withLab(SMALL_BODIES, async ({ proxy }) => {
    const address = await proxy.gateway.listen({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      backlog: 511,
      reusePort: false,
      tls: localhostCertificate,
      handshakeTimeoutMs: 5000,
    });
    assert.ok(address.kind === "tcp");
    const client = await RawClient.connect(address.port, { tls: { rejectUnauthorized: false } });
    try {
      assert.equal((await sendThenRead(client, POST, body)).status, 413);
    } finally {
      client.destroy();
    }
  }));

test("an early answer while Sluice stops", () =>
  withLab(SMALL_BODIES, async ({ connect, proxy }) => {
    const client = await connect();
    client.pause();
    await client.send(POST);
    await proxy.endedAt(0);
    const drained = proxy.gateway.drain(30_000);
    assert.equal((await sendThenRead(client, body)).status, 413);
    await drained;
  }));

test("many early answers at a time; those who are read on for count as connections", () =>
  withLab(`${SMALL_BODIES}\nmax_connections: 100`, async ({ connect, proxy }: Lab) => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => connect()));
    for (const client of clients) {
      client.pause();
      await client.send(POST);
    }
    await proxy.endedAt(99);
    const refused = await (await connect()).readResponse();
    assert.equal(refused.field("Proxy-Status"), "sluice; error=too_many_connections");
    const part = body.subarray(0, 2_000_000);
    const answers = await Promise.all(clients.map(async (client) => {
      await client.send(part);
      client.resume();
      return (await client.readResponse()).status;
    }));
    assert.deepEqual(new Set(answers), new Set([413]));
  }));

test("reading on ends five seconds after the client's last byte, and thirty after the answer", async () => {
  const { runtime, dial, proxy } = await memoryLab("to: 3001\nmax_body: 1KiB\n", {}, () => {});
  const silent = dial();
  silent.say(POST);
  runtime.network.advance(4900);
  silent.say("x");
  runtime.network.advance(4900);
  assert.equal(proxy.gateway.connections, 1);
  runtime.network.advance(200);
  assert.equal(proxy.gateway.connections, 0);
  assert.match(silent.received, /^HTTP\/1\.1 413 /);

  const talkative = dial();
  talkative.say(POST);
  for (let second = 0; second < 29; second++) {
    runtime.network.advance(1000);
    talkative.say("x".repeat(50_000));
  }
  assert.equal(proxy.gateway.connections, 1);
  runtime.network.advance(1000);
  assert.equal(proxy.gateway.connections, 0);
  assert.match(talkative.received, /^HTTP\/1\.1 413 /);
});
