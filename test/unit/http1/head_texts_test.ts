/** A head is one text only when it is written again and again, and then it is exactly the four. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadTexts } from "../../../src/http1/head_texts.ts";

const LINE = "GET / HTTP/1.1\r\n";
const FIELDS = "Host: a\r\n";
const ADDED = "Via: 1.1 b\r\n";

test("what comes twice in a row is joined, with its empty line", () => {
  const texts = new HeadTexts();
  assert.equal(texts.joined(LINE, FIELDS, ADDED, ""), null);
  for (let i = 0; i < 3; i++) {
    assert.equal(texts.joined(LINE, FIELDS, ADDED, ""), LINE + FIELDS + ADDED + "\r\n");
  }
});

test("each of the texts counts", () => {
  const texts = new HeadTexts();
  const heads = [
    [LINE, FIELDS, ADDED, "X: 1\r\n"],
    [LINE.replace("/", "*"), FIELDS, ADDED, "X: 1\r\n"],
    [LINE, FIELDS.replace("a", "b"), ADDED, "X: 1\r\n"],
    [LINE, FIELDS, ADDED.replace("b", "c"), "X: 1\r\n"],
    [LINE, FIELDS, ADDED, "X: 2\r\n"],
  ] as const;
  for (let round = 0; round < 3; round++) {
    for (const [first, second, third, fourth] of heads) {
      for (let i = 0; i < 3; i++) {
        const text = texts.joined(first, second, third, fourth);
        assert.ok(text === null || text === first + second + third + fourth + "\r\n");
        assert.ok(i < 2 || text !== null);
      }
    }
  }
});

test("heads that come once are never joined, and leave alone what is there", () => {
  const texts = new HeadTexts();
  for (let i = 0; i < 3; i++) texts.joined(LINE, FIELDS, ADDED, "");
  for (let i = 0; i < 100; i++) {
    assert.equal(texts.joined(`GET /${i} HTTP/1.1\r\n`, FIELDS, ADDED, ""), null);
    assert.notEqual(texts.joined(LINE, FIELDS, ADDED, ""), null);
  }
});

test("a long head is written as it is", () => {
  const texts = new HeadTexts();
  const long = `X: ${"x".repeat(5000)}\r\n`;
  for (let i = 0; i < 5; i++) assert.equal(texts.joined(LINE, long, ADDED, ""), null);
});
