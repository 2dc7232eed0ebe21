/** A client that closes its sending side after the request, and reads on: `printf … | nc -N`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

test("it is answered, also when a connection has to be opened first", async () => {
  const origin = await ScriptedOrigin.listen();
  const proxy = await TestProxy.start(`to: 127.0.0.1:${origin.port}`);
  try {
    for (let round = 0; round < 3; round++) {
      const client = await RawClient.connect(proxy.port);
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await client.halfClose();
      const peer = await origin.accept();
      await peer.readRequest();
      await peer.respond({ body: "late but there", close: true });
      assert.equal((await client.readResponse()).text, "late but there");
      assert.equal((await proxy.endedAt(round)).reason, "");
    }
  } finally {
    await proxy.stop();
    await origin.close();
  }
});
