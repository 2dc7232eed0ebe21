/** What the memo finds is exactly what is there, and heads mean the same with and without it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Head } from "../../../src/http/head.ts";
import { FieldSection } from "../../../src/http/field_section.ts";
import { PrefixMemo } from "../../../src/http1/prefix_memo.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { Http1Codec } from "../../../src/http1/http1_codec.ts";
import { Random } from "../../fuzz/support/random.ts";
import type { MessageParser } from "../../../src/http1/message_parser.ts";

const codec = new Http1Codec();

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function section(text: string): FieldSection {
  return new FieldSection(text, []);
}

function look(memo: PrefixMemo<FieldSection>, text: string, after = ""): string | null {
  const all = bytes("....." + text + after);
  const found = memo.find(all, 5, all.length);
  if (found === null) {
    if (memo.wants(text.length)) memo.keep(all, 5, 5 + text.length, section(text));
  } else assert.equal(memo.foundBytes, found.text.length);
  return found === null ? null : found.text;
}

const FIELDS = "Host: a\r\nUser-Agent: something of a usual length/1.0\r\nAccept: */*\r\n\r\n";

test("a section is kept when it is seen twice, and found from then on", () => {
  const memo = new PrefixMemo<FieldSection>();
  assert.equal(look(memo, FIELDS), null);
  assert.equal(look(memo, FIELDS), null);
  assert.equal(look(memo, FIELDS), FIELDS);
  assert.equal(look(memo, FIELDS, "the body of the message"), FIELDS);
});

test("one that differs anywhere, or is not all there, is not found", () => {
  const memo = new PrefixMemo<FieldSection>();
  for (let i = 0; i < 3; i++) look(memo, FIELDS);
  for (let at = 0; at < FIELDS.length; at++) {
    const other = bytes(FIELDS);
    other[at] = (other[at] as number) ^ 1;
    assert.equal(memo.find(other, 0, other.length), null, `byte ${at}`);
    assert.equal(memo.find(bytes(FIELDS), 0, at), null, `cut at ${at}`);
  }
});

test("sections that are never repeated do not drive out one that is", () => {
  const memo = new PrefixMemo<FieldSection>();
  for (let i = 0; i < 3; i++) look(memo, FIELDS);
  for (let i = 0; i < 1000; i++) {
    look(memo, FIELDS.replace("*/*", `${i}`));
    assert.equal(look(memo, FIELDS), FIELDS);
  }
});

test("a new habit takes the place of an old one", () => {
  const memo = new PrefixMemo<FieldSection>();
  for (let i = 0; i < 3; i++) look(memo, FIELDS);
  const next = FIELDS.replace("*/*", "a/b");
  let tries = 0;
  while (look(memo, next) === null) assert.ok(++tries < 20);
  assert.equal(look(memo, next), next);
});

test("what is found again and again has the meaning that was kept last", () => {
  const memo = new PrefixMemo<FieldSection>();
  for (let i = 0; i < 5; i++) look(memo, FIELDS);
  const all = bytes(FIELDS);
  const anew = section(FIELDS);
  assert.notEqual(memo.find(all, 0, all.length), anew);
  memo.keep(all, 0, all.length, anew);
  for (let i = 0; i < 5; i++) assert.equal(memo.find(all, 0, all.length), anew);
});

test("runs of the same and of others, in any order: what is found is what is there", () => {
  const kinds = ["*/*", "a/b", "a/c", "text/html", ""].map((kind) => FIELDS.replace("*/*", kind));
  const random = new Random(16);
  const memo = new PrefixMemo<FieldSection>();
  let found = 0;
  for (let run = 0; run < 300; run++) {
    const text = kinds[random.next(kinds.length)] as string;
    for (let left = random.next(6); left > 0; left--) {
      const meaning = look(memo, text, "x".repeat(random.next(40)));
      assert.ok(meaning === null || meaning === text, `${meaning} for ${text}`);
      if (meaning !== null) found++;
    }
  }
  assert.ok(found > 100, `${found} found`);
});

test("a section that is too long is never kept", () => {
  const memo = new PrefixMemo<FieldSection>();
  const long = FIELDS.replace("*/*", "x".repeat(5000));
  for (let i = 0; i < 30; i++) assert.equal(look(memo, long), null);
});

/** Everything that a parser tells of a message. */
function told(parser: MessageParser, message: Uint8Array): unknown {
  parser.feed(message.slice());
  const event = parser.next();
  if (event !== "head") return parser.fault?.code ?? event;
  const head = parser.head;
  assert.ok(head !== null);
  parser.startBody("none", 0);
  assert.equal(parser.next(), "end");
  const fields = Array.from({ length: head.count }, (_, i) => [head.name(i), head.value(i), head.id(i)]);
  return [head.method, head.target, head.version, head.bytes, head.known, fields];
}

test("a recognised section tells the same, whatever its request line", () => {
  const fields = "Host: memo.example\r\nX-One: 1\r\nx-one:\t2 \r\nConnection: keep-alive\r\n\r\n";
  const lines = ["GET / HTTP/1.1", "POST /a/longer?target HTTP/1.0", "DELETE /x HTTP/1.1"];
  const fresh = lines.map((line) =>
    told(codec.borrow("request", DEFAULT_LIMITS), bytes(`${line}\r\n${fields}`))
  );
  for (let round = 0; round < 4; round++) {
    const parser = codec.borrow("request", DEFAULT_LIMITS);
    for (const [i, line] of lines.entries()) {
      assert.deepEqual(told(parser, bytes(`${line}\r\n${fields}`)), fresh[i]);
    }
  }
});

