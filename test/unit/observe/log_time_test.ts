import assert from "node:assert/strict";
import { test } from "node:test";
import { commonTime, isoTime } from "../../../src/observe/log_time.ts";

test("times agree with Date over day, month and leap year ends", () => {
  const starts = [
    0,
    999,
    1000,
    Date.UTC(2024, 1, 28, 23, 59, 59, 999),
    Date.UTC(2026, 11, 31, 23, 59, 59, 900),
  ];
  for (const start of starts) {
    for (let step = 0; step < 400; step += 7) {
      assert.equal(isoTime(start + step), new Date(start + step).toISOString());
    }
  }
  assert.equal(isoTime(1.999), "1970-01-01T00:00:00.001Z");
  assert.equal(commonTime(Date.UTC(2024, 1, 29, 1, 2, 3)), "29/Feb/2024:01:02:03 +0000");
});

test("a clock that is badly wrong does not throw", () => {
  for (const wall of [NaN, Infinity, -Infinity, -1, 1e300, Number.MAX_SAFE_INTEGER]) {
    assert.match(isoTime(wall), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    commonTime(wall);
  }
});
