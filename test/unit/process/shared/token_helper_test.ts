import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenStep } from "../../../../runtime/contract/contract.ts";
import { helperTokens } from "../../../../src/process/shared/token_helper.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { MemoryCommand } from "../../../support/memory_command.ts";

/** A context whose helper a test plays. */
function begin(command: readonly [string, ...string[]] = ["helper", "--host={host}"]) {
  const clock = new FakeClock();
  let child: MemoryCommand | null = null;
  const source = helperTokens(
    { spawn: (options, events) => (child = new MemoryCommand(7, options, events)) },
    clock,
    command,
  );
  const context = source.begin("HTTP@wiki.example");
  return { clock, context, child: child as unknown as MemoryCommand };
}

test("the lines of ntlm_auth", async () => {
  const { context, child } = begin();
  assert.deepEqual(child.options.command, ["helper", "--host=wiki.example"]);
  const first = context.step("");
  assert.equal(child.input, "YR\n");
  child.print("YR TlRM");
  child.print("TVNT\n");
  assert.deepEqual(await first, { kind: "token", token: "TlRMTVNT" });
  const second = context.step("QUJD");
  assert.equal(child.input, "YR\nTT QUJD\n");
  child.print("AF REVG\r\n");
  assert.deepEqual(await second, { kind: "token", token: "REVG" });
  context.end();
  context.end();
  assert.deepEqual(child.signals[0], "SIGKILL");
});

test("what is no token is a failure, in words", async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["BH no ticket\n", /helper says no ticket$/],
    ["NA\n", /says that it failed$/],
    ["YR\n", /prints what is no token$/],
    ["YR a b\n", /prints what is no token$/],
    ["YR \u0001\n", /prints what is no token$/],
    ["x".repeat(70_000), /prints a line that is too long$/],
  ];
  for (const [line, words] of cases) {
    const { context, child } = begin();
    const step = context.step("");
    child.print(line);
    const said = await step;
    assert.equal(said.kind, "failed", line.slice(0, 20));
    assert.match((said as TokenStep & { kind: "failed" }).words, words);
  }
});

test("a helper that ends, is not there, or does not answer", async () => {
  const ended = begin();
  const step = ended.context.step("");
  ended.child.end({ code: 1 });
  assert.deepEqual(await step, { kind: "failed", words: "the helper helper has ended" });
  assert.deepEqual(await ended.context.step(""), { kind: "failed", words: "the helper helper has ended" });
  const missing = begin();
  missing.child.end({ failure: "there is no program helper in PATH" });
  assert.match(JSON.stringify(await missing.context.step("")), /there is no program helper in PATH/);
  const silent = begin();
  const waits = silent.context.step("");
  silent.clock.advance(20_000);
  assert.deepEqual(await waits, { kind: "failed", words: "the helper helper does not answer" });
  assert.deepEqual(silent.child.signals, ["SIGKILL"]);
});
