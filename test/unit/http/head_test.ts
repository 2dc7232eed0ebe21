import assert from "node:assert/strict";
import { test } from "node:test";
import { Field } from "../../../src/http/field.ts";
import { requestHead, responseHead } from "../http1/support.ts";

const HEAD = requestHead(
  "GET /a?b HTTP/1.1",
  "Host: a",
  "X-A:1",
  "cookie: b",
  "x-a: \t 2 ",
  "Via: 1.0 x",
  "VIA: 1.1 y",
  "Empty:",
);

test("a request head tells its parts", () => {
  assert.deepEqual([HEAD.method, HEAD.target, HEAD.version, HEAD.status, HEAD.reason], [
    "GET",
    "/a?b",
    11,
    0,
    "",
  ]);
  assert.equal(HEAD.count, 7);
  assert.equal(HEAD.startLine, "GET /a?b HTTP/1.1\r\n");
  assert.ok(HEAD.text.startsWith("Host: a\r\n"));
  assert.ok(HEAD.text.endsWith("Empty:\r\n"));
  assert.equal(HEAD.bytes, HEAD.startLine.length + HEAD.text.length + 2);
});

test("a response head tells its parts", () => {
  const head = responseHead("HTTP/1.0 404 Not Found", "A: b");
  assert.deepEqual([head.method, head.target, head.version, head.status, head.reason], [
    "",
    "",
    10,
    404,
    "Not Found",
  ]);
});

test("fields by index", () => {
  assert.deepEqual([HEAD.name(1), HEAD.value(1), HEAD.id(1)], ["X-A", "1", Field.other]);
  assert.deepEqual([HEAD.name(3), HEAD.value(3)], ["x-a", "2"]);
  assert.deepEqual([HEAD.name(6), HEAD.value(6)], ["Empty", ""]);
  assert.ok(HEAD.isNamed(1, "x-a") && HEAD.isNamed(3, "x-a") && !HEAD.isNamed(0, "x-a"));
});

test("fields by id", () => {
  assert.ok(
    HEAD.has(Field.host) && HEAD.has(Field.via) && !HEAD.has(Field.connection) && !HEAD.has(Field.other),
  );
  assert.deepEqual([HEAD.first(Field.via), HEAD.first(Field.te)], [4, -1]);
  assert.deepEqual([HEAD.valueOf(Field.via), HEAD.valueOf(Field.te)], ["1.0 x", null]);
  assert.deepEqual([HEAD.joined(Field.via), HEAD.joined(Field.te)], ["1.0 x, 1.1 y", null]);
  assert.ok(HEAD.isRepeated(Field.via) && !HEAD.isRepeated(Field.host));
});

test("an id of one half is not taken for the one of the other half with the same bit", () => {
  const head = requestHead("GET / HTTP/1.1", "User-Agent: a", "Cookie: b", "cookie: c", "Via: 1.1 d");
  assert.ok(head.has(Field.userAgent) && head.has(Field.cookie) && head.has(Field.via));
  assert.ok(head.isRepeated(Field.cookie) && !head.isRepeated(Field.userAgent));
  for (const id of Object.values(Field)) {
    const expected = new Map<number, number>([[Field.userAgent, 0], [Field.cookie, 1], [Field.via, 3]]);
    assert.equal(id !== 0 && head.has(id), expected.has(id), `${id}`);
    if (id !== 0) assert.equal(head.first(id), expected.get(id) ?? -1, `${id}`);
  }
  assert.equal(head.find("cookie"), "b, c");
});

test("fields by name", () => {
  assert.equal(HEAD.find("x-a"), "1, 2");
  assert.equal(HEAD.find("via"), "1.0 x, 1.1 y");
  assert.equal(HEAD.find("empty"), "");
  assert.equal(HEAD.find("x-b"), null);
  assert.equal(HEAD.find("te"), null);
  assert.equal(requestHead("GET / HTTP/1.1", "X-Real-IP: 1").find("x-real-ip"), "1");
});

test("a head owns its text", () => {
  const other = requestHead("GET /other HTTP/1.1", "Host: b");
  assert.equal(HEAD.value(0), "a");
  assert.equal(other.value(0), "b");
});
