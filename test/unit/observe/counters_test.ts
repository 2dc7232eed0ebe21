import assert from "node:assert/strict";
import { test } from "node:test";
import { newExchangeRecord } from "../../../src/exchange/exchange_record.ts";
import { REASON_CODES } from "../../../src/exchange/reason.ts";
import { Counters } from "../../../src/observe/counters.ts";

test("sums over all, by upstream and by reason", () => {
  const counters = new Counters();
  assert.deepEqual(Object.keys(counters.byReason), [...REASON_CODES]);
  const base = {
    ...newExchangeRecord(),
    upstream: "app",
    status: 200,
    attempts: 1,
    responseBodyBytes: 10,
    totalMs: 2,
  };
  counters.record(base);
  counters.record({ ...base, status: 503, reason: "hold_timeout", attempts: 3, heldMs: 5 });
  counters.record({ ...base, upstream: "", status: 0, reason: "client_gone", attempts: 0 });
  counters.record({ ...base, upstream: "other", status: 999 });
  assert.equal(counters.all.exchanges, 4);
  assert.deepEqual(counters.all.byStatusClass, [2, 0, 1, 0, 0, 1]);
  assert.equal(counters.all.retries, 2);
  assert.equal(counters.all.held, 1);
  assert.equal(counters.all.responseBodyBytes, 40);
  assert.equal(counters.all.totalMs, 8);
  assert.equal(counters.byReason.hold_timeout, 1);
  assert.equal(counters.byReason.client_gone, 1);
  assert.deepEqual([...counters.byUpstream.keys()], ["app", "other"]);
  assert.equal(counters.byUpstream.get("app")?.exchanges, 2);
});
