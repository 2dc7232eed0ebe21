/** Lines that a connection's requests share are made anew when what they depend on is another. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { forwardedFrom, type ForwardSettings, LastForwarded } from "../../../src/exchange/forward_request.ts";
import type { DownstreamPeer } from "../../../src/http/downstream_stream.ts";
import { requestHead } from "../http1/support.ts";

function clientAt(remoteAddress: string, secure = false): DownstreamPeer {
  return { remoteAddress, secure, trusted: false, forwarded: null } as unknown as DownstreamPeer;
}

function added(client: DownstreamPeer, settings: ForwardSettings, host = "a.example"): string {
  return forwardedFrom(requestHead("GET / HTTP/1.1"), client, settings, host).text;
}

test("a reload that changes the name in Via counts on connections that are open", () => {
  const client = clientAt("192.0.2.1");
  const other = clientAt("192.0.2.1");
  const before = { via: "old", dropUnderscored: false, outbound: false, last: new LastForwarded() };
  const after = { via: "new", dropUnderscored: false, outbound: false, last: new LastForwarded() };
  for (let i = 0; i < 2; i++) assert.match(added(client, before), /^Via: 1\.1 old\r\n/);
  for (let i = 0; i < 2; i++) assert.match(added(client, after), /^Via: 1\.1 new\r\n/);
  assert.match(added(other, before), /^Via: 1\.1 old\r\n/);
  assert.match(added(client, after), /^Via: 1\.1 new\r\n/);
});

test("the lines are those of the connection and of the host that was asked for", () => {
  const settings = { via: "sluice", dropUnderscored: false, outbound: false, last: new LastForwarded() };
  const clients = [clientAt("192.0.2.1"), clientAt("192.0.2.2"), clientAt("192.0.2.1", true)];
  for (let round = 0; round < 3; round++) {
    for (const client of clients) {
      for (const host of ["a.example", "b.example"]) {
        const proto = client.secure ? "https" : "http";
        assert.ok(
          added(client, settings, host).endsWith(
            `for=${client.remoteAddress};host=${host};proto=${proto}\r\n`,
          ),
        );
      }
    }
  }
});
