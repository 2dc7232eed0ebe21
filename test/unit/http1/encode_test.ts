import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeChunkHead, keptFields, LAST_CHUNK, MAX_CHUNK_HEAD_BYTES } from "../../../src/http1/encode.ts";
import { isToken } from "../../../src/bytes/text.ts";
import { Field, isMasked, maskOf } from "../../../src/http/field.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { bytesOf, textOf } from "../../vectors/replay.ts";
import { requestHead } from "./support.ts";

test("everything is kept, in order and spelling", () => {
  const head = requestHead("GET / HTTP/1.1", "HOST: a", "x-B: 1", "X-b: 2");
  assert.equal(keptFields(head.section, 0, null), "HOST: a\r\nx-B: 1\r\nX-b: 2\r\n");
});

test("no fields, no lines", () => {
  assert.equal(keptFields(requestHead("GET / HTTP/1.0").section, -1, new Set(["a"])), "");
});

test("known fields are dropped by mask, wherever they stand", () => {
  const fields = ["Host: a", "A: 1", "Connection: x", "B: 2", "TE: trailers", "Via: 1.1 a"];
  const head = requestHead("GET / HTTP/1.1", ...fields);
  assert.equal(
    keptFields(head.section, maskOf(Field.host), null),
    "A: 1\r\nConnection: x\r\nB: 2\r\nTE: trailers\r\nVia: 1.1 a\r\n",
  );
  assert.equal(
    keptFields(head.section, maskOf(Field.via), null),
    "Host: a\r\nA: 1\r\nConnection: x\r\nB: 2\r\nTE: trailers\r\n",
  );
  assert.equal(
    keptFields(head.section, maskOf(Field.connection, Field.te), null),
    "Host: a\r\nA: 1\r\nB: 2\r\nVia: 1.1 a\r\n",
  );
  assert.equal(keptFields(head.section, -1, null), "A: 1\r\nB: 2\r\n");
  assert.equal(
    keptFields(head.section, 1, null),
    fields.map((field) => field + "\r\n").join(""),
    "bit 0 has no effect",
  );
});

test("a mask drops no field whose id is beyond masks", () => {
  const head = requestHead("GET / HTTP/1.1", "User-Agent: a", "Transfer-Encoding: chunked", "Cookie: b");
  assert.equal(keptFields(head.section, -1, null), "User-Agent: a\r\nCookie: b\r\n");
});

test("fields are dropped by name, in any case", () => {
  const head = requestHead(
    "GET / HTTP/1.1",
    "X-Secret: 1",
    "A: 2",
    "x-secret: 3",
    "X-Secrets: 4",
    "X_Y: 5",
    "Via: 6",
  );
  assert.equal(keptFields(head.section, 0, new Set(["x-secret", "x_y", "via"])), "A: 2\r\nX-Secrets: 4\r\n");
});

test("lines with unusual whitespace are written anew", () => {
  const head = requestHead("GET / HTTP/1.1", "A:1", "B: 2", "C:  3", "D: 4 ", "E:\t5", "F:", "G: ", "H: 8");
  assert.equal(
    keptFields(head.section, 0, null),
    "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: \r\nG: \r\nH: 8\r\n",
  );
});

/** Deterministic and good enough to vary a few choices. */
function makeRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

test("what is kept, parsed again, is the same fields", () => {
  const random = makeRandom(1);
  const names = ["Host", "a", "X-Y", "Connection", "te", "X_Z", "Content-Length", "X-Forwarded-For", "!#$"];
  const spaces = ["", " ", "  ", "\t", " \t "];
  const values = ["", "v", "a b", "\xe9\xff", "a:b", '"q"', "x".repeat(50)];
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
  for (let round = 0; round < 2000; round++) {
    const lines = Array.from(
      { length: random(8) },
      () => `${pick(names)}:${pick(spaces)}${pick(values)}${pick(spaces)}`,
    );
    const head = requestHead("GET / HTTP/1.1", ...lines);
    const mask = random(2) === 0 ? 0 : 1 << random(31);
    const dropNames = random(2) === 0 ? null : new Set(["a", "x_z"]);
    const again = requestHead(
      "GET / HTTP/1.1",
      ...keptFields(head.section, mask, dropNames).split("\r\n").slice(0, -1),
    );
    const expected: string[] = [];
    for (let i = 0; i < head.count; i++) {
      const dropped = isMasked(head.id(i), mask) ||
        dropNames?.has(head.name(i).toLowerCase()) === true;
      if (!dropped) expected.push(`${head.name(i)}: ${head.value(i)}`);
    }
    const actual = Array.from({ length: again.count }, (_, i) => `${again.name(i)}: ${again.value(i)}`);
    assert.deepEqual(actual, expected);
  }
});

test("tokens", () => {
  for (const token of ["a", "A-b_c", "!#$%&'*+-.^_`|~"]) assert.ok(isToken(token), token);
  for (const token of ["", "a b", "a:", "\xe9", "\u0141", "a\r"]) {
    assert.ok(!isToken(token), JSON.stringify(token));
  }
});

test("chunk heads", () => {
  for (
    const size of [
      1,
      9,
      10,
      15,
      16,
      255,
      256,
      4096,
      65_535,
      65_536,
      0xffff_ffff,
      2 ** 32,
      2 ** 52 - 1,
      Number.MAX_SAFE_INTEGER,
    ]
  ) {
    const out = new Uint8Array(MAX_CHUNK_HEAD_BYTES + 4).fill(0x11);
    const written = encodeChunkHead(size, out, 2);
    assert.equal(textOf(out, 2, 2 + written), size.toString(16) + "\r\n");
    assert.ok(written <= MAX_CHUNK_HEAD_BYTES);
    assert.deepEqual([out[1], out[2 + written]], [0x11, 0x11]);
  }
});

test("chunks that are encoded are decoded again", () => {
  const sizes = [1, 15, 16, 17, 300, 4096];
  const parser = new MessageParser("response", DEFAULT_LIMITS);
  parser.feed(bytesOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  parser.next();
  parser.startBody("chunked", -1);
  const out = new Uint8Array(MAX_CHUNK_HEAD_BYTES);
  for (const size of sizes) {
    parser.feed(bytesOf(textOf(out, 0, encodeChunkHead(size, out, 0)) + "x".repeat(size) + "\r\n"));
    assert.equal(parser.next(), "data");
    assert.equal(parser.dataTo - parser.dataFrom, size);
    assert.equal(parser.next(), "more");
  }
  parser.feed(LAST_CHUNK);
  assert.equal(parser.next(), "end");
  assert.equal(textOf(LAST_CHUNK, 0, LAST_CHUNK.length), "0\r\n\r\n");
});
