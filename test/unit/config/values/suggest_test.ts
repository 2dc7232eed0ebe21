import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, suggest } from "../../../../src/config/values/suggest.ts";

test("edit distance counts insertions, deletions, replacements and swaps", () => {
  assert.equal(editDistance("", ""), 0);
  assert.equal(editDistance("abc", ""), 3);
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("hold", "hold"), 0);
  assert.equal(editDistance("holdd", "hold"), 1);
  assert.equal(editDistance("hlod", "hold"), 1);
  assert.equal(editDistance("queue", "quue"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
});

test("the closest word, if it is close", () => {
  const known = ["hold", "hold_interval", "policy", "queue"];
  assert.equal(suggest("holdd", known), "hold");
  assert.equal(suggest("HOLD-INTERVAL", known), "hold_interval");
  assert.equal(suggest("plicy", known), "policy");
  assert.equal(suggest("xyzzy", known), null);
  assert.equal(suggest("", known), null);
  assert.equal(suggest("h".repeat(100_000), known), null);
});
