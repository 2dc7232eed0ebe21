import assert from "node:assert/strict";
import { test } from "node:test";
import { copyBytes } from "../../../src/bytes/copy.ts";

test("copies any range to any place, whatever its length", () => {
  const source = Uint8Array.from({ length: 200 }, (_, i) => i);
  for (const length of [0, 1, 23, 24, 25, 26, 100, 190]) {
    const target = new Uint8Array(220).fill(255);
    copyBytes(source, 7, 7 + length, target, 11);
    const expected = new Uint8Array(220).fill(255);
    expected.set(source.subarray(7, 7 + length), 11);
    assert.deepEqual(target, expected, String(length));
  }
});