test("what is found can be given another meaning", () => {
  const memo = new PrefixMemo<FieldSection>();
  for (let i = 0; i < 3; i++) look(memo, FIELDS);
  const other = section(FIELDS);
  const all = bytes(FIELDS);
  assert.notEqual(memo.find(all, 0, all.length), null);
  memo.keep(all, 0, all.length, other);
  assert.equal(memo.find(all, 0, all.length), other);
});

test("an equal head is the same object, whatever follows it and however often it comes", () => {
  const head = "GET /whole HTTP/1.1\r\nHost: whole.example\r\nAccept: text/html, text/plain\r\n\r\n";
  const headOf = (after: string): Head | null => {
    const parser = codec.borrow("request", DEFAULT_LIMITS);
    parser.feed(bytes(head + after));
    assert.equal(parser.next(), "head");
    return parser.head;
  };
  // Something else may have to give up its place first.
  let known = headOf("");
  for (let tries = 0; headOf("") !== known; known = headOf("")) assert.ok(++tries < 20);
  for (const after of ["", "GET /next", head]) assert.equal(headOf(after), known);
  const parser = codec.borrow("request", DEFAULT_LIMITS);
  // Byte by byte nothing is recognised, and nothing is different.
  for (const byte of bytes(head)) {
    assert.equal(parser.next(), "more");
    parser.feed(Uint8Array.of(byte));
  }
  assert.equal(parser.next(), "head");
  assert.ok(parser.head !== null && known !== null && parser.head !== known);
  const { section, ...rest } = parser.head;
  const { section: knownSection, ...knownRest } = known;
  assert.deepEqual(rest, knownRest);
  assert.deepEqual([section.text, section.table], [knownSection.text, knownSection.table]);
  // Nor is it remembered how such a head is written, since nothing bounds it.
  assert.ok(section.memo === null && knownSection.memo !== null);
});

test("other limits do not take over what was accepted, and are recognised in their turn", () => {
  const message = bytes("GET /renewed HTTP/1.1\r\nHost: renewed.example\r\n\r\n");
  for (let i = 0; i < 4; i++) told(codec.borrow("request", DEFAULT_LIMITS), message);
  const strict = { ...DEFAULT_LIMITS, maxTargetBytes: 3 };
  for (let i = 0; i < 3; i++) {
    assert.equal(told(codec.borrow("request", strict), message), "target_too_long");
  }
  const generous = { ...DEFAULT_LIMITS, maxFields: 7 };
  const accepted = (): Head | null => {
    const parser = codec.borrow("request", generous);
    parser.feed(message.slice());
    assert.equal(parser.next(), "head");
    return parser.head;
  };
  let known = accepted();
  for (let tries = 0; accepted() !== known; known = accepted()) assert.ok(++tries < 20);
  assert.ok(known !== null && known.section.memo !== null);
});

test("a recognised response head leaves its body, and the next message, where they are", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: memo\r\n\r\n";
  for (let i = 0; i < 4; i++) {
    const parser = codec.borrow("response", DEFAULT_LIMITS);
    parser.feed(bytes(head + "bodyHTTP"));
    assert.equal(parser.next(), "head");
    parser.startBody("length", 4);
    assert.equal(parser.next(), "data");
    assert.equal(parser.dataFrom, head.length);
    assert.equal(parser.dataTo, head.length + 4);
    assert.equal(parser.dataRoom, head.length);
    assert.equal(parser.next(), "end");
    assert.equal(parser.unreadBytes, 4);
  }
});

test("limits hold for recognised sections, too", () => {
  const message = bytes("GET / HTTP/1.1\r\nHost: limits.example\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n");
  for (let i = 0; i < 4; i++) told(codec.borrow("request", DEFAULT_LIMITS), message);
  const few = codec.borrow("request", { ...DEFAULT_LIMITS, maxFields: 3 });
  assert.equal(told(few, message), "too_many_fields");
  const short = codec.borrow("request", { ...DEFAULT_LIMITS, maxHeadBytes: message.length - 1 });
  assert.equal(told(short, message), "head_too_large");
});

test("room in front of content is what has been understood, and never content that was handed out", () => {
  const parser = codec.borrow("response", DEFAULT_LIMITS);
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  parser.feed(bytes(head + "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"));
  assert.equal(parser.next(), "head");
  parser.startBody("chunked", -1);
  assert.equal(parser.next(), "data");
  assert.equal(parser.dataRoom, head.length + 3);
  assert.equal(parser.next(), "data");
  assert.equal(parser.dataRoom, 2 + 7);
  assert.equal(parser.next(), "end");
});

test("content that was kept inside leaves no room", () => {
  const parser = codec.borrow("response", DEFAULT_LIMITS);
  parser.feed(bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"));
  assert.equal(parser.next(), "head");
  parser.suspend();
  parser.startBody("length", 4);
  assert.equal(parser.next(), "data");
  assert.equal(parser.dataRoom, 0);
  parser.feed(bytes("cd"));
  assert.equal(parser.next(), "data");
  assert.equal(parser.dataRoom, 0);
});
