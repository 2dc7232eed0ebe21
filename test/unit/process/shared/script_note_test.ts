/** What a worker notes of its calls into scripts, and what is read of memory that may hold anything. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTE_BYTES, readNote, ScriptNote } from "../../../../src/process/shared/script_note.ts";
import { Random } from "../../../fuzz/support/random.ts";

test("the call that is under way can be read, and none before or after it", () => {
  const bytes = new Uint8Array(NOTE_BYTES);
  const note = new ScriptNote(bytes);
  assert.equal(readNote(bytes), "outside");
  for (const phase of ["onRequest", "onResponse", "onError", "onLog", "handler"] as const) {
    for (
      const [script, method, uri] of [["a.ts", "GET", "/x"], ["b/é.ts", "DELETE", ""], [
        "a.ts",
        "GET",
        "/a/longer?one",
      ]] as const
    ) {
      note.begin(script, phase, { method, uri });
      assert.deepEqual(readNote(bytes), { script, phase, method, uri });
      note.end();
      assert.equal(readNote(bytes), "outside");
    }
  }
});

test("what is too long is cut, between two characters, and touches nothing else", () => {
  const bytes = new Uint8Array(NOTE_BYTES);
  const note = new ScriptNote(bytes);
  note.begin("é".repeat(500), "onLog", { method: "M".repeat(100), uri: "/" + "ü".repeat(5000) });
  assert.deepEqual(readNote(bytes), {
    script: "é".repeat(104),
    phase: "onLog",
    method: "M".repeat(16),
    uri: "/" + "ü".repeat(123),
  });
  note.begin("a", "onLog", { method: "GET", uri: "/" });
  assert.deepEqual(readNote(bytes), { script: "a", phase: "onLog", method: "GET", uri: "/" });
});

test("bytes that are no note are none, or texts of bounded length", () => {
  const random = new Random(1);
  for (let turn = 0; turn < 5000; turn++) {
    const bytes = Uint8Array.from(
      { length: random.once(20) ? random.next(600) : NOTE_BYTES },
      () => random.next(256),
    );
    if (random.once(2)) bytes[0] = random.next(7);
    const call = readNote(bytes);
    if (call === null) continue;
    assert.equal(bytes.length, NOTE_BYTES);
    if (call === "outside") continue;
    assert.ok(call.script.length <= 208 && call.method.length <= 16 && call.uri.length <= 248);
  }
});
