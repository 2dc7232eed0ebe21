/**
 * Golden pairs: `test/vectors/config/NAME.yaml` (absent = no file) is loaded with the flags and variables of
 * `NAME.json`, and must give what that says:
 * - `config`: a part of the configuration (objects may have more members, lists must have equal lengths)
 * - `warnings`: all warnings, as printed
 * - `problems`: all problems, as printed; or text that the only problem must contain
 * - `line`: the only problem has a line and a column
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/load_config.ts";
import { formatProblem } from "../../../src/config/values/problem.ts";

interface Vector {
  readonly flags?: Record<string, string[]>;
  readonly env?: Record<string, string>;
  readonly config?: unknown;
  readonly warnings?: readonly string[];
  readonly problems?: readonly string[] | string;
  readonly line?: boolean;
}

const folder = new URL("../../vectors/config/", import.meta.url);
const names = readdirSync(folder).filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));

for (const name of names) {
  test(`config vector ${name}`, () => {
    const vector: Vector = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
    const yaml = new URL(`${name}.yaml`, folder);
    const file = existsSync(yaml) ? { path: "f.yaml", text: readFileSync(yaml, "utf8") } : null;
    const result = loadConfig({ flags: vector.flags ?? {}, env: vector.env ?? {}, file });
    const problems = result.ok ? [] : result.problems;
    const lines = problems.map(formatProblem);
    if (typeof vector.problems === "string") {
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.ok(lines[0]?.includes(vector.problems), String(lines[0]));
      if (vector.line !== undefined) {
        assert.equal(
          problems[0]?.line !== null && problems[0]?.column !== null,
          vector.line,
          String(lines[0]),
        );
      }
    } else {
      assert.deepEqual(lines, vector.problems ?? []);
    }
    if (vector.config !== undefined) {
      assert.ok(result.ok);
      assertPart(result.config, vector.config, "config");
    }
    if (vector.warnings !== undefined) {
      assert.ok(result.ok);
      assert.deepEqual(result.warnings.map(formatProblem), vector.warnings);
    }
  });
}

test("there are vectors, and every input has its expectation", () => {
  assert.ok(names.length > 40);
  for (const file of readdirSync(folder)) {
    assert.ok(names.includes(file.replace(/\.(?:yaml|json)$/, "")), file);
  }
});

/** `expected` is a part of `actual`. */
function assertPart(actual: unknown, expected: unknown, path: string): void {
  if (expected === null || typeof expected !== "object") {
    assert.deepEqual(actual, expected, path);
    return;
  }
  assert.ok(actual !== null && typeof actual === "object", path);
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), path);
    assert.equal(actual.length, expected.length, `${path}.length`);
  }
  for (const [key, value] of Object.entries(expected)) {
    assertPart((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
}
