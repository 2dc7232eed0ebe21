import assert from "node:assert/strict";
import { test } from "node:test";
import { keyLines } from "../../../../src/config/file/key_lines.ts";

const FILE = `# comment
listen: ":8080"

queue: {size: 1,
  bytes: 2}
upstreams:
  api:
    endpoints:
      - 3000
      # comment
      - {address: 3001,
         weight: 0}
      - address: 3002
        weight: 5
    "hold": 3s
  'b c':
    endpoints:
    - 1
    - 2
routes:
- match:
    host: a
  respond: |
    routes:
      - x: 1

    to: 3
- - nested
  - list
-
  to: api
last: >-
 x: y
end:
`;

test("lines of keys and items in block style", () => {
  const lineOf = keyLines(FILE);
  const expected: Readonly<Record<string, number>> = {
    "listen": 2,
    "queue": 4,
    "upstreams": 6,
    "upstreams.api": 7,
    "upstreams.api.endpoints": 8,
    "upstreams.api.endpoints[0]": 9,
    "upstreams.api.endpoints[1]": 11,
    "upstreams.api.endpoints[2]": 13,
    "upstreams.api.endpoints[2].address": 13,
    "upstreams.api.endpoints[2].weight": 14,
    "upstreams.api.hold": 15,
    'upstreams."b c"': 16,
    'upstreams."b c".endpoints[1]': 19,
    "routes[0]": 21,
    "routes[0].match": 21,
    "routes[0].match.host": 22,
    "routes[0].respond": 23,
    "routes[1]": 28,
    "routes[1][1]": 29,
    "routes[2].to": 31,
    "last": 32,
    "end": 34,
  };
  for (const [path, line] of Object.entries(expected)) assert.equal(lineOf(path), line, path);
});

test("what is inside flow style has the line of its key", () => {
  const lineOf = keyLines(FILE);
  assert.equal(lineOf("queue.size"), 4);
  assert.equal(lineOf("upstreams.api.endpoints[1].weight"), 12);
  assert.equal(lineOf("routes[0].respond.status"), 23);
  assert.equal(lineOf("nothing"), null);
  assert.equal(lineOf(""), null);
});

test("Windows line ends", () => {
  assert.equal(keyLines("a: 1\r\nb:\r\n  c: 2\r\n")("b.c"), 3);
});

test("linear time on hostile text", () => {
  const started = performance.now();
  for (
    const text of [
      "- ".repeat(200_000),
      "a: ".repeat(200_000),
      " ".repeat(500_000),
      '"'.repeat(300_000),
      "a ".repeat(200_000),
      "k:\n".repeat(200_000),
      "a:".repeat(200_000),
      `a${" ".repeat(300_000)}b`,
      `a: |${" ".repeat(300_000)}b`,
      `a: ${"&a ".repeat(100_000)}`,
    ]
  ) {
    keyLines(text)("a.b[3].c");
  }
  assert.ok(performance.now() - started < 5000);
});
