import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "../../../src/http/fault.ts";

test("every fault is a frozen constant with a status and a sentence of its own", () => {
  const faults = Object.values(FAULTS);
  for (const fault of faults) {
    assert.ok(Object.isFrozen(fault));
    assert.equal(fault.kind, "fault");
    assert.ok(fault.status >= 400 && fault.status < 600, fault.code);
    assert.match(fault.detail, /^[A-Z].*\.$/);
    assert.match(fault.code, /^[a-z_]+$/);
  }
  assert.equal(new Set(faults.map((fault) => fault.detail)).size, faults.length);
});
