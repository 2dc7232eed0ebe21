import assert from "node:assert/strict";
import { test } from "node:test";
import {
  contentLengthOf,
  LENGTH_ABSENT,
  LENGTH_MALFORMED,
  LENGTH_TOO_LARGE,
} from "../../../src/http/content_length.ts";
import { fieldSection } from "../../../src/http/own_fields.ts";

function lengthOf(value: string): number {
  return contentLengthOf(`<${value}>`, 1, value.length + 1);
}

test("a length is digits, as many as 64 bits need, and no more than a number holds exactly", () => {
  assert.equal(lengthOf("0"), 0);
  assert.equal(lengthOf("17"), 17);
  assert.equal(lengthOf("00000000000000000017"), 17);
  assert.equal(lengthOf("9007199254740991"), Number.MAX_SAFE_INTEGER);
  assert.equal(lengthOf("9007199254740992"), LENGTH_TOO_LARGE);
  assert.equal(lengthOf("000000000000000000017"), LENGTH_TOO_LARGE);
  for (const value of ["", "-1", "+1", "1 ", "0x1", "1.0", "1,1", "a"]) {
    assert.equal(lengthOf(value), LENGTH_MALFORMED, value);
  }
});

test("a section has its length without the zeros that pad it", () => {
  for (
    const [value, canonical] of [["0", "0"], ["000", "0"], ["007", "7"], ["0x7", "0x7"], ["00", "0"]] as const
  ) {
    assert.equal(fieldSection(["A", "007"], ["Content-Length", value]).value(1), canonical);
  }
  assert.equal(fieldSection(["A", "007"]).contentLength, LENGTH_ABSENT);
  assert.equal(fieldSection(["Content-Length", "8"]).contentLength, 8);
});
