/** A request may wait several times: what the log tells is all of it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { WaitTime } from "../../../src/exchange/wait_time.ts";

test("waits add up, and what was held is a part of them", () => {
  const wait = new WaitTime();
  wait.begin(0, 5);
  wait.end(10, 9);
  wait.end(12, 11);
  wait.begin(20, 11);
  wait.end(21.5, 11);
  assert.equal(wait.totalMs, 11.5);
  assert.equal(wait.heldMs, 4);
});
