import assert from "node:assert/strict";
import { test } from "node:test";
import { newExchangeRecord } from "../../../src/exchange/exchange_record.ts";
import { FailureRing } from "../../../src/observe/failure_ring.ts";

const failed = { ...newExchangeRecord(), reason: "queue_full", status: 503, method: "GET" } as const;

test("failure ring: the newest first, no more than it holds, successes not at all", () => {
  const ring = new FailureRing(3);
  assert.deepEqual(ring.list(), []);
  for (let i = 1; i <= 5; i++) {
    ring.add({ ...failed, startedAtWallMs: i * 100, totalMs: 7 });
    ring.add({ ...failed, reason: "" });
    const list = ring.list().map(({ at }) => at);
    assert.deepEqual(list, [i, i - 1, i - 2].filter((n) => n > 0).map((n) => n * 100 + 7));
  }
});

test("failure ring: what a peer sent is cut", () => {
  const ring = new FailureRing(1);
  ring.add({ ...failed, target: "/" + "x".repeat(5000), detail: "y".repeat(300), method: "M".repeat(300) });
  const [note] = ring.list();
  assert.deepEqual([note?.target.length, note?.detail.length, note?.method.length], [200, 200, 200]);
  assert.ok(note?.target.endsWith("x…"));
});
