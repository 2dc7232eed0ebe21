import assert from "node:assert/strict";
import { test } from "node:test";
import { ExitWithBackend } from "../../../src/backend/exit_with_backend.ts";

const exited = (code: number) => ({ code, signal: "", failure: "" });

test("exit_with_child: the first command that ends by itself gives the code", async () => {
  const exit = new ExitWithBackend(true);
  assert.equal(exit.code, 0);
  assert.equal(exit.endedByItself("api", exited(3), "exit code 3"), true);
  assert.equal(exit.endedByItself("web", exited(4), "exit code 4"), true);
  exit.stoppedWithSluice(exited(5), "SIGTERM");
  assert.match(await exit.ended, /^the command of api /);
  assert.equal(exit.code, 3);
});

test("exit_with_child: a command that was told to stop is well when it obeyed", () => {
  const exit = new ExitWithBackend(true);
  exit.stoppedWithSluice({ code: null, signal: "SIGTERM", failure: "" }, "SIGTERM");
  assert.equal(exit.code, 0);
  exit.stoppedWithSluice(exited(5), "SIGTERM");
  exit.stoppedWithSluice(exited(0), "SIGTERM");
  assert.equal(exit.code, 5);
});

test("exit_with_child off: Sluice goes on, and its code is 0", () => {
  const exit = new ExitWithBackend(false);
  assert.equal(exit.endedByItself("api", exited(3), "exit code 3"), false);
  exit.stoppedWithSluice(exited(5), "SIGTERM");
  assert.equal(exit.code, 0);
});
