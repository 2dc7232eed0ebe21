import assert from "node:assert/strict";
import { test } from "node:test";
import { equalBytes } from "../../../src/bytes/equal.ts";

test("ranges are equal when every byte is, at any length and place", () => {
  for (const length of [0, 1, 2, 3, 4, 5, 7, 8, 47, 48, 49, 50, 63, 64, 65, 300]) {
    for (const from of [0, 1, 5, 400]) {
      const a = Uint8Array.from({ length: length + 3 }, (_, i) => (i * 7 + 1) & 255);
      const b = new Uint8Array(from + length + 2).fill(255);
      b.set(a.subarray(0, length), from);
      assert.equal(equalBytes(a, length, b, from), true, `${length} at ${from}`);
      for (let at = 0; at < length; at++) {
        b[from + at] = (b[from + at] as number) ^ 0x80;
        assert.equal(equalBytes(a, length, b, from), false, `${length} at ${from}, byte ${at}`);
        b[from + at] = (b[from + at] as number) ^ 0x80;
      }
    }
  }
});
