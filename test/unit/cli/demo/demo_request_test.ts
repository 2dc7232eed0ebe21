import assert from "node:assert/strict";
import { test } from "node:test";
import { DemoRequest } from "../../../../src/cli/demo/demo_request.ts";

const BYTES = new TextEncoder();

const CASES: readonly (readonly [text: string, state: string, bodyBytes: number])[] = [
  ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "done", 0],
  ["POST /a HTTP/1.0\r\ncontent-length: 5\r\n\r\nhello", "done", 5],
  ["POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", "length", 4],
  ["POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "done", 0],
  [
    "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
    "done",
    15,
  ],
  ["PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", "done", 0],
  ["PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "failed", 0],
  ["nonsense\r\n\r\n", "failed", 0],
  ["\r\n", "failed", 0],
  ["GET / HTTP/1.1\r\nHost: x\r\n", "head", 0],
];

test("the end of a request is found, however the bytes are split", () => {
  for (const [text, state, bodyBytes] of CASES) {
    const bytes = BYTES.encode(text);
    for (const size of [bytes.length, 1, 2, 3, 7]) {
      const request = new DemoRequest();
      for (let from = 0; from < bytes.length; from += size) request.feed(bytes.subarray(from, from + size));
      assert.equal(request.state, state, `${JSON.stringify(text)} by ${size}`);
      if (state === "done" || state === "length") {
        assert.equal(request.bodyBytes, bodyBytes, JSON.stringify(text));
      }
    }
  }
});

test("the request line and the expectation", () => {
  const request = new DemoRequest();
  request.feed(BYTES.encode("POST /x?y HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
  assert.equal(request.method, "POST");
  assert.equal(request.target, "/x?y");
  assert.ok(request.expectsContinue);
});

test("a head without end fails", () => {
  const request = new DemoRequest();
  for (let count = 0; count < 100; count++) request.feed(BYTES.encode("x".repeat(1000)));
  assert.equal(request.state, "failed");
});
