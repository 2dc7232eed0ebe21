import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import { bodyLength, requestFraming, responseFraming } from "../../../src/http1/framing.ts";
import { requestHead, responseHead } from "./support.ts";

// The cases are in test/vectors/request_framing.ts and responses.ts; here is what they do not show.

test("the length of a body follows from its framing and the head", () => {
  const none = requestHead("GET / HTTP/1.1");
  assert.equal(requestFraming(none), "none");
  assert.equal(bodyLength("none", none), NO_BODY);
  const length = requestHead("GET / HTTP/1.1", "Content-Length: 12");
  assert.equal(requestFraming(length), "length");
  assert.equal(bodyLength("length", length), 12);
  const chunked = requestHead("GET / HTTP/1.1", "Transfer-Encoding: chunked");
  assert.equal(requestFraming(chunked), "chunked");
  assert.equal(bodyLength("chunked", chunked), UNKNOWN_LENGTH);
  const close = responseHead("HTTP/1.1 200 OK");
  assert.equal(responseFraming(close, "GET"), "close");
  assert.equal(bodyLength("close", close), UNKNOWN_LENGTH);
  const head = responseHead("HTTP/1.1 200 OK", "Content-Length: 12");
  // It may be shared with an answer to GET that is still being relayed.
  assert.equal(responseFraming(head, "GET"), "length");
  assert.equal(responseFraming(head, "HEAD"), "none");
  assert.equal(bodyLength("length", head), 12);
});

test("a request is never delimited by the end of the connection", () => {
  for (const minor of [0, 1]) assert.equal(requestFraming(requestHead(`POST / HTTP/1.${minor}`)), "none");
});

test("a 2xx has a body unless it answers CONNECT", () => {
  const head = responseHead("HTTP/1.1 200 OK", "Content-Length: 1");
  assert.equal(responseFraming(head, "CONNECT"), "none");
  assert.equal(responseFraming(head, "connect"), "length");
});

test("faults carry the status that answers them", () => {
  const fault = requestFraming(requestHead("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"));
  assert.equal(fault, FAULTS.unknownCoding);
  assert.equal(FAULTS.unknownCoding.status, 501);
  assert.equal(FAULTS.codingValue.status, 400);
});
