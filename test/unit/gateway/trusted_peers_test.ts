/** Whose forwarding fields are believed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TrustedPeers } from "../../../src/gateway/trusted_peers.ts";

test("blocks end at the bit", () => {
  for (
    const [block, inside, outside] of [
      ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]],
      ["192.168.128.0/17", ["192.168.128.0", "192.168.255.255"], ["192.168.127.255", "192.169.128.0"]],
      ["172.16.0.0/12", ["172.16.0.1", "172.31.255.255"], ["172.32.0.0", "172.15.255.255"]],
      ["10.1.2.3", ["10.1.2.3"], ["10.1.2.2", "10.1.2.4"]],
      ["10.1.2.3/32", ["10.1.2.3"], ["10.1.2.2"]],
      ["0.0.0.0/0", ["1.2.3.4", "255.255.255.255"], ["::1"]],
      ["::1/128", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "0.0.0.1"]],
      ["fd00::/8", ["fd12:3456::1", "fdff::"], ["fc00::1", "fe00::"]],
      ["2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]],
      ["::/0", ["::1", "2001:db8::1"], ["127.0.0.1"]],
    ] as const
  ) {
    const peers = new TrustedPeers([block]);
    for (const address of inside) assert.ok(peers.has(address), `${address} is in ${block}`);
    for (const address of outside) assert.ok(!peers.has(address), `${address} is not in ${block}`);
  }
});

test("an IPv4 peer of a dual-stack listener is that IPv4 address", () => {
  const peers = new TrustedPeers(["10.0.0.0/8"]);
  assert.ok(peers.has("::ffff:10.1.2.3"));
  assert.ok(peers.has("::FFFF:0a01:0203"));
  assert.ok(!peers.has("::ffff:11.1.2.3"));
  assert.ok(!peers.has("::10.1.2.3"), "an IPv4-compatible address is another thing");
});

test("scoped addresses count without their scope; Unix sockets and garbage are nobody", () => {
  assert.ok(new TrustedPeers(["fe80::/10"]).has("fe80::1%eth0"));
  const all = new TrustedPeers(["0.0.0.0/0", "::/0"]);
  for (
    const text of ["", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", ":::", "1::2::3", "g::"]
  ) {
    assert.ok(!all.has(text), JSON.stringify(text));
  }
  assert.ok(!new TrustedPeers([]).has("127.0.0.1"));
});

test("a block of IPv4-mapped addresses is the IPv4 block", () => {
  const peers = new TrustedPeers(["::ffff:10.0.0.0/104"]);
  for (const inside of ["10.0.0.1", "10.255.255.255", "::ffff:10.1.2.3"]) {
    assert.ok(peers.has(inside), inside);
  }
  for (const outside of ["11.0.0.0", "::1", "::10.0.0.1"]) assert.ok(!peers.has(outside), outside);
  assert.ok(new TrustedPeers(["::ffff:192.0.2.1"]).has("192.0.2.1"));
  assert.ok(!new TrustedPeers(["::/64"]).has("10.0.0.1"), "a shorter prefix is one of IPv6 addresses");
});
