import assert from "node:assert/strict";
import { test } from "node:test";
import { type ExchangeRecord, newExchangeRecord } from "../../../src/exchange/exchange_record.ts";
import { DestinationTotals } from "../../../src/observe/destination_totals.ts";

function record(method: string, target: string, more: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return { ...newExchangeRecord(), method, target, status: 200, ...more };
}

function namesOf(...targets: readonly (readonly [method: string, target: string])[]): readonly string[] {
  const totals = new DestinationTotals();
  for (const [method, target] of targets) totals.record(record(method, target));
  return totals.all.map(({ name }) => name);
}

test("a destination has one name, however it was asked for", () => {
  assert.deepEqual(
    namesOf(
      ["CONNECT", "Example.COM:443"],
      ["GET", "https://example.com/a"],
      ["GET", "HTTP://EXAMPLE.com:443"],
      ["GET", "http://example.com"],
      ["GET", "http://example.com:80/x?y"],
      ["GET", "http://example.com:?y"],
      ["GET", "http://[::1]/"],
      ["GET", "http://[::1]:80/"],
      ["CONNECT", "[::1]:80"],
    ),
    ["example.com:443", "example.com:80", "[::1]:80"],
  );
});

test("what names no destination is counted together, and a password is not kept", () => {
  assert.deepEqual(
    namesOf(["GET", "/"], ["", ""], ["OPTIONS", "*"], ["GET", "http://a:b@c/"], ["CONNECT", "a:b@c:1"], [
      "CONNECT",
      "",
    ]),
    ["(none)"],
  );
});

test("names are fit for a terminal", () => {
  const [name = "", long = ""] = namesOf(["CONNECT", "a\x1b[2Jé:1"], ["CONNECT", "x".repeat(5000)]);
  assert.equal(name, "a?[2j?:1");
  assert.equal(long.length, 260);
});

test("what went through, what was denied and what failed are told apart", () => {
  const totals = new DestinationTotals();
  const bytes = { bytesIn: 10, bytesOut: 100, totalMs: 5 };
  totals.record(record("CONNECT", "a:443", { ...bytes, upgraded: true }));
  totals.record(record("CONNECT", "a:443", { ...bytes, reason: "client_gone" }));
  totals.record(
    record("GET", "http://a:443/", { ...bytes, reason: "http_request_denied", detail: "class private" }),
  );
  totals.record(record("GET", "http://a:443/", { ...bytes, reason: "destination_ip_prohibited" }));
  totals.record(record("GET", "http://a:443/", { ...bytes, reason: "dns_error", detail: "no such name" }));
  assert.deepEqual(totals.all, [{
    name: "a:443",
    requests: 3,
    tunnels: 2,
    denied: 2,
    whyDenied: "destination_ip_prohibited",
    failed: 1,
    whyFailed: "dns_error",
    bytesIn: 50,
    bytesOut: 500,
    totalMs: 25,
  }]);
});

test("why it was denied is told without the name that stands beside it", () => {
  const totals = new DestinationTotals();
  const detail = "A.example:443: this host is denied";
  totals.record(record("CONNECT", "a.example:443", { reason: "http_request_denied", detail }));
  totals.record(record("CONNECT", "b.example:443", { reason: "http_request_denied", detail }));
  assert.deepEqual(totals.all.map(({ whyDenied }) => whyDenied), ["this host is denied", detail]);
});

test("beyond 10,000 destinations the rest is counted together", () => {
  const totals = new DestinationTotals();
  for (let at = 0; at < 10_500; at++) totals.record(record("CONNECT", `host${at}:443`));
  totals.record(record("CONNECT", "host3:443"));
  assert.equal(totals.all.length, 10_001);
  assert.equal(totals.all[3]?.tunnels, 2);
  assert.deepEqual([totals.all[10_000]?.name, totals.all[10_000]?.tunnels], ["(others)", 500]);
});
