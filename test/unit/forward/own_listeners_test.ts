import assert from "node:assert/strict";
import { test } from "node:test";
import { OwnListeners } from "../../../src/forward/own_listeners.ts";

const interfaces = ["192.0.2.7", "2001:db8::7"];

function own(...listeners: readonly (readonly [string, number])[]): OwnListeners {
  return new OwnListeners(listeners.map(([host, port]) => ({ host, port })), () => interfaces);
}

test("a listener on one address is reached by that address", () => {
  const listeners = own(["127.0.0.1", 3128], ["2001:db8::7", 80]);
  for (const host of ["127.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0"]) {
    assert.ok(listeners.has(host, 3128), host);
  }
  assert.ok(listeners.has("2001:db8:0:0::7", 80));
  for (
    const [host, port] of [
      ["127.0.0.1", 3129],
      ["127.0.0.2", 3128],
      ["::1", 3128],
      ["::", 3128],
      ["192.0.2.7", 3128],
      ["2001:db8::7", 3128],
      ["localhost", 3128],
    ] as const
  ) assert.ok(!listeners.has(host, port), `${host} ${port}`);
});

test("a listener on all addresses is reached by each of this machine", () => {
  const ipv4 = own(["0.0.0.0", 3128]);
  for (const host of ["127.0.0.1", "127.9.9.9", "0.0.0.0", "192.0.2.7", "::ffff:192.0.2.7"]) {
    assert.ok(ipv4.has(host, 3128), host);
    assert.ok(!ipv4.has(host, 80), host);
  }
  for (const host of ["192.0.2.8", "::1", "2001:db8::7"]) assert.ok(!ipv4.has(host, 3128), host);
  const both = own(["::", 3128]);
  for (const host of ["::1", "::", "2001:db8::7", "127.0.0.1", "192.0.2.7"]) {
    assert.ok(both.has(host, 3128), host);
  }
  for (const host of ["2001:db8::8", "::2", "8.8.8.8"]) assert.ok(!both.has(host, 3128), host);
});
