/** `System.tokens`: a process of our own makes tokens, or says why it cannot. Nothing here asks a key distribution centre. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { tokenSource } from "../../runtime/shared/token_process.ts";

const options = tokenSource() === null
  ? { skip: "System.tokens: Bun, where libgssapi_krb5 is installed" }
  : {};

test("without tickets there are words instead of tokens", options, async () => {
  const child = fileURLToPath(new URL("tokens_child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child], {
    timeout: 30_000,
    env: { ...process.env, KRB5_CONFIG: "/dev/null", KRB5CCNAME: "MEMORY:", KRB5_CLIENT_KTNAME: "/dev/null" },
  });
  const steps = JSON.parse(stdout) as { kind: string; words: string }[];
  assert.equal(steps.length, 3);
  for (const { kind, words } of steps) {
    assert.equal(kind, "failed");
    // deno-lint-ignore no-control-regex -- what must not be in words
    assert.match(words, /^[^\u0000-\u001f]{10,300}$/);
    assert.match(words, /credential|mechanism|name/i);
  }
});

test("only Bun can call the library", () => {
  if (!("Bun" in globalThis)) assert.equal(tokenSource(), null);
});
