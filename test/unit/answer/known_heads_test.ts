/** Heads that were checked once are not checked again: two sets of fields must never be taken for one another. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KnownHeads } from "../../../src/answer/known_heads.ts";
import { OwnAnswer } from "../../../src/answer/own_answer.ts";
import { ScriptError } from "../../../src/answer/script_error.ts";
import { Random } from "../../fuzz/support/random.ts";

/** What could make two sets look alike: separators, digits, line breaks, and parts of each other. */
const PARTS = [
  "A",
  "B",
  "a",
  ":",
  ": ",
  ",",
  "\r\n",
  "\n",
  "1",
  "11",
  "1,1:",
  "x",
  "",
  "t",
  "n",
  "content-length",
];

function madeUp(random: Random): Record<string, string> {
  const fields: Record<string, string> = {};
  const part = () => Array.from({ length: random.next(4) }, () => random.pick(PARTS)).join("");
  for (let count = random.next(4); count > 0; count--) fields[part()] = part();
  return fields;
}

test("known heads: a key stands for one set of fields", () => {
  const heads = new KnownHeads();
  const random = new Random(1);
  const sets = new Map<string, string>();
  for (let times = 0; times < 20_000; times++) {
    const fields = madeUp(random);
    const typed = random.once(2);
    const set = JSON.stringify([typed, Object.entries(fields)]);
    const key = heads.keyOf(fields, typed);
    assert.equal(sets.get(key) ?? set, set);
    sets.set(key, set);
  }
  assert.ok(sets.size > 5_000, String(sets.size));
  for (
    const none of [[["A", "b"]], new Map([["A", "b"]]), { A: ["b"] }, { A: 5 }, "A: b", {
      A: "b".repeat(2_000),
    }]
  ) {
    assert.equal(heads.keyOf(none, false), "");
  }
});

/** The text of the fields, or what is wrong. */
function outcome(
  headers: Record<string, string> | readonly (readonly [string, string])[],
  body: string,
): string {
  try {
    const { fields, announced } = OwnAnswer.of({ headers, body });
    return `${fields.text}${announced}`;
  } catch (error) {
    assert.ok(error instanceof ScriptError, String(error));
    return error.message;
  }
}

test("known heads: an answer is what it is without them, whatever came before", () => {
  const random = new Random(2);
  for (let times = 0; times < 20_000; times++) {
    const headers = madeUp(random);
    const body = random.pick(["", "x", "hello world"]);
    // Pairs are not kept.
    assert.equal(outcome(headers, body), outcome(Object.entries(headers), body), JSON.stringify(headers));
  }
});

test("known heads: a field that was refused is refused again, and a length is judged by each body", () => {
  for (let times = 0; times < 3; times++) {
    assert.throws(() => OwnAnswer.of({ headers: { "A": "x\r\nB: y" }, body: "" }), ScriptError);
    assert.equal(OwnAnswer.of({ headers: { "A": "x", "B": "y" }, body: "" }).fields.text, "A: x\r\nB: y\r\n");
    const headers = { "Content-Length": "5" };
    assert.equal(OwnAnswer.of({ headers, body: "hello" }).announced, 5);
    assert.throws(() => OwnAnswer.of({ headers, body: "hello world" }), /says 5, the body has 11 bytes/);
    assert.throws(
      () => OwnAnswer.of({ headers: { "Content-Length": "5", "content-length": "5" }, body: "hello" }),
      ScriptError,
    );
  }
});
