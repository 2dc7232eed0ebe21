/** How long the next connection must stand open, by what became of those before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Losses } from "../../../src/exchange/losses.ts";

/** Losses of connections that lasted so long; "pooled" = of one that was reused. */
function after(...lives: readonly (number | "pooled")[]): Losses {
  const losses = new Losses();
  for (const life of lives) {
    const reused = life === "pooled";
    losses.note({ reused, openedAt: 1000 }, 1000 + (reused ? 5 : life));
  }
  return losses;
}

test("each loss counts, whatever the connection was", () => {
  assert.equal(new Losses().count, 0);
  assert.equal(after("pooled").count, 1);
  assert.equal(after("pooled", 1, 60_000).count, 3);
});

test("what was lost on a pooled connection needs no probation; on a new one it does, longer from the second on", () => {
  assert.equal(new Losses().probationMs, 0);
  assert.equal(after("pooled").probationMs, 0);
  assert.equal(after(0).probationMs, 25);
  assert.equal(after(1, 1).probationMs, 200);
  assert.equal(after(1, "pooled").probationMs, 25);
  assert.equal(after(1, 1, 1, 1, 1).probationMs, 200, "it does not grow without a reason");
});

test("the time after which a connection was dropped is waited for twice, up to a bound, and never forgotten", () => {
  assert.equal(after(120).probationMs, 240);
  assert.equal(after(120, 5).probationMs, 240);
  assert.equal(after(400).probationMs, 500);
  assert.equal(after(500).probationMs, 25, "too long to be waited for when it may be a restart");
  assert.equal(after(3000, 2950).probationMs, 4000);
  assert.equal(after(900, 900).probationMs, 1750, "less the probation that it has had");
  assert.equal(after(60_000, 60_000).probationMs, 200);
});
