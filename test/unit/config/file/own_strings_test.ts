import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { withOwnStrings } from "../../../../src/config/file/own_strings.ts";
import { readYaml } from "../../../../src/config/file/yaml_file.ts";
import { collect } from "../../../support/collector.ts";

const FILES = 64;
const FILE_BYTES = 1_000_000;

test("a copy has the same values, and the same values in several places", () => {
  const shared = ["x"];
  const value = { a: { b: shared, "é\u2028\ud800": null }, c: [shared, 1, true], d: new Set(["x"]) };
  const copy = withOwnStrings(value) as typeof value;
  assert.deepEqual(copy, value);
  assert.notEqual(copy, value);
  assert.equal(copy.a.b, copy.c[0]);
});

test("a mapping with the key __proto__ stays one", () => {
  const copy = withOwnStrings(JSON.parse('{"__proto__": "x"}')) as object;
  assert.deepEqual(Object.keys(copy), ["__proto__"]);
});

test("a value of a file does not keep the file in memory", async () => {
  const names: unknown[] = [];
  const used = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  await collect();
  const before = used();
  for (let nth = 0; nth < FILES; nth++) {
    const file = readYaml(
      "f.yaml",
      `name: a-name-of-${nth}-that-is-long\n# ${"x".repeat(FILE_BYTES)}${nth}\n`,
    );
    assert.ok("root" in file);
    names.push(file.root.get("name"));
  }
  await collect();
  const grown = used() - before;
  assert.equal(names.at(-1), `a-name-of-${FILES - 1}-that-is-long`);
  assert.ok(grown < FILES * FILE_BYTES / 4, `${grown} bytes more`);
});
