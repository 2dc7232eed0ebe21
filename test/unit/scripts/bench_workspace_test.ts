import assert from "node:assert/strict";
import { test } from "node:test";
import { programEnvironment } from "../../../scripts/support/bench_workspace.ts";

test("programs that are measured keep to the folder: no other Sluice of the user meets them", () => {
  const given = { PATH: "/bin", SLUICE_VIA: "x", XDG_RUNTIME_DIR: "/run/user/1", TMPDIR: "/var/tmp" };
  assert.deepEqual(programEnvironment(given, "/bench", { A: "b" }), {
    PATH: "/bin",
    XDG_RUNTIME_DIR: "/bench",
    TMPDIR: "/bench",
    A: "b",
  });
});
