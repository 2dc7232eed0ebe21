/** Failures of the soak test: which are documented, and what is said of the others. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SoakAccount } from "../../../scripts/support/soak_account.ts";

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

function line(id: string, endMs: number, reason: string, detail = ""): string {
  const time = new Date(START + endMs - 100).toISOString();
  return JSON.stringify({
    time,
    target: `/get/${id}`,
    status: 0,
    reason,
    detail,
    wait_ms: 90,
    total_ms: 100,
  });
}

test("a cut is documented when it comes at the end of a drain time that somebody asked for", () => {
  const account = new SoakAccount(3000);
  account.note("/upgrade", {}, START, START + 200);
  account.note("/drain", { window_ms: 1000 }, START + 10_000, START + 10_100);
  account.note("/swap", { drain_ms: 500 }, START + 20_000, START + 20_100);
  account.note("/resume", {}, START + 30_000, START + 30_100);
  const log = [
    line("held", 3100, "shutting_down"),
    line("drained", 11_000, "connection_terminated", "the endpoint was drained"),
    line("swapped", 20_600, "connection_terminated", "the endpoint was drained"),
    line("early", 2900, "shutting_down"),
    line("late", 7000, "shutting_down"),
    line("other", 3100, "http_response_incomplete"),
    line("never", 30_600, "connection_terminated", "the endpoint was drained"),
    line("well", 3100, ""),
    "",
  ].join("\n");
  const ids = ["held", "drained", "swapped", "early", "late", "other", "never", "well", "lost"];
  const { documented, others } = account.judge(ids.map((id) => ({ id, message: "why" })), log);
  assert.deepEqual([...documented.values()], [1, 2]);
  assert.deepEqual(others.map((each) => each.split(":")[0]), [
    "early",
    "late",
    "other",
    "never",
    "well",
    "lost",
  ]);
  assert.match(
    others[2] ?? "",
    /^other: why \(logged with 0, http_response_incomplete; began .*, waited 90 of 100 ms\)$/,
  );
  assert.equal(others[5], "lost: why (not logged)");
});
