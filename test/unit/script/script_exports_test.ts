import assert from "node:assert/strict";
import { test } from "node:test";
import { scriptApi } from "../../../src/script/script_api.ts";
import { SCRIPT_EXPORTS } from "../../../src/script/script_exports.ts";

test("what is known of the names that scripts import is what they get", () => {
  const never = () => Promise.reject(new Error("is not called"));
  const api = scriptApi({
    requests: null,
    worker: { index: 0, count: 1 },
    setUpstream: never,
    watchFile: never,
    log: () => {},
  });
  assert.deepEqual(SCRIPT_EXPORTS["sluice"]?.toSorted(), Object.keys(api).toSorted());
});
