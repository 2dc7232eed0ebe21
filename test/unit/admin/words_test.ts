import assert from "node:assert/strict";
import { test } from "node:test";
import { countWords, durationWords, msWords, rateWords, sizeWords } from "../../../src/admin/words.ts";

function check<T>(write: (value: T) => string, cases: readonly (readonly [T, string])[]): void {
  for (const [value, words] of cases) assert.equal(write(value), words, String(value));
}

test("milliseconds", () => {
  check<number | null>(msWords, [
    [null, "–"],
    [0, "0 ms"],
    [0.04, "0.0 ms"],
    [0.44, "0.4 ms"],
    [0.97, "1 ms"],
    [9.94, "9.9 ms"],
    [9.96, "10 ms"],
    [999, "999 ms"],
    [999.6, "1 s"],
    [1440, "1.4 s"],
    [59_940, "59.9 s"],
    [59_999, "59 s"],
    [125_000, "2 m 5 s"],
  ]);
});

test("durations have two units at most", () => {
  check(durationWords, [
    [0, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 m 0 s"],
    [3_600_000, "1 h 0 m"],
    [90_061_000, "1 d 1 h"],
  ]);
});

test("counts, rates and sizes", () => {
  check(countWords, [
    [0, "0"],
    [999, "999"],
    [12_345, "12,345"],
    [999_999, "999,999"],
    [1_234_567, "1.23 M"],
    [
      45_600_000,
      "45.6 M",
    ],
    [1_000_000_000, "1 G"],
  ]);
  check(rateWords, [[0, "0"], [0.01, "< 0.1"], [0.36, "0.4"], [12.5, "12.5"], [99.97, "100"], [
    1234.5,
    "1,235",
  ]]);
  check(sizeWords, [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [3481, "3.4 KiB"],
    [73_400_320, "70 MiB"],
    [
      1023.9 * 1024,
      "1 MiB",
    ],
    [2 ** 60, "1024 PiB"],
  ]);
});
