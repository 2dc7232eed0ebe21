/** A request and its response, as the endpoint and the client see them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

test("a request goes up in the client's own spelling, with the hop's fields exchanged", async () => {
  const origin = await ScriptedOrigin.listen();
  const proxy = await TestProxy.start(`to: 127.0.0.1:${origin.port}`);
  try {
    const client = await RawClient.connect(proxy.port);
    await client.send(
      "GET /a%2Fb?q=%20 HTTP/1.1\r\nHost: Example.org\r\nX-Thing:  one \r\naccept: */*\r\n" +
        "Connection: keep-alive, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
    );
    const peer = await origin.accept();
    const request = await peer.readRequest();
    assert.equal(request.target, "/a%2Fb?q=%20");
    assert.deepEqual(request.fields, [
      ["Host", "Example.org"],
      ["X-Thing", "one"],
      ["accept", "*/*"],
      ["Via", "1.1 sluice"],
      ["X-Forwarded-For", "127.0.0.1"],
      ["X-Forwarded-Proto", "http"],
      ["X-Forwarded-Host", "Example.org"],
      ["Forwarded", "for=127.0.0.1;host=Example.org;proto=http"],
    ]);
    await peer.respond({
      body: "hello",
      fields: [["X-Reply", "yes"], ["Connection", "x-hop"], ["X-Hop", "1"]],
    });
    const response = await client.readResponse();
    assert.equal(response.status, 200);
    assert.equal(response.text, "hello");
    assert.equal(response.field("X-Reply"), "yes");
    assert.equal(response.field("X-Hop"), undefined);
    assert.equal((await proxy.endedAt(0)).reason, "");
    client.destroy();
  } finally {
    await proxy.stop();
    await origin.close();
  }
});
