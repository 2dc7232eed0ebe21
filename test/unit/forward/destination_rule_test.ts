import assert from "node:assert/strict";
import { test } from "node:test";
import { judgedBytes } from "../../../src/forward/address_class.ts";
import {
  type DestinationRule,
  matchesRule,
  nestingOf,
  parseDestinationRule,
} from "../../../src/forward/destination_rule.ts";

function rule(text: string): DestinationRule {
  const result = parseDestinationRule(text);
  if (result.kind === "fault") throw new Error(`${text}: ${result.message}`);
  return result.rule;
}

function matches(text: string, host: string, port = 443, address = host): boolean {
  const isName = judgedBytes(host) === null;
  return matchesRule(rule(text), { name: isName ? host : null, bytes: judgedBytes(address), port });
}

test("what entries match", () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["*", ["a.example", "127.0.0.1", "::1"], []],
    ["example.com", ["example.com"], ["www.example.com", "notexample.com", "127.0.0.1"]],
    ["Example.COM.", ["example.com"], ["example.org"]],
    [".example.com", ["www.example.com", "a.b.example.com"], ["example.com", "notexample.com"]],
    ["*.example.com", ["www.example.com"], ["example.com"]],
    ["localhost", ["localhost"], ["a.localhost", "127.0.0.1"]],
    ["127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"], ["127.0.0.2", "::1"]],
    ["::ffff:127.0.0.1", ["127.0.0.1"], ["127.0.0.2"]],
    ["64:ff9b::7f00:1", ["127.0.0.1"], ["127.0.0.2"]],
    ["10.0.0.0/8", ["10.255.0.1", "2002:a00:1::"], ["11.0.0.1"]],
    ["::1", ["::1"], ["::2", "127.0.0.1"]],
    ["[::1]", ["::1"], ["::2"]],
    ["fd00::/8", ["fd12::1"], ["fc00::1"]],
    ["0.0.0.0/0", ["1.2.3.4"], ["2606::1", "example.com"]],
    ["private", ["10.0.0.1", "fd00::1"], ["127.0.0.1", "8.8.8.8", "private"]],
    ["PUBLIC", ["8.8.8.8"], ["10.0.0.1"]],
    ["private.", ["private"], ["10.0.0.1"]],
  ];
  for (const [text, yes, no] of cases) {
    for (const host of yes) assert.ok(matches(text, host), `${text} matches ${host}`);
    for (const host of no) assert.ok(!matches(text, host), `${text} does not match ${host}`);
  }
});

test("entries with a port", () => {
  for (
    const [text, host] of [
      ["*:22", "example.com"],
      ["example.com:22", "example.com"],
      [".example.com:22", "www.example.com"],
      ["10.0.0.0/8:22", "10.0.0.1"],
      ["10.0.0.1:22", "10.0.0.1"],
      ["[fd00::/8]:22", "fd00::1"],
      ["[fd00::1]:22", "fd00::1"],
      ["private:22", "10.0.0.1"],
    ] as const
  ) {
    assert.ok(matches(text, host, 22), text);
    assert.ok(!matches(text, host, 23), text);
  }
});

test("a name with its address matches entries about both", () => {
  assert.ok(matches("10.0.0.0/8", "db.example", 443, "10.0.0.1"));
  assert.ok(matches("db.example", "db.example", 443, "10.0.0.1"));
  assert.ok(matches("private", "db.example", 443, "10.0.0.1"));
});

test("entries that are none", () => {
  for (
    const text of [
      "",
      " ",
      ".",
      "*.",
      "**",
      "a*.example",
      "*.*.example",
      "exa mple",
      "b\u00fccher.example",
      "10.0.0.0/33",
      "10.0.0.0/8/8",
      "example.com/8",
      "127.1",
      "010.0.0.1",
      "0x7f.1",
      "host:0",
      "host:",
      "host:99999",
      "host:http",
      "fd00::1%eth0",
      "[fd00::1]22",
      ".10.0.0.1",
      "http://host",
      "user@host",
      `${"a".repeat(64)}.example`,
    ]
  ) {
    const result = parseDestinationRule(text);
    assert.equal(result.kind, "fault", text);
    if (result.kind === "fault") assert.match(result.message, /^must /);
  }
});

