import assert from "node:assert/strict";
import { test } from "node:test";
import { equalsIgnoringCase, trimOws } from "../../../src/bytes/text.ts";

test("comparison without case folds letters only", () => {
  assert.ok(equalsIgnoringCase("xClOsE", 1, "close"));
  assert.ok(equalsIgnoringCase("a-B_1", 0, "a-b_1"));
  assert.ok(!equalsIgnoringCase("clos", 0, "close"));
  // Each pair differs in bit 0x20 alone.
  for (const pair of ["@`", "[{", "\\|", "]}", "^~", "_\x7f", "\r-", "\x100"]) {
    assert.ok(!equalsIgnoringCase(pair, 0, pair.slice(1)), pair);
  }
  assert.ok(!equalsIgnoringCase("\u212a", 0, "k"), "the Kelvin sign");
});

test("only SP and HTAB are trimmed", () => {
  assert.equal(trimOws(" \ta b\t "), "a b");
  assert.equal(trimOws("\xa0a\x85"), "\xa0a\x85");
  assert.equal(trimOws(" \t "), "");
  assert.equal(trimOws("\x0ba\ufeff"), "\x0ba\ufeff");
});
