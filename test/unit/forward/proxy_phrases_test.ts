import assert from "node:assert/strict";
import { test } from "node:test";
import { DESTINATION_FAILURES, proxyPhrase } from "../../../src/forward/proxy_phrases.ts";
import { TARGET_REFUSALS } from "../../../src/forward/forward_target.ts";

test("phrases say what and why", () => {
  assert.equal(proxyPhrase(403, "port 25 not allowed"), "Forbidden (sluice: port 25 not allowed)");
  assert.equal(proxyPhrase(599, "odd"), "(sluice: odd)");
  assert.equal(
    proxyPhrase(407, "a user name and a password are needed"),
    "Proxy Authentication Required (sluice: a user name and a password are needed)",
  );
});

test("phrases are at most 80 printable characters, whatever they are made of", () => {
  const phrase = proxyPhrase(403, `${"x".repeat(100)}`);
  assert.equal(phrase.length, 80);
  assert.ok(phrase.endsWith("xxx...)"));
  assert.equal(proxyPhrase(403, "a\r\nX: y\u0000\u00fc\t"), "Forbidden (sluice: a??X: y???)");
  for (
    const { status, words } of [...Object.values(DESTINATION_FAILURES), ...Object.values(TARGET_REFUSALS)]
  ) {
    const text = proxyPhrase(status, words);
    assert.match(text, /^[\x20-\x7e]{1,80}$/);
    assert.ok(text.includes(words), text);
  }
});
