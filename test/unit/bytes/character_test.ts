import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FIELD_VALUE,
  HEX_VALUE,
  HOST_NAME,
  TARGET,
  TOKEN,
  TOKEN_PLAIN,
  TOKEN_UNDERSCORE,
} from "../../../src/bytes/character.ts";

/** The characters whose entry is not `none`. */
function members(table: Uint8Array, none = 0): string {
  assert.equal(table.length, 256);
  return Array.from(table, (value, byte) => value === none ? "" : String.fromCharCode(byte)).join("");
}

const DIGITS = "0123456789";
const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER = UPPER.toLowerCase();

function sorted(text: string): string {
  return [...text].sort().join("");
}

test("tokens are those of RFC 9110 §5.6.2", () => {
  assert.equal(members(TOKEN), sorted("!#$%&'*+-.^_`|~" + DIGITS + UPPER + LOWER));
  assert.equal(TOKEN["_".charCodeAt(0)], TOKEN_UNDERSCORE);
  assert.equal(TOKEN["-".charCodeAt(0)], TOKEN_PLAIN);
});

test("field values hold HTAB, SP, visible characters and obs-text", () => {
  for (let byte = 0; byte < 256; byte++) {
    assert.equal(FIELD_VALUE[byte], byte === 9 || (byte >= 32 && byte !== 127) ? 1 : 0, `byte ${byte}`);
  }
});

test("targets hold visible ASCII without fragment and backslash", () => {
  const text = members(TARGET);
  assert.equal(text.length, 94 - 2);
  assert.ok(!text.includes("#") && !text.includes("\\") && !text.includes(" ") && !text.includes("\x80"));
});

test("hexadecimal digits in both cases", () => {
  assert.equal(members(HEX_VALUE, 255), sorted(DIGITS + "ABCDEFabcdef"));
  for (let value = 0; value < 16; value++) {
    assert.equal(HEX_VALUE[value.toString(16).charCodeAt(0)], value);
    assert.equal(HEX_VALUE[value.toString(16).toUpperCase().charCodeAt(0)], value);
  }
});

test("host names have no delimiter of anything in them", () => {
  for (const character of ',:/?#@[]\\ %"<>{}|^`\x00\x7f\x80') {
    assert.equal(HOST_NAME[character.charCodeAt(0)], 0);
  }
  for (const character of "aZ9-._~") assert.equal(HOST_NAME[character.charCodeAt(0)], 1);
});
