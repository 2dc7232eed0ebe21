import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseDuration,
  parseSize,
  printDuration,
  printSize,
} from "../../../../src/config/values/quantity.ts";
import type { Parsed } from "../../../../src/config/values/value_type.ts";

function value(parsed: Parsed<number>): number | string {
  return parsed.ok ? parsed.value : `did you mean ${parsed.faults[0]?.suggestion ?? "nothing"}`;
}

test("durations", () => {
  const cases: readonly (readonly [string, number | string])[] = [
    ["0", 0],
    ["0s", 0],
    ["1ms", 1],
    ["250ms", 250],
    ["1.5s", 1500],
    ["0.1s", 100],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    ["30 s", 30_000],
    ["30S", 30_000],
    ["30", "did you mean 30s"],
    ["30sec", "did you mean 30s"],
    ["5min", "did you mean 5m"],
    ["2weeks", "did you mean nothing"],
    ["00", "did you mean 00s"],
    ["", "did you mean nothing"],
    ["-1s", "did you mean nothing"],
    ["+1s", "did you mean nothing"],
    ["1e3s", "did you mean nothing"],
    ["0x10s", "did you mean nothing"],
    [".5s", "did you mean nothing"],
    ["1s2s", "did you mean nothing"],
    ["1_000s", "did you mean nothing"],
    ["0.5ms", "did you mean nothing"],
    ["1234567890123s", "did you mean nothing"],
    ["1constructor", "did you mean nothing"],
    ["1__proto__", "did you mean nothing"],
    ["1s\n", "did you mean nothing"],
  ];
  for (const [text, expected] of cases) assert.equal(value(parseDuration(text)), expected, text);
});

test("sizes", () => {
  const cases: readonly (readonly [string, number | string])[] = [
    ["0", 0],
    ["512B", 512],
    ["64KiB", 65_536],
    ["64kib", 65_536],
    ["1MiB", 1_048_576],
    ["1.5KiB", 1536],
    ["10MB", 10_000_000],
    ["1KB", 1000],
    ["1kB", 1000],
    ["1GiB", 1_073_741_824],
    ["65536", "did you mean 65536B"],
    ["64k", "did you mean 64KiB"],
    ["64K", "did you mean 64KiB"],
    ["64Mi", "did you mean 64MiB"],
    ["0.5B", "did you mean nothing"],
    ["999999999999TiB", "did you mean nothing"],
    ["1 potato", "did you mean nothing"],
  ];
  for (const [text, expected] of cases) assert.equal(value(parseSize(text)), expected, text);
});

test("what is not text is no quantity", () => {
  for (const raw of [0, 30, null, undefined, true, [], {}, ["30s"]]) {
    assert.ok(!parseDuration(raw).ok);
    assert.ok(!parseSize(raw).ok);
  }
});

test("printed quantities read back", () => {
  for (const ms of [0, 1, 999, 1000, 1500, 60_000, 75_000, 3_600_000, 86_400_000, 90_061_001]) {
    assert.equal(value(parseDuration(printDuration(ms))), ms);
  }
  for (const bytes of [0, 1, 1000, 1023, 1024, 1536, 65_536, 1_048_577, 2 ** 40, 10_000_000]) {
    assert.equal(value(parseSize(printSize(bytes))), bytes);
  }
  assert.equal(printDuration(75_000), "75s");
  assert.equal(printDuration(3_600_000), "1h");
  assert.equal(printSize(65_536), "64KiB");
  assert.equal(printSize(1000), "1000B");
});
