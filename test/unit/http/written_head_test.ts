/** A head is one text only when it is written again and again, and then it is exactly the four. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { WrittenHead } from "../../../src/http/written_head.ts";
import { Random } from "../../fuzz/support/random.ts";

const LINE = "GET / HTTP/1.1\r\n";
const FIELDS = "Host: a\r\n";
const ADDED = "Via: 1.1 b\r\n";

test("what comes twice in a row is joined, with its empty line", () => {
  const written = new WrittenHead();
  assert.equal(written.joined(LINE, FIELDS, ADDED, ""), null);
  const whole = LINE + FIELDS + ADDED + "\r\n";
  for (let i = 0; i < 3; i++) assert.equal(written.joined(LINE, FIELDS, ADDED, ""), whole);
});

test("each of the texts counts", () => {
  const heads: readonly (readonly [string, string, string, string])[] = [
    [LINE, FIELDS, ADDED, "X: 1\r\n"],
    [LINE.replace("/", "*"), FIELDS, ADDED, "X: 1\r\n"],
    [LINE, FIELDS.replace("a", "b"), ADDED, "X: 1\r\n"],
    [LINE, FIELDS, ADDED.replace("b", "c"), "X: 1\r\n"],
    [LINE, FIELDS, ADDED, "X: 2\r\n"],
  ];
  const written = new WrittenHead();
  for (let round = 0; round < 3; round++) {
    for (const [first, second, third, fourth] of heads) {
      assert.equal(written.joined(first, second, third, fourth), null);
      const whole = first + second + third + fourth + "\r\n";
      assert.equal(written.joined(first, second, third, fourth), whole);
    }
  }
});

test("heads that take turns are never joined", () => {
  const written = new WrittenHead();
  for (let i = 0; i < 100; i++) assert.equal(written.joined(LINE, FIELDS, ADDED, `X: ${i % 2}\r\n`), null);
});

test("a long head is written as it is, and not kept", () => {
  const written = new WrittenHead();
  const long = `X: ${"x".repeat(5000)}\r\n`;
  for (let i = 0; i < 5; i++) assert.equal(written.joined(LINE, long, ADDED, ""), null);
});

test("request lines and Host are those that are asked for, whatever was written before", () => {
  const random = new Random(3);
  const written = new WrittenHead();
  for (let round = 0; round < 2000; round++) {
    const method = random.pick(["GET", "POST"]);
    const target = random.pick(["/", "*", "/a", `/${"a".repeat(5000)}`]);
    const authority = random.pick(["a", "a:80", "b"]);
    const others = random.pick(["", "X: 1\r\n", `X: ${"x".repeat(5000)}\r\n`]);
    const line = written.requestLine(method, target);
    const fields = written.withHost(authority, others);
    assert.equal(line, `${method} ${target} HTTP/1.1\r\n`);
    assert.equal(fields, `Host: ${authority}\r\n${others}`);
  }
});
