import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "../../../src/http/fault.ts";
import { Field } from "../../../src/http/field.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { SplitSection, tooLarge } from "../../../src/http1/split_section.ts";
import { bytesOf } from "../../vectors/replay.ts";

const GET = "GET /a HTTP/1.1\r\nHost: b\r\n\r\n";

test("split section: done with the last byte, wherever the bytes lie by then", () => {
  const split = new SplitSection("request", false, DEFAULT_LIMITS);
  for (let length = 0; length < GET.length; length++) {
    const moved = bytesOf("x".repeat(length) + GET);
    assert.equal(split.scan(moved, length, length), "more");
  }
  assert.equal(split.scan(bytesOf(GET + "rest"), 0, GET.length + 4), "done");
  assert.equal(split.bytes, GET.length);
  assert.equal(split.section?.target, "/a");
  assert.equal(split.section?.valueOf(Field.host), "b");
});

test("split section: a line is judged when it is complete", () => {
  const split = new SplitSection("request", false, DEFAULT_LIMITS);
  const bytes = bytesOf("GET / HTTP/1.1\r\nHo st: b\r\n");
  assert.equal(split.scan(bytes, 0, bytes.length - 1), "more");
  assert.equal(split.scannedBytes, "GET / HTTP/1.1\r\n".length);
  assert.equal(split.scan(bytes, 0, bytes.length), "fault");
  assert.equal(split.fault, FAULTS.nameCharacter);
});

test("split section: a lenient response may end lines with LF, and says its length once", () => {
  const text = "HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 2\n\n";
  const split = new SplitSection("response", true, DEFAULT_LIMITS);
  assert.equal(split.scan(bytesOf(text), 0, text.length - 1), "more");
  assert.equal(split.scan(bytesOf(text + "ok"), 0, text.length + 2), "done");
  assert.equal(split.bytes, text.length);
  assert.equal(split.section?.valueOf(Field.contentLength), "2");
  assert.equal(split.section?.isRepeated(Field.contentLength), false);
});

test("split section: at its limit the fault names what is too large", () => {
  const limits = { ...DEFAULT_LIMITS, maxMethodBytes: 4 };
  const of = (kind: "request" | "response" | "trailers", text: string, scanned: number) =>
    tooLarge(kind, scanned, bytesOf(text), 0, limits);
  assert.equal(of("trailers", "A: b", 0), FAULTS.trailersTooLarge);
  assert.equal(of("response", "HTTP/1.1 200 O", 0), FAULTS.headTooLarge);
  assert.equal(of("request", "GET / HTTP/1.1\r\nA: b", 16), FAULTS.headTooLarge);
  assert.equal(of("request", "GETXX /", 0), FAULTS.methodTooLong);
  assert.equal(of("request", "GETXXXX", 0), FAULTS.methodTooLong);
  assert.equal(of("request", "GET /aaaa", 0), FAULTS.targetTooLong);
});
