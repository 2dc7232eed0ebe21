import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/load_config.ts";
import { formatProblem } from "../../../src/config/values/problem.ts";

const folder = new URL("../../../examples/", import.meta.url);
const names = readdirSync(folder).filter((file) => file.endsWith(".yaml"));

test("there are examples", () => {
  assert.ok(names.length >= 5);
});

for (const name of names) {
  test(`examples/${name} is valid, without warnings`, () => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const result = loadConfig({ flags: {}, env: {}, file: { path: name, text } });
    assert.deepEqual(result.ok ? [] : result.problems.map(formatProblem), []);
    assert.deepEqual(result.ok ? result.warnings.map(formatProblem) : [], []);
  });
}