test("what is a part of what", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["*", "*", "equal"],
    ["*:80", "*", "inside"],
    ["*", "*:80", "outside"],
    ["*:80", "*:81", "outside"],
    ["a.example", "*", "inside"],
    ["a.example", "*:80", "outside"],
    ["a.example:80", "*:80", "inside"],
    ["a.example", ".example", "inside"],
    [".a.example", ".example", "inside"],
    [".example", ".example", "equal"],
    [".example:80", ".example", "inside"],
    [".example", ".a.example", "outside"],
    [".example", "a.example", "outside"],
    ["a.example", "a.example", "equal"],
    ["a.example:80", "a.example", "inside"],
    ["10.1.0.0/16", "10.0.0.0/8", "inside"],
    ["10.0.0.0/8", "10.0.0.0/8", "equal"],
    ["10.0.0.0/8", "10.1.0.0/16", "outside"],
    ["a.example", "10.0.0.0/8", "outside"],
    ["10.0.0.1", "a.example", "outside"],
    ["private", "10.0.0.0/8", "outside"],
    ["10.0.0.0/8", "private", "inside"],
    ["0.0.0.0/0", "private", "outside"],
    ["0.0.0.0/0", "loopback", "outside"],
    ["0.0.0.0/0", "special", "outside"],
    ["169.254.0.0/16", "metadata", "outside"],
    ["169.254.169.254", "metadata", "inside"],
    ["169.254.0.0/16", "link-local", "inside"],
    ["private", "private", "equal"],
    ["private", "*", "inside"],
    ["a.example", "private", "inside"],
    [".example", "private", "outside"],
    ["*", "private", "outside"],
  ];
  for (const [inner, outer, expected] of cases) {
    assert.equal(nestingOf(rule(inner), rule(outer)), expected, `${inner} in ${outer}`);
  }
});

test("parts are those of sets: whatever matches the inner entry matches the outer one, and more does", () => {
  const names = ["a", "b.a", "c.b.a", "d.c.b.a", "x", "xa"];
  const addresses = [
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.2",
    "10.0.1.0",
    "10.1.0.0",
    "11.0.0.0",
    "::1",
    "fd00::1",
    "fd00::2",
  ];
  const patterns = [
    ...["*", "a", ".a", "b.a", ".b.a", "c.b.a", "x", "xa", ".x"],
    ...[
      "10.0.0.0/8",
      "10.0.0.0/16",
      "10.0.0.0/24",
      "10.0.0.1",
      "0.0.0.0/0",
      "[::/0]",
      "[fd00::/8]",
      "[fd00::1]",
    ],
  ];
  const entries = patterns.flatMap((text) => ["", ":80", ":81"].map((port) => rule(text + port)));
  const universe = [80, 81, 82].flatMap((port) => [
    ...names.map((name) => ({ name, bytes: null, port })),
    ...names.map((name) => ({ name: `z.${name}`, bytes: null, port })),
    ...addresses.map((text) => ({ name: null, bytes: judgedBytes(text), port })),
  ]);
  for (const inner of entries) {
    for (const outer of entries) {
      const ofInner = universe.filter((candidate) => matchesRule(inner, candidate));
      const ofOuter = universe.filter((candidate) => matchesRule(outer, candidate));
      const isPart = ofInner.every((candidate) => ofOuter.includes(candidate));
      const expected = !isPart ? "outside" : ofInner.length === ofOuter.length ? "equal" : "inside";
      assert.equal(nestingOf(inner, outer), expected, `${inner.text} in ${outer.text}`);
    }
  }
});
