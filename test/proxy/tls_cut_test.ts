/** Endpoints over TLS whose connection ends below TLS (RFC 9112 §9.8): what ends with it is not complete. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { localhostCertificate, testAuthority } from "../support/certificates.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { TcpRelay } from "../support/tcp_relay.ts";
import { message } from "./lab.ts";

interface Cut {
  readonly head: readonly string[];
  readonly body: string;
  readonly end: "close_notify" | "finish" | "reset";
  /** Whether the client is to see a whole answer; "unless known" = where the platform cannot tell. */
  readonly whole: boolean | "unless known";
}

const CLOSE = ["HTTP/1.1 200 OK"];

const CUTS: readonly Cut[] = [
  { head: CLOSE, body: "half of it", end: "close_notify", whole: true },
  { head: CLOSE, body: "half of it", end: "finish", whole: "unless known" },
  { head: CLOSE, body: "half of it", end: "reset", whole: false },
  // As long as an alert of TLS 1.3.
  { head: CLOSE, body: "\r\n", end: "finish", whole: "unless known" },
  { head: [...CLOSE, "Content-Length: 10"], body: "half of it", end: "finish", whole: true },
  { head: [...CLOSE, "Content-Length: 11"], body: "half of it", end: "finish", whole: false },
  { head: [...CLOSE, "Transfer-Encoding: chunked"], body: "1\r\na\r\n", end: "close_notify", whole: false },
];

async function run({ head, body, end, whole }: Cut, version: "1.0" | "1.1"): Promise<void> {
  const origin = await ScriptedOrigin.listen({ tls: localhostCertificate });
  const relay = await TcpRelay.start(origin.port);
  const system = new MemorySystem({ files: { "/ca": testAuthority } });
  const yaml = `to: https://127.0.0.1:${relay.port}\nupstream_tls: {ca: /ca, server_name: localhost}`;
  const proxy = await TestProxy.start(yaml, { system });
  try {
    const { tlsEnd, abortSendsReset } = proxy.runtime.capabilities;
    const client = await RawClient.connect(proxy.port);
    await client.send(message([`GET / HTTP/${version}`, "Host: a"]));
    const peer = await origin.accept();
    await peer.readRequest();
    await peer.send(message(head));
    await client.readUntil("\r\n\r\n");
    await peer.send(body);
    await client.readUntil(body.startsWith("1") ? "a" : body);
    if (end === "close_notify") await peer.halfClose();
    else relay.cut(end);
    const complete = whole === "unless known" ? !tlsEnd : whole;
    const { reason } = await proxy.endedAt(0);
    assert.equal(reason, complete ? "" : "http_response_incomplete");
    if (version === "1.0") {
      const unframed = !complete && !(head[1] ?? "").startsWith("Content-Length");
      assert.equal(await client.readToClose(), unframed && abortSendsReset ? "reset" : "ended");
    } else if (head === CLOSE) {
      if (complete) await client.readUntil("0\r\n\r\n");
      else assert.ok(!(await client.readToClose(), client.transcript).endsWith("0\r\n\r\n"));
    }
    client.destroy();
  } finally {
    await proxy.stop();
    await relay.stop();
    await origin.close();
  }
}

for (const cut of CUTS) {
  const framing = cut.head[1] ?? "to the end of the connection";
  for (const version of ["1.0", "1.1"] as const) {
    test(`${framing}, ${JSON.stringify(cut.body)}, ${cut.end}, HTTP/${version} client`, () =>
      run(cut, version));
  }
}
