import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS, sharedLimits } from "../../../src/http/limits.ts";

test("equal limits are one object, whichever were asked for in between", () => {
  const first = sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 });
  const lenient = sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7, lenientResponses: true });
  assert.notEqual(lenient, first);
  assert.equal(sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 }), first);
  assert.equal(sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7, lenientResponses: true }), lenient);
});

test("limits that have not been asked for lately are let go", () => {
  const first = sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 });
  for (let fields = 1000; fields < 1010; fields++) sharedLimits({ ...DEFAULT_LIMITS, maxFields: fields });
  assert.notEqual(sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 }), first);
});
