import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { bytesOf, textOf } from "../../vectors/replay.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";

function requestParser(text: string): MessageParser {
  const parser = new MessageParser("request", DEFAULT_LIMITS);
  parser.feed(bytesOf(text));
  return parser;
}

function unread(parser: MessageParser): string | null {
  const bytes = parser.takeUnread();
  return bytes === null ? null : textOf(bytes, 0, bytes.length);
}

test("a new parser is idle and asks for more", () => {
  const parser = new MessageParser("request", DEFAULT_LIMITS);
  assert.ok(parser.idle);
  assert.equal(parser.next(), "more");
  assert.ok(parser.idle);
});

test("not idle while anything is pending", () => {
  const parser = new MessageParser("response", DEFAULT_LIMITS);
  parser.feed(bytesOf("\r"));
  assert.equal(parser.next(), "more");
  assert.ok(!parser.idle, "half an empty line");
  parser.feed(bytesOf("\n"));
  assert.equal(parser.next(), "more");
  assert.ok(!parser.idle, "an empty line");
  parser.feed(bytesOf("HTTP"));
  assert.ok(!parser.idle, "lent bytes");
  assert.equal(parser.next(), "more");
  assert.ok(!parser.idle, "part of a head");
  assert.equal(parser.unreadBytes, 4);
});

test("idle again after a message, and the head is let go of", () => {
  const parser = requestParser(GET);
  assert.equal(parser.next(), "head");
  parser.startBody("none", 0);
  assert.ok(!parser.idle);
  assert.equal(parser.next(), "end");
  assert.ok(parser.idle);
  assert.equal(parser.next(), "more");
  assert.ok(parser.idle);
  assert.equal(parser.head, null);
  assert.equal(parser.data.length, 0);
});

test("content is handed out in place", () => {
  const bytes = bytesOf(POST + "hello" + GET);
  const parser = new MessageParser("request", DEFAULT_LIMITS);
  parser.feed(bytes);
  assert.equal(parser.next(), "head");
  parser.startBody("length", 5);
  assert.equal(parser.next(), "data");
  assert.equal(parser.data, bytes);
  assert.deepEqual([parser.dataFrom, parser.dataTo], [POST.length, POST.length + 5]);
  assert.equal(parser.bodyBytesSeen, 5);
  assert.equal(parser.next(), "end");
  assert.equal(parser.unreadBytes, GET.length);
});

test("content after a head in two pieces is handed out in place", () => {
  const parser = requestParser(POST.slice(0, 20));
  assert.equal(parser.next(), "more");
  const rest = bytesOf(POST.slice(20) + "hello");
  parser.feed(rest);
  assert.equal(parser.next(), "head");
  parser.startBody("length", 5);
  assert.equal(parser.next(), "data");
  assert.equal(parser.data, rest);
});

test("suspended bytes are kept although the lent ones change", () => {
  const bytes = bytesOf(GET + POST + "hello");
  const parser = new MessageParser("request", DEFAULT_LIMITS);
  parser.feed(bytes);
  assert.equal(parser.next(), "head");
  parser.startBody("none", 0);
  assert.equal(parser.next(), "end");
  parser.suspend();
  bytes.fill(0);
  assert.equal(parser.unreadBytes, POST.length + 5);
  assert.equal(parser.next(), "head");
  assert.equal(parser.head?.method, "POST");
  parser.startBody("length", 5);
  assert.equal(parser.next(), "data");
  assert.equal(textOf(parser.data, parser.dataFrom, parser.dataTo), "hello");
  assert.equal(parser.next(), "end");
  assert.ok(parser.idle);
});

test("feeding before everything is read keeps the order", () => {
  const parser = requestParser(GET + POST.slice(0, 10));
  assert.equal(parser.next(), "head");
  parser.feed(bytesOf(POST.slice(10)));
  parser.startBody("none", 0);
  assert.equal(parser.next(), "end");
  assert.equal(parser.next(), "head");
  assert.equal(parser.head?.method, "POST");
});

test("unread bytes are handed over to a tunnel", () => {
  const parser = requestParser(GET + "\x81\x00raw");
  assert.equal(parser.next(), "head");
  assert.equal(unread(parser), "\x81\x00raw");
  assert.equal(parser.next(), "more");
  assert.equal(parser.unreadBytes, 0);
  parser.feed(bytesOf(GET));
  assert.equal(parser.next(), "more");
  assert.equal(parser.unreadBytes, 0);
});

test("unread bytes of both kinds are handed over in order", () => {
  const parser = requestParser(GET + "kept ");
  assert.equal(parser.next(), "head");
  parser.suspend();
  parser.feed(bytesOf("lent"));
  assert.equal(unread(parser), "kept lent");
  const other = requestParser(GET);
  assert.equal(other.next(), "head");
  assert.equal(unread(other), null);
});

test("startBody is due after a head, once", () => {
  const parser = requestParser(GET);
  assert.throws(() => parser.startBody("none", 0));
  assert.equal(parser.next(), "head");
  assert.throws(() => parser.next());
  parser.startBody("none", 0);
  assert.throws(() => parser.startBody("none", 0));
});

test("a fault is terminal for every method", () => {
  const parser = requestParser("BAD\r\n" + GET);
  assert.equal(parser.next(), "fault");
  const fault = parser.fault;
  assert.equal(fault?.code, "bad_request");
  parser.feed(bytesOf(GET));
  assert.equal(parser.next(), "fault");
  parser.suspend();
  parser.endOfInput();
  assert.equal(parser.next(), "fault");
  assert.throws(() => parser.startBody("none", 0));
  assert.equal(parser.fault, fault);
  assert.equal(parser.unreadBytes, 0);
  assert.ok(!parser.idle);
});

test("the end of input between messages is clean", () => {
  const parser = requestParser(GET);
  assert.equal(parser.next(), "head");
  parser.startBody("none", 0);
  assert.equal(parser.next(), "end");
  parser.endOfInput();
  assert.equal(parser.next(), "more");
  assert.ok(parser.idle);
});

test("the end of input may come with messages still unread", () => {
  const parser = requestParser(GET + GET);
  parser.endOfInput();
  for (let i = 0; i < 2; i++) {
    assert.equal(parser.next(), "head");
    parser.startBody("none", 0);
    assert.equal(parser.next(), "end");
  }
  assert.equal(parser.next(), "more");
});

test("a length of zero ends at once", () => {
  const parser = requestParser(GET);
  assert.equal(parser.next(), "head");
  parser.startBody("length", 0);
  assert.equal(parser.next(), "end");
  assert.equal(parser.bodyBytesSeen, 0);
});

test("no more than a head is copied before the limit is checked", () => {
  const parser = new MessageParser("request", { ...DEFAULT_LIMITS, maxHeadBytes: 1000 });
  parser.feed(bytesOf("GET / HTTP/1.1\r\nA: "));
  assert.equal(parser.next(), "more");
  parser.feed(new Uint8Array(1_000_000).fill(0x61));
  assert.equal(parser.next(), "fault");
  assert.equal(parser.fault?.code, "head_too_large");
});

test("a head that dribbles in costs linear time", () => {
  const head = bytesOf(
    `GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(90)}B: ${"c".repeat(31_000)}\r\n\r\n`,
  );
  const parser = new MessageParser("request", DEFAULT_LIMITS);
  const start = performance.now();
  let event: string = "more";
  for (let i = 0; i < head.length; i++) {
    parser.feed(head.subarray(i, i + 1));
    event = parser.next();
  }
  assert.equal(event, "head");
  // Quadratic would be half a billion byte steps; this takes about 10 ms.
  assert.ok(performance.now() - start < 1000);
});
