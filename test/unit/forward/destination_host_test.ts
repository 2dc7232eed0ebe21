import assert from "node:assert/strict";
import { test } from "node:test";
import { readHost } from "../../../src/forward/destination_host.ts";

test("letters of other alphabets are none, whatever their lower case is", () => {
  for (
    const text of [
      "\u212aelvin",
      "k\u212a",
      "\u0130",
      "stra\u00dfe",
      "\u017fo",
      "a\uff0eb",
      "\ud83d\ude00",
      "a b",
      "a\n",
    ]
  ) {
    assert.equal(readHost(text), "character", JSON.stringify(text));
  }
  assert.deepEqual(readHost("KELVIN.Example."), { key: "kelvin.example", isLiteral: false });
});

test("what may be a number is an address of four decimal numbers, or nothing", () => {
  assert.deepEqual(readHost("10.0.0.1"), { key: "10.0.0.1", isLiteral: true });
  for (
    const text of [
      "1",
      "127.1",
      "0x7f.1",
      "0X7F.0X1",
      "0x",
      "1.2.3.4.",
      "01.2.3.4",
      "256.1.1.1",
      "a.1",
      "a.b.1",
      "a.0x",
      "a.0xff.",
    ]
  ) {
    assert.equal(readHost(text), "number", text);
  }
  for (const text of ["1.a", "1a", "0y", "0x.a", "a.1b", "4.3.2.1.in-addr.arpa", "0xg"]) {
    assert.deepEqual(readHost(text), { key: text, isLiteral: false });
  }
  for (const text of [".", "..", "1..", "a..b", ".a"]) assert.equal(readHost(text), "label", text);
});
