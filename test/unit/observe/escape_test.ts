import assert from "node:assert/strict";
import { test } from "node:test";
import { hostToTell, targetToTell, withoutUserinfo } from "../../../src/observe/escape.ts";

test("a request target is told without userinfo, in each form", () => {
  const told: readonly (readonly [target: string, told: string])[] = [
    ["/path@home", "/path@home"],
    ["/?to=http://a:b@c/", "/?to=http://***@c/"],
    ["http://a:b@c/d@e", "http://***@c/d@e"],
    ["a:b@c:443", "***@c:443"],
    ["a:b@c@d:443", "***@d:443"],
    ["c:443", "c:443"],
    ["*", "*"],
  ];
  for (const [target, expected] of told) assert.equal(targetToTell(target), expected);
  assert.equal(hostToTell("a:b@c:80"), "***@c:80");
});

test("a target that is cut before the end of its userinfo shows nothing of it", () => {
  assert.equal(withoutUserinfo(`http://a:${"b".repeat(100)}@c/`, 30), "http://***@c/");
});
