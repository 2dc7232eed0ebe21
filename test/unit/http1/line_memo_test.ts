/** What the memo finds is exactly what is there, and heads mean the same with and without it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { versionText } from "../../../src/http/head.ts";
import { LineMemo } from "../../../src/http1/line_memo.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { Http1Codec } from "../../../src/http1/http1_codec.ts";
import type { MessageParser } from "../../../src/http1/message_parser.ts";

const codec = new Http1Codec();

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** @returns the text of the line that was found, null when it was not, and has been offered */
function look(memo: LineMemo, text: string): string | null {
  const all = bytes(`.....${text}Host: a\r\n\r\n`);
  const found = memo.find(all, 5, text.length);
  if (found !== null) return found.text;
  const [method = "", target = ""] = text.split(" ");
  memo.offer(all, 5, text, method, target);
  return null;
}

const LINE = "GET /things/17?all=yes HTTP/1.1\r\n";

test("a line is kept when it is seen twice, and found from then on", () => {
  const memo = new LineMemo();
  assert.equal(look(memo, LINE), null);
  assert.equal(look(memo, LINE), null);
  assert.equal(look(memo, LINE), LINE);
  const found = memo.find(bytes(LINE), 0, LINE.length);
  assert.equal(found?.method, "GET");
  assert.equal(found?.target, "/things/17?all=yes");
});

test("one that differs anywhere is not found", () => {
  const memo = new LineMemo();
  for (let i = 0; i < 3; i++) look(memo, LINE);
  for (let at = 0; at < LINE.length; at++) {
    const other = bytes(LINE);
    other[at] = (other[at] as number) ^ 1;
    assert.equal(memo.find(other, 0, other.length), null, `byte ${at}`);
  }
  assert.equal(memo.find(bytes(`${LINE} `), 0, LINE.length + 1), null);
});

test("lines that come once do not drive out one that is repeated", () => {
  const memo = new LineMemo();
  for (let i = 0; i < 3; i++) look(memo, LINE);
  for (let i = 0; i < 2000; i++) {
    look(memo, LINE.replace("17", `${i + 100}`));
    assert.equal(look(memo, LINE), LINE);
  }
});

test("a new habit takes the place of an old one, wherever it falls", () => {
  const memo = new LineMemo();
  for (let i = 0; i < 2000; i++) {
    const line = LINE.replace("17", `${i}`);
    for (let times = 0; times < 2; times++) look(memo, line);
    assert.equal(look(memo, line), line);
  }
});

test("what is kept stays what it was when the bytes it came in are used again", () => {
  const memo = new LineMemo();
  const shared = Buffer.from(LINE, "latin1");
  for (let i = 0; i < 2; i++) {
    assert.equal(memo.find(shared, 0, LINE.length), null);
    memo.offer(shared, 0, LINE, "GET", "/things/17?all=yes");
  }
  shared.fill(0x20);
  assert.equal(memo.find(shared, 0, LINE.length), null);
  assert.equal(look(memo, LINE), LINE);
});

test("the shortest line there is, and ones too long to keep", () => {
  const memo = new LineMemo();
  const shortest = "A * HTTP/1.0\r\n";
  for (let i = 0; i < 2; i++) look(memo, shortest);
  assert.equal(look(memo, shortest), shortest);
  const longest = `GET /${"a".repeat(240)} HTTP/1.1\r\n`;
  for (
    const [line, kept] of [[longest.replace("a", ""), true], [longest.replace("a", "aa"), false]] as const
  ) {
    for (let i = 0; i < 2; i++) look(memo, line);
    assert.equal(look(memo, line), kept ? line : null);
  }
});

test("heads mean the same, whichever line came before and however often", () => {
  const lines = [
    "GET / HTTP/1.1",
    "GET / HTTP/1.0",
    "PUT / HTTP/1.1",
    "get / HTTP/1.1",
    "GET /a HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "GET http://b/a HTTP/1.1",
    "GET /\xe9 HTTP/1.1",
  ];
  for (let round = 0; round < 4; round++) {
    for (const line of lines) {
      const parser = codec.borrow("request", DEFAULT_LIMITS);
      const told = headOf(parser, `${line}\r\nHost: b\r\n\r\n`);
      const [method, target, version] = line.split(" ");
      if (line.includes("\xe9")) {
        assert.equal(told, "fault");
        continue;
      }
      assert.equal(told, `${method} ${target} ${version}`);
    }
  }
});

function headOf(parser: MessageParser, text: string): string {
  parser.feed(bytes(text));
  const result = parser.next();
  if (result !== "head" || parser.head === null) return String(result);
  const { head } = parser;
  return `${head.method} ${head.target} HTTP/${versionText(head.version)}`;
}
