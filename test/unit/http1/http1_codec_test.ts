/** What a codec remembers is its own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Head } from "../../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { Http1Codec } from "../../../src/http1/http1_codec.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { bytesOf } from "../../vectors/replay.ts";

const MESSAGES = {
  request: bytesOf("GET /a HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"),
  response: bytesOf("HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 0\r\n\r\n"),
} as const;

function headOf(parser: MessageParser): Head {
  parser.feed(MESSAGES[parser.role].slice());
  assert.equal(parser.next(), "head");
  const { head } = parser;
  assert.ok(head !== null);
  parser.startBody("none", 0);
  assert.equal(parser.next(), "end");
  assert.equal(parser.next(), "more");
  return head;
}

function throughCodec(codec: Http1Codec, role: "request" | "response"): Head {
  const parser = codec.borrow(role, DEFAULT_LIMITS);
  const head = headOf(parser);
  codec.giveBack(parser);
  return head;
}

test("parsers of one codec share heads, those of two share nothing", () => {
  for (const role of ["request", "response"] as const) {
    const first = new Http1Codec();
    const second = new Http1Codec();
    for (let i = 0; i < 4; i++) {
      throughCodec(first, role);
      throughCodec(second, role);
    }
    const one = throughCodec(first, role);
    const other = throughCodec(second, role);
    assert.equal(throughCodec(first, role), one);
    assert.equal(throughCodec(second, role), other);
    assert.notEqual(one, other);
    assert.notEqual(one.section, other.section);
    assert.ok(one.section.memo !== null && one.section.memo !== other.section.memo);
  }
});

test("a parser on its own remembers nothing", () => {
  const parser = new MessageParser("request", DEFAULT_LIMITS);
  for (let i = 0; i < 4; i++) assert.notEqual(headOf(parser), headOf(parser));
  assert.equal(headOf(parser).section.memo, null);
});

test("a parser that was given back is lent again, one of each kind", () => {
  const codec = new Http1Codec();
  const request = codec.borrow("request", DEFAULT_LIMITS);
  const response = codec.borrow("response", DEFAULT_LIMITS);
  codec.giveBack(request);
  codec.giveBack(response);
  assert.equal(codec.borrow("response", DEFAULT_LIMITS), response);
  assert.equal(codec.borrow("request", DEFAULT_LIMITS), request);
  assert.notEqual(codec.borrow("request", DEFAULT_LIMITS), request);
});

test("no more parsers are kept than a burst needs", () => {
  const codec = new Http1Codec();
  const burst = Array.from({ length: 100 }, () => codec.borrow("request", DEFAULT_LIMITS));
  for (const parser of burst) codec.giveBack(parser);
  const again = burst.map(() => codec.borrow("request", DEFAULT_LIMITS));
  assert.equal(again.filter((parser) => burst.includes(parser)).length, 64);
});

test("equal limits are one object, whichever were asked for in between", () => {
  const codec = new Http1Codec();
  const first = codec.sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 });
  const lenient = codec.sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7, lenientResponses: true });
  assert.notEqual(lenient, first);
  assert.equal(codec.sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 }), first);
  assert.equal(codec.sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7, lenientResponses: true }), lenient);
});

test("limits that have not been asked for lately are let go", () => {
  const codec = new Http1Codec();
  const first = codec.sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 });
  for (let fields = 1000; fields < 1010; fields++) {
    codec.sharedLimits({ ...DEFAULT_LIMITS, maxFields: fields });
  }
  assert.notEqual(codec.sharedLimits({ ...DEFAULT_LIMITS, maxFields: 7 }), first);
});
