/**
 * An origin that answers over HTTP/1.1, says nothing of ending the connection, and ends it right behind
 * the answer. A request that may not be repeated must not be sent into such a connection.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

test("POSTs that queue for the one slot are all answered", async () => {
  const origin = await ScriptedOrigin.listen();
  origin.auto(async (request, peer) => {
    const body = request.text;
    await peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await peer.halfClose();
    return null;
  });
  const proxy = await TestProxy.start(`{to: "127.0.0.1:${origin.port}", max_in_flight: 1}`);
  try {
    const bodies = Array.from({ length: 20 }, (_, i) => `number ${i}`);
    const answers = await Promise.all(bodies.map((body) =>
      askOnce(
        proxy.port,
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      )
    ));
    assert.deepEqual(
      answers.map(({ status, text }) => `${status} ${text}`),
      bodies.map((body) => `200 ${body}`),
    );
  } finally {
    await proxy.stop();
    await origin.close();
  }
});
