/** HTTP on a port of TLS: the answer that says so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { localhostCertificate } from "../support/certificates.ts";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { message } from "./lab.ts";

test("plain HTTP on a port of TLS is a 400 that says so, and no request", async () => {
  const proxy = await TestProxy.start("to: 127.0.0.1:1");
  try {
    const { port } = await proxy.gateway.listen({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      backlog: 511,
      reusePort: false,
      tls: localhostCertificate,
      handshakeTimeoutMs: 5000,
    }) as { readonly port: number };
    const client = await RawClient.connect(port);
    await client.send(message(["GET / HTTP/1.1", "Host: a"]));
    if (proxy.runtime.capabilities.plainAnswer) {
      const answer = await client.readResponse();
      assert.equal(answer.status, 400);
      assert.equal(answer.field("Connection"), "close");
      assert.match(answer.field("Date") ?? "", /GMT$/);
      assert.match(
        answer.field("Proxy-Status") ?? "",
        /^sluice; error=http_request_error; details="This port speaks TLS: .*https/,
      );
      assert.match(answer.text, /^400 Bad Request\n[^]*https:\/\/[^]*\nreason: http_request_error\n$/);
    }
    assert.equal(await client.readToEnd(), "");
    client.destroy();
    assert.equal(proxy.ended.length, 0);
  } finally {
    await proxy.stop();
  }
});
