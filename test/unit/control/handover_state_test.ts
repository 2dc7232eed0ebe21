/** What stands in no file, under a configuration with other names. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { stateUnder } from "../../../src/control/handover_state.ts";
import { LineageNames } from "../../../src/process/supervisor/lineage_names.ts";
import { configOf } from "../../support/supervisor_scene.ts";

function upstreamsOf(...lines: string[]) {
  const names = lines.map((line) => line.split(":")[0] ?? "");
  return configOf([
    "upstreams:",
    ...lines.map((line) => `  ${line}`),
    "routes:",
    ...names.map((name) => `  - { match: { path: /${name} }, to: ${name} }`),
  ].join("\n")).upstreams;
}

function pause(upstream: string, token: string, all = false) {
  return { upstream, token, owner: "operator", all, since: 1, leaseUntil: null } as const;
}

test("pauses, drained endpoints and swaps go along with their backends", () => {
  const before = upstreamsOf("app: [3000, 3001]", "gone: 3002");
  const after = upstreamsOf('web: ["https://127.0.0.1:3000", 3001]', "fresh: 3003");
  const names = new LineageNames(before, after);
  const [swapped] = before;
  assert.ok(swapped !== undefined);
  const swap = { upstream: "app", configured: [], instead: swapped.endpoints };
  const state = stateUnder(
    {
      swapped: [swap],
      paused: [pause("app", "1"), pause("gone", "2"), pause("app", "3", true), pause("gone", "3", true)],
      drained: [{ upstream: "app", endpoint: "127.0.0.1:3000" }],
    },
    before,
    after,
    names,
  );
  assert.deepEqual(state.swapped, [{ ...swap, upstream: "web" }]);
  assert.deepEqual(state.drained, [{ upstream: "web", endpoint: "https://127.0.0.1:3000" }]);
  assert.deepEqual(state.paused, [pause("web", "1"), pause("web", "3", true), pause("fresh", "3", true)]);
});

test("with the same names it is the same", () => {
  const both = upstreamsOf("app: [3000, 3001]");
  const state = {
    swapped: [],
    paused: [pause("app", "1")],
    drained: [{ upstream: "app", endpoint: "127.0.0.1:3001" }],
  };
  assert.deepEqual(stateUnder(state, both, both, new LineageNames(both, both)), state);
});
