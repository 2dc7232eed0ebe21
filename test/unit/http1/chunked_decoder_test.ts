import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkedDecoder } from "../../../src/http1/chunked_decoder.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { bytesOf } from "../../vectors/replay.ts";

// The cases are in test/vectors/chunked.ts; here is what they do not show.

test("content is found in place, and nothing behind the body is read", () => {
  const decoder = new ChunkedDecoder(DEFAULT_LIMITS);
  const bytes = bytesOf("--3\r\nabc\r\n0\r\n\r\nGET");
  assert.equal(decoder.decode(bytes, 2, bytes.length), "data");
  assert.deepEqual([decoder.dataFrom, decoder.dataTo, decoder.at], [5, 8, 8]);
  assert.equal(decoder.decode(bytes, decoder.at, bytes.length), "end");
  assert.equal(decoder.at, bytes.length - 3);
});

test("a trailer section is left to whoever parses fields", () => {
  const decoder = new ChunkedDecoder(DEFAULT_LIMITS);
  const bytes = bytesOf("0\r\nA: b\r\n\r\n");
  assert.equal(decoder.decode(bytes, 0, bytes.length), "trailers");
  assert.equal(decoder.at, 3);
});

test("a fault is terminal", () => {
  const decoder = new ChunkedDecoder(DEFAULT_LIMITS);
  const bad = bytesOf("x");
  assert.equal(decoder.decode(bad, 0, 1), "fault");
  assert.equal(decoder.fault, FAULTS.chunkSize);
  const good = bytesOf("0\r\n\r\n");
  assert.equal(decoder.decode(good, 0, good.length), "fault");
  assert.equal(decoder.decode(good, 0, 0), "fault");
});

test("no empty data event at the end of a piece", () => {
  const decoder = new ChunkedDecoder(DEFAULT_LIMITS);
  const bytes = bytesOf("3\r\n");
  assert.equal(decoder.decode(bytes, 0, bytes.length), "more");
  assert.equal(decoder.decode(bytes, 3, 3), "more");
});
