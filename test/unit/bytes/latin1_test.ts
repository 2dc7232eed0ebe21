import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeLatin1, encodeLatin1 } from "../../../src/bytes/latin1.ts";

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const EVERY_CHARACTER = String.fromCharCode(...EVERY_BYTE);

test("every byte is the character of its number, both ways", () => {
  assert.equal(decodeLatin1(EVERY_BYTE, 0, 256), EVERY_CHARACTER);
  const out = new Uint8Array(256);
  assert.equal(encodeLatin1(EVERY_CHARACTER, out, 0), 256);
  assert.deepEqual(out, EVERY_BYTE);
});

test("a part is decoded, also of a view into a larger buffer", () => {
  const view = EVERY_BYTE.subarray(0x40, 0x50);
  assert.equal(decodeLatin1(view, 1, 4), "ABC");
  assert.equal(decodeLatin1(view, 2, 2), "");
});

test("nothing outside the written range is touched", () => {
  for (const text of ["", "a", "abc", "\xe9", "a\xff\x80b", "x".repeat(100) + "\xa0"]) {
    const out = new Uint8Array(text.length + 8).fill(0x11);
    assert.equal(encodeLatin1(text, out, 4), text.length);
    assert.equal(decodeLatin1(out, 4, 4 + text.length), text);
    assert.deepEqual([...out.subarray(0, 4), ...out.subarray(4 + text.length)], Array(8).fill(0x11));
  }
});

test("text built by concatenation is encoded like any other", () => {
  let text = "";
  for (let i = 0; i < 50; i++) text += "Name: " + i + "\r\n";
  const out = new Uint8Array(text.length);
  encodeLatin1(text, out, 0);
  assert.equal(decodeLatin1(out, 0, out.length), text);
});
