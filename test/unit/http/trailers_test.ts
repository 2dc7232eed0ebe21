/** Which fields of a trailer section are passed on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Head } from "../../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { forwardedTrailers } from "../../../src/http/trailers.ts";
import { fieldLines } from "../../../src/http1/encode.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { bytesOf } from "../../vectors/replay.ts";

function trailerSection(...lines: readonly string[]): Head {
  const parser = new MessageParser("response", DEFAULT_LIMITS);
  parser.feed(
    bytesOf(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "0", ...lines, "", ""].join("\r\n")),
  );
  parser.next();
  parser.startBody("chunked", -1);
  assert.equal(parser.next(), "end");
  assert.ok(parser.trailers !== null);
  return parser.trailers;
}

test("trailers that could be taken for something else are left out (RFC 9110 §6.5.1)", () => {
  const forbidden = [
    "Content-Length: 1",
    "Transfer-Encoding: chunked",
    "Host: a",
    "Connection: close",
    "TE: x",
    "Trailer: A",
    "Upgrade: x",
    "Authorization: x",
    "Cookie: x",
    "Set-Cookie: x",
    "Forwarded: x",
    "X-Forwarded-For: x",
    "X-Forwarded-Port: x",
    "X-Real-IP: x",
    "Content-Type: x",
    "content-encoding: x",
    "Content-Range: x",
    "Expect: x",
    "Max-Forwards: 1",
    "Proxy-Authorization: x",
    "WWW-Authenticate: x",
    "Cache-Control: x",
    "Location: x",
    "Sec-WebSocket-Accept: x",
    "Content_Length: 1",
    "Via: x",
    "Range: x",
    "User-Agent: x",
    "Referer: x",
    "Retry-After: 1",
    "Idempotency-Key: x",
    "Date: x",
    "Vary: x",
    "Authentication-Info: x",
    "Proxy-Authenticate: x",
    "Proxy-Authentication-Info: x",
  ];
  const kept = ["Server-Timing: a", "ETag: x", "X-Checksum:y", "grpc-status: 0"];
  const trailers = trailerSection(...forbidden, ...kept);
  assert.equal(
    fieldLines(forwardedTrailers(trailers)),
    "Server-Timing: a\r\nETag: x\r\nX-Checksum: y\r\ngrpc-status: 0\r\n",
  );
});

test("to be known is no reason to be left out", () => {
  const lines = ["Server: a", "Proxy-Status: b", "Alt-Svc: clear", "Priority: u=1", "Accept-Encoding: br"];
  assert.equal(fieldLines(forwardedTrailers(trailerSection(...lines))), lines.join("\r\n") + "\r\n");
});
