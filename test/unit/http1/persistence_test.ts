import assert from "node:assert/strict";
import { test } from "node:test";
import { requestPersists, responsePersists } from "../../../src/http1/persistence.ts";
import { requestHead, responseHead } from "./support.ts";

test("requests", () => {
  const cases: readonly (readonly [string, string | null, boolean])[] = [
    ["1.1", null, true],
    ["1.1", "keep-alive", true],
    ["1.1", "close", false],
    ["1.1", "Close", false],
    ["1.1", "keep-alive, close", false],
    ["1.1", "x-a", true],
    ["1.1", "clo se", false],
    ["1.0", null, false],
    ["1.0", "keep-alive", true],
    ["1.0", "Keep-Alive", true],
    ["1.0", "close", false],
    ["1.0", "close, keep-alive", false],
    ["1.0", "upgrade", false],
  ];
  for (const [version, connection, persists] of cases) {
    const fields = connection === null ? [] : [`Connection: ${connection}`];
    assert.equal(
      requestPersists(requestHead(`GET / HTTP/${version}`, ...fields)),
      persists,
      `${version} ${connection}`,
    );
  }
});

test("responses", () => {
  assert.ok(responsePersists(responseHead("HTTP/1.1 200 OK"), "length"));
  assert.ok(!responsePersists(responseHead("HTTP/1.1 200 OK"), "close"));
  assert.ok(!responsePersists(responseHead("HTTP/1.1 200 OK", "Connection: close"), "chunked"));
  assert.ok(!responsePersists(responseHead("HTTP/1.0 200 OK"), "length"));
  assert.ok(responsePersists(responseHead("HTTP/1.0 200 OK", "Connection: keep-alive"), "length"));
  assert.ok(!responsePersists(responseHead("HTTP/1.1 101 Switching Protocols"), "none"));
});
