/** Words of the version before: told beside those of today, understood where they are read, and gone in time. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  currentLogEvent,
  currentState,
  FORMER_WORDS_END,
  formerState,
  stateFields,
} from "../../../src/observe/former_words.ts";

test("former words: a state has the former one beside it where there was another", () => {
  assert.deepEqual(stateFields("down"), { state: "down", state_alias: "away" });
  assert.deepEqual(stateFields("probing"), { state: "probing", state_alias: "trial" });
  for (const state of ["up", "paused", "draining", "drained", "unhealthy"]) {
    assert.deepEqual(stateFields(state), { state });
    assert.equal(formerState(state), state);
  }
});

test("former words: both are understood", () => {
  for (
    const [word, state] of [["away", "down"], ["trial", "probing"], ["down", "down"], ["up", "up"]] as const
  ) {
    assert.equal(currentState(word), state);
  }
  assert.equal(currentLogEvent("endpoint_away"), "endpoint_down");
  assert.equal(currentLogEvent("endpoint_back"), "endpoint_up");
  assert.equal(currentLogEvent("endpoint_up"), "endpoint_up");
  assert.equal(currentLogEvent("held"), "held");
});

test("former words: they are gone in the version that is to be without them", () => {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  const parts = (each: string) => each.split(".").map(Number);
  const [major = 0, minor = 0] = parts(version);
  const [endMajor = 0, endMinor = 0] = parts(FORMER_WORDS_END);
  assert.ok(
    major < endMajor || (major === endMajor && minor < endMinor),
    `${version}: remove former_words.ts`,
  );
});
