/** The next number that is in, at every size around the borders of words and levels. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PositionSet } from "../../../../src/upstream/balance/position_set.ts";

test("any sequence of additions and removals: the next one is the next one", () => {
  let state = 3;
  const pick = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (const size of [1, 2, 31, 32, 33, 64, 1000, 1023, 1024, 1025, 33_000]) {
    const set = new PositionSet(size);
    const members = new Set(Array.from({ length: size }, (_, i) => i));
    const check = (from: number): void => {
      let expected = from;
      while (expected < size && !members.has(expected)) expected++;
      assert.equal(set.next(from), expected === size ? -1 : expected, `${size}, from ${from}`);
    };
    for (let from = 0; from < Math.min(size, 70); from++) check(from);
    check(size - 1);
    for (let step = 0; step < 300; step++) {
      // Whole stretches, or no word would ever be empty.
      const begin = pick(size);
      const end = Math.min(size, begin + pick(Math.max(2, size / 2)) + 1);
      const add = pick(3) === 0;
      for (let position = begin; position < end; position++) {
        if (add) {
          set.add(position);
          members.add(position);
        } else {
          set.remove(position);
          members.delete(position);
        }
      }
      for (let i = 0; i < 5; i++) check(pick(size));
      check(0);
    }
  }
});
