/** So many bytes in every span, for as long as something is expected. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../../../src/conn/pace.ts";

const LEAST = 100;
const SPAN = 1000;

test("a span ends early when enough has moved, and the next one begins then", () => {
  const pace = new Pace();
  assert.equal(pace.endOfSpan("read", 0, 5000, LEAST, SPAN), 1000, "what moved before does not count");
  assert.equal(pace.endOfSpan("read", 400, 5099, LEAST, SPAN), 1000);
  assert.equal(pace.endOfSpan("read", 600, 5100, LEAST, SPAN), 1600);
  assert.equal(pace.endOfSpan("read", 1700, 5199, LEAST, SPAN), 1600, "too late");
});

test("a span does not go on in the other direction, nor after a time in which nothing was expected", () => {
  const pace = new Pace();
  pace.endOfSpan("read", 0, 0, LEAST, SPAN);
  assert.equal(pace.endOfSpan("write", 900, 0, LEAST, SPAN), 1900);
  pace.stop();
  assert.equal(pace.movedBefore(50), false);
  assert.equal(pace.endOfSpan("write", 5000, 50, LEAST, SPAN), 6000);
  assert.equal(pace.movedBefore(50), false);
  assert.equal(pace.movedBefore(51), true);
});
