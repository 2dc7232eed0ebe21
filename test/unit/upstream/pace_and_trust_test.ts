/** How often an endpoint that is down is dialled, how many connections a new one is trusted with, and reuse keys. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientTls } from "../../../runtime/contract/contract.ts";
import type { UpstreamConnection } from "../../../src/conn/upstream_connection.ts";
import { dialPause } from "../../../src/upstream/dial_pace.ts";
import { ConnectionRamp } from "../../../src/upstream/connection_ramp.ts";
import { type ReuseKey, reuseKeyText } from "../../../src/client/reuse_key.ts";

test("the pause grows with the absence, from a millisecond to a quarter of a second", () => {
  let before = 0;
  for (let downMs = 0; downMs < 2000; downMs++) {
    const pause = dialPause(downMs, null, 0.7);
    assert.ok(pause >= 1 && pause >= before && pause <= 80);
    assert.ok(pause <= Math.max(1, downMs * 0.05), "a return is noticed within 5 % of the absence");
    before = pause;
  }
  for (const downMs of [10_000, 3_600_000]) {
    assert.equal(dialPause(downMs, null, 0.5), 250);
    assert.equal(dialPause(downMs, null, 0), 225);
    assert.ok(dialPause(downMs, null, 0.999999) < 275);
  }
});

test("a fixed pause is what the user says, but never a busy loop", () => {
  assert.equal(dialPause(0, 40, 0.3), 40);
  assert.equal(dialPause(1e6, 40, 0.9), 40);
  assert.equal(dialPause(0, 0, 0.5), 1);
});

/** Only its identity counts. */
function connection(): UpstreamConnection {
  return {} as UpstreamConnection;
}

test("trust: nothing is opened next to an unanswered first connection, for a while", () => {
  const ramp = new ConnectionRamp();
  assert.ok(ramp.allows(0));
  ramp.dialled(0);
  assert.ok(!ramp.allows(0), "not even when the count is behind");
  const first = connection();
  ramp.opened(first, 5);
  ramp.goOn(1, 104);
  assert.ok(!ramp.allows(1));
  ramp.goOn(1, 105);
  assert.equal(ramp.limit, 2);
  assert.ok(ramp.allows(1));
  assert.ok(!ramp.allows(2));
});

test("trust: a closed answer allows the next connection, not two; a kept one says more", () => {
  const ramp = new ConnectionRamp();
  for (let i = 0; i < 10; i++) {
    const one = connection();
    ramp.dialled(i);
    ramp.opened(one, i);
    assert.ok(!ramp.allows(1));
    ramp.released(one, false, 1, i);
    assert.equal(ramp.limit, 1);
    assert.ok(ramp.allows(0));
  }
  const kept = connection();
  ramp.opened(kept, 20);
  ramp.released(kept, true, 1, 20);
  assert.equal(ramp.limit, 2);
});

test("trust: another connection's answer does not tell that the newest was taken", () => {
  const ramp = new ConnectionRamp();
  const [a, b] = [connection(), connection()];
  ramp.opened(a, 0);
  ramp.goOn(1, 100);
  ramp.opened(b, 100);
  ramp.released(a, false, 2, 101);
  assert.ok(!ramp.allows(1));
  ramp.goOn(1, 125);
  assert.ok(ramp.allows(1));
});

test("trust: what has had a handful open at a time stays trusted in quiet times, until it fails", () => {
  const ramp = new ConnectionRamp();
  let now = 0;
  for (let used = 0; used < 1000 && ramp.limit !== Infinity;) {
    while (ramp.allows(used)) {
      ramp.opened(connection(), now);
      used++;
    }
    ramp.goOn(used, now += 5);
  }
  assert.equal(ramp.limit, Infinity);
  assert.ok(now < 400, `${now} ms to any number`);
  ramp.rest();
  assert.equal(ramp.limit, Infinity);
  ramp.restart();
  assert.equal(ramp.limit, 1);
  assert.ok(ramp.allows(0) && !ramp.allows(1));
});

test("trust: unused room does not grow", () => {
  const ramp = new ConnectionRamp();
  const one = connection();
  ramp.opened(one, 0);
  ramp.goOn(1, 100);
  for (let now = 200; now < 10_000; now += 100) ramp.goOn(1, now);
  assert.equal(ramp.limit, 2);
  ramp.rest();
  assert.equal(ramp.limit, 1);
});

test("reuse key: whatever changes identity changes the text", () => {
  const tls: ClientTls = { serverName: "a", verify: true, ca: null };
  const base: ReuseKey = {
    scheme: "https",
    address: { kind: "tcp", host: "127.0.0.1", port: 443 },
    tls,
    proxyChain: [],
    credentials: "",
  };
  const variants: ReuseKey[] = [
    base,
    { ...base, scheme: "http", tls: null },
    { ...base, address: { kind: "tcp", host: "127.0.0.2", port: 443 } },
    { ...base, address: { kind: "tcp", host: "127.0.0.1", port: 444 } },
    { ...base, address: { kind: "unix", path: "/127.0.0.1" } },
    { ...base, tls: { ...tls, serverName: "b" } },
    { ...base, tls: { ...tls, verify: false } },
    { ...base, tls: { ...tls, ca: "PEM" } },
    { ...base, tls: { ...tls, cert: "PEM" } },
    { ...base, tls: { ...tls, key: "PEM" } },
    { ...base, tls: { ...tls, alpn: ["h2"] } },
    { ...base, proxyChain: ["p1"] },
    { ...base, proxyChain: ["p1", "p2"] },
    { ...base, proxyChain: ["p1,p2"] },
    { ...base, credentials: "alice" },
  ];
  assert.equal(new Set(variants.map(reuseKeyText)).size, variants.length);
  assert.equal(reuseKeyText({ ...base, tls: { ...tls } }), reuseKeyText(base));
});
