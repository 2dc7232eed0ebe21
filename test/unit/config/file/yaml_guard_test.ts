/** What is refused before the parser sees it, with its line, and what must not be. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { formatProblem } from "../../../../src/config/values/problem.ts";
import { readYaml } from "../../../../src/config/file/yaml_file.ts";
import { yamlHazard } from "../../../../src/config/file/yaml_guard.ts";

const DEEP = "is nested too deeply";
const QUESTION = "keys that begin with ? are not supported: write text, then a colon";
const COLLECTION = "keys must be text, not a list or a mapping";
const MANY = "has too many keys or aliases for one file";

function lines(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => line(index) + "\n").join("");
}

const refused: readonly (readonly [what: string, text: string, line: number, message: string])[] = [
  ["lists in one line", "to: 1\n" + "- ".repeat(33), 2, DEEP],
  ["list in a list", lines(40, (index) => " ".repeat(index) + "-"), 33, DEEP],
  ["keys", lines(40, (index) => " ".repeat(index) + "a:"), 33, DEEP],
  ["keys without text", ": ".repeat(33), 1, DEEP],
  ["brackets", "to: " + "[".repeat(33), 1, DEEP],
  ["brackets over lines", "[\n".repeat(33), 33, DEEP],
  ["braces", "{a: ".repeat(33), 1, DEEP],
  ["behind a quoted text of several lines", `a: "x\ny\\\nz"\nb: ${"[".repeat(33)}`, 4, DEEP],
  ["Windows' line ends", "a: 1\r\nb: 2\r\nc: " + "[".repeat(33), 3, DEEP],
  ["behind a block of text", "a: |\n  text\nb: " + "- ".repeat(33), 3, DEEP],
  ["behind the mark of a document", "--- " + "- ".repeat(33), 1, DEEP],
  ["a block that the next document ends", "--- |\ntext\n---\n? a", 4, QUESTION],
  ["?", "to: 1\n? a\n: b", 2, QUESTION],
  ["? in brackets", "[? a]", 1, QUESTION],
  ["? behind a tag", "!a ? b", 1, QUESTION],
  ["a list as key", "to: 1\n[a]: 1", 2, COLLECTION],
  ["a mapping as key", "{{a: 1}: 2}", 1, COLLECTION],
  ["keys of one mapping", lines(7_000, (index) => `k${index}: 1`), 6_326, MANY],
  ["keys in braces", "{" + lines(7_000, (index) => `k${index},`) + "}", 6_326, MANY],
  ["aliases", "- &a x\n" + lines(7_000, () => "- *a"), 4_472, MANY],
];

for (const [what, text, line, message] of refused) {
  test(`refused: ${what}`, () => {
    assert.deepEqual(yamlHazard(text), { line, message });
    const read = readYaml("f.yaml", text);
    assert.ok("message" in read);
    assert.equal(formatProblem(read), `f.yaml:${line}: ${message}`);
  });
}

const fine: readonly (readonly [what: string, text: string])[] = [
  ["text with brackets and question marks", "a: is ? this [[[ ok - - -\nb: what?\nc: ?x\n?d: 1\n"],
  ["quoted text", `a: "${"[ ? - ".repeat(50)}"\nb: '${"{ ? it''s ".repeat(50)}'\n`],
  ["quoted text over lines", `a: "x\n  ? y\n  ${"[".repeat(50)}"\n`],
  ["a comment", `a: 1 # ${"[ ? ".repeat(50)}\n# ? b\n`],
  ["a block of text", `a: |\n  ? b\n\n  ${"[ ".repeat(50)}\nb: >-\n ? c\nc:\n- |\n ? d\n- x\n`],
  ["32 levels", "[".repeat(32) + "]".repeat(32)],
  ["many routes", "routes:\n" + lines(5_000, (i) => `- match: {host: h${i}, path: [/a, /b]}\n  to: ":${i}"`)],
  ["many upstreams", "upstreams:\n" + lines(3_000, (i) => `  u${i}:\n    endpoints: [":${i}"]`)],
  ["siblings, one after the other", lines(1_000, () => "- - - [a, {b: c}]")],
  ["aliases as keys and values", "a: &a x\n*a : [*a, {*a : b}]\n"],
  ["text between quotes that is a key", "'a: ? b': 1\n\"[\" : 2\n{\"c\":3, 'd':4}\n"],
  ["several documents", "--- a\n--- [b]\n...\n"],
];

for (const [what, text] of fine) test(`fine: ${what}`, () => assert.equal(yamlHazard(text), null));

test("nothing in the examples and vectors is taken for a hazard", () => {
  for (const folder of ["../../../vectors/config/", "../../../../examples/"]) {
    const url = new URL(folder, import.meta.url);
    for (const file of readdirSync(url).filter((name) => name.endsWith(".yaml"))) {
      assert.equal(yamlHazard(readFileSync(new URL(file, url), "utf8")), null, file);
    }
  }
});

test("a syntax error has its place", () => {
  const read = readYaml("f.yaml", "to: 3000\r\nhold: 1s\r\n  via: x\r\n");
  assert.ok("message" in read);
  assert.match(formatProblem(read), /^f\.yaml:\d:\d+: is not valid YAML: /);
});

test("what is no UTF-8, and a second document, are refused in words of ours", () => {
  const bytes = Uint8Array.of(...new TextEncoder().encode("to: 3000\nvia: caf"), 0xe9, 0x0a);
  const cases: readonly (readonly [text: string, problem: string])[] = [
    [new TextDecoder().decode(bytes), "f.yaml:2: is not UTF-8 text: save it as UTF-8"],
    ["to: 3000\n---\nto: 3001\n", "f.yaml:2:1: holds several documents (---): keep one"],
  ];
  for (const [text, problem] of cases) {
    const read = readYaml("f.yaml", text);
    assert.ok("message" in read);
    assert.equal(formatProblem(read), problem);
  }
});
