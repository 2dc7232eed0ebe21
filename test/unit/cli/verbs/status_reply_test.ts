import assert from "node:assert/strict";
import { test } from "node:test";
import { topSample } from "../../../../src/cli/top/rows.ts";
import { statusOf } from "../../../../src/cli/verbs/status_reply.ts";
import { endpointStatus, sampleStatus, upstreamStatus } from "../../../support/sample_status.ts";

test("the status of the version before is understood, and `top` tells both words of it", () => {
  const states = ["up", "away", "trial", "drained"];
  const endpoints = states.map((state, at) => ({ ...endpointStatus(`e${at}`), state }));
  const reply = { ...sampleStatus(), upstreams: [{ ...upstreamStatus("app"), state: "away", endpoints }] };
  const status = statusOf(reply);
  const [upstream] = topSample(null, status).upstreams;
  assert.deepEqual([upstream?.state, upstream?.state_alias], ["down", "away"]);
  assert.deepEqual(upstream?.endpoints.map(({ state, state_alias: alias }) => [state, alias]), [
    ["up", undefined],
    ["down", "away"],
    ["probing", "trial"],
    ["drained", undefined],
  ]);
});
