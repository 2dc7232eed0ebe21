import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { traceText } from "../../../../src/gateway/forward/trace_text.ts";
import { requestHead as headWithoutLine } from "../../../support/streams/pairs.ts";
import { requestHead } from "../../http1/support.ts";

describe("what TRACE shows", () => {
  test("the request as it came, without what is secret", () => {
    const head = requestHead(
      "TRACE http://a.test/b?c HTTP/1.1",
      "Host: a.test",
      "COOKIE: c=1",
      "X-Twice:  1 ",
      "Authorization: Basic eDp5",
      "Proxy-Authorization: Basic eDp5",
      "X-Twice: 2",
      "Max-Forwards: 0",
    );
    assert.equal(
      traceText(head),
      "TRACE http://a.test/b?c HTTP/1.1\r\nHost: a.test\r\nX-Twice: 1\r\nX-Twice: 2\r\nMax-Forwards: 0\r\n\r\n",
    );
  });

  test("a start line also where the wire has none", () => {
    const head = headWithoutLine("TRACE", "/", [["host", "a.test"]]);
    assert.equal(head.startLine, "");
    assert.equal(traceText(head), "TRACE / HTTP/2\r\nhost: a.test\r\n\r\n");
  });
});
