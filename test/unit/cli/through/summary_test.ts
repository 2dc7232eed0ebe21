import assert from "node:assert/strict";
import { test } from "node:test";
import { summary } from "../../../../src/cli/through/summary.ts";
import type { DestinationTotal } from "../../../../src/observe/destination_totals.ts";

function total(name: string, more: Partial<DestinationTotal>): DestinationTotal {
  return {
    name,
    requests: 0,
    tunnels: 0,
    denied: 0,
    whyDenied: "",
    failed: 0,
    whyFailed: "",
    bytesIn: 0,
    bytesOut: 0,
    totalMs: 0,
    ...more,
  };
}

test("a table with every destination, and why one was denied", () => {
  const text = summary([
    total("registry.npmjs.org:443", { tunnels: 12, bytesIn: 34_000, bytesOut: 5_400_000, totalMs: 3200 }),
    total("169.254.169.254:80", { requests: 1, denied: 1, whyDenied: "class metadata", totalMs: 2 }),
    total("a.example:80", {
      requests: 4,
      failed: 1,
      whyFailed: "dns_error",
      denied: 1,
      whyDenied: "port",
      totalMs: 9,
    }),
  ]);
  assert.equal(
    text,
    `sluice: 3 destinations asked for, 2 of them denied
  destination             requests  tunnels    sent  received  time  outcome
  registry.npmjs.org:443         0       12  33 KiB   5.1 MiB    3s  allowed
  169.254.169.254:80             1        0     0 B       0 B   2ms  denied (class metadata)
  a.example:80                   4        0     0 B       0 B   9ms  allowed, 1 failed (dns_error), 1 denied (port)
`,
  );
});

test("nothing was asked for", () => {
  assert.equal(summary([]), "sluice: no destination asked for\n");
});

test("no words of a peer reach the terminal as they are", () => {
  const text = summary([total("a:1", { tunnels: 1, denied: 1, whyDenied: "\x1b[2J\n" + "x".repeat(500) })]);
  assert.match(text, /denied \(\?\[2J\?x{115}\)\n$/);
});
