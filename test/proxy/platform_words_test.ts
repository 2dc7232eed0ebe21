/** What a platform says about a failure is for the log. Answers have words of ours, the same on every platform. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { localhostCertificate, otherAuthority, testAuthority } from "../support/certificates.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { type Ended, TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { type OriginOptions, type Peer, ScriptedOrigin } from "../support/scripted_origin.ts";

/** The answer to one request, in the words that the client gets, and what the log gets. */
async function answer(
  method: string,
  yaml: (origin: ScriptedOrigin) => string,
  options: OriginOptions = {},
  act: (origin: ScriptedOrigin) => Promise<void> = async () => {},
): Promise<{ readonly status: string; readonly body: string; readonly ended: Ended }> {
  const origin = await ScriptedOrigin.listen(options);
  const system = new MemorySystem({ files: { "/ca": testAuthority, "/other": otherAuthority } });
  const proxy = await TestProxy.start(yaml(origin), { system });
  try {
    const client = await RawClient.connect(proxy.port);
    const length = method === "POST" ? "Content-Length: 0\r\n" : "";
    await client.send(`${method} / HTTP/1.1\r\nHost: a\r\n${length}\r\n`);
    await act(origin);
    const response = await client.readResponse({ method });
    client.destroy();
    const ended = await proxy.endedAt(0);
    return { status: response.field("Proxy-Status") ?? "", body: response.text, ended };
  } finally {
    await proxy.stop();
    await origin.close();
  }
}

const https = (file: string, name: string) => (origin: ScriptedOrigin) =>
  `to: https://127.0.0.1:${origin.port}\nupstream_tls: {ca: ${file}, server_name: ${name}}`;

for (
  const [what, file, name] of [
    ["of an authority that is not trusted", "/other", "localhost"],
    ["for another name", "/ca", "elsewhere.test"],
  ] as const
) {
  test(`a certificate ${what}: the client learns that, the log why`, async () => {
    const { status, body, ended } = await answer("GET", https(file, name), { tls: localhostCertificate });
    assert.equal(status, "sluice; error=tls_certificate_error");
    assert.equal(
      body,
      "502 Bad Gateway\nThe endpoint's certificate is not acceptable.\nreason: tls_certificate_error\n",
    );
    assert.notEqual(ended.detail, "");
  });
}

test("a handshake with an endpoint that does not speak TLS: no words of the platform", async () => {
  const { status, body, ended } = await answer("GET", https("/ca", "localhost"), {}, async (origin) => {
    await (await origin.accept()).send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  });
  assert.equal(status, "sluice; error=tls_protocol_error");
  assert.equal(
    body,
    "502 Bad Gateway\nThe TLS handshake with the endpoint failed.\nreason: tls_protocol_error\n",
  );
  assert.notEqual(ended.detail, "");
});

test("an endpoint that refuses, and hold: 0: neither its address nor the name of the error", async () => {
  const yaml = (origin: ScriptedOrigin) => `to: ${origin.address}\nhold: 0\nhold_interval: 1m`;
  const origin = await ScriptedOrigin.listen();
  await origin.stopListening();
  const { status, body, ended } = await answer("GET", () => yaml(origin));
  await origin.close();
  assert.equal(status, "sluice; error=connection_refused");
  assert.equal(
    body,
    "502 Bad Gateway\nThe endpoint refused the connection.\nreason: connection_refused\n",
  );
  assert.notEqual(ended.detail, "");
});

const cut = async (origin: ScriptedOrigin, before: string) => {
  const peer: Peer = await origin.accept();
  await peer.readRequest();
  if (before !== "") await peer.send(before);
  peer.reset();
};

test("a connection that is reset before the answer: a GET that must not be sent again, and a POST", async () => {
  const plain = (origin: ScriptedOrigin) => `to: ${origin.address}\nretry: off`;
  const none = await answer("GET", plain, {}, (origin) => cut(origin, ""));
  assert.equal(
    none.status,
    'sluice; error=connection_terminated; details="the endpoint reset the connection"',
  );
  assert.match(none.body, /\nthe endpoint reset the connection\nreason: connection_terminated\n$/);
  const post = await answer("POST", (origin) => `to: ${origin.address}`, {}, (origin) => cut(origin, ""));
  const words = "connection_terminated: the endpoint reset the connection";
  assert.equal(post.status, `sluice; error=not_idempotent; details="${words}"`);
  assert.ok(post.body.includes(`\n${words}\nreason: not_idempotent\n`), post.body);
  for (const { ended } of [none, post]) assert.notEqual(ended.detail, "");
});
