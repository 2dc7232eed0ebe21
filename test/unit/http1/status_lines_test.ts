import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusLines } from "../../../src/http1/status_lines.ts";

test("a status line has the status and the reason it is asked for, whatever was asked for before", () => {
  const lines = new StatusLines();
  for (let round = 0; round < 2; round++) {
    assert.equal(lines.line(200, "OK"), "HTTP/1.1 200 OK\r\n");
    assert.equal(lines.line(200, "Fine"), "HTTP/1.1 200 Fine\r\n");
    assert.equal(lines.line(204, ""), "HTTP/1.1 204 \r\n");
    assert.equal(lines.line(502, "Bad Gateway"), "HTTP/1.1 502 Bad Gateway\r\n");
    assert.equal(lines.line(999, "X"), "HTTP/1.1 999 X\r\n");
  }
});
