import assert from "node:assert/strict";
import { test } from "node:test";
import { generousPath, literalPath } from "../../../src/front/path_readings.ts";

test("the generous reading decodes, joins slashes and resolves dots", () => {
  for (
    const [path, expected] of [
      ["/a/b?c=/../x", "/a/b"],
      ["/@scope%2Fname", "/@scope/name"],
      ["/public/..%2Fadmin", "/admin"],
      ["/public/%2e%2E/admin", "/admin"],
      ["/public\\..\\admin", "/admin"],
      ["/public/..;x=1/admin", "/admin"],
      ["//a///b/", "/a/b"],
      ["/../../a", "/a"],
      ["/", "/"],
    ] as const
  ) {
    assert.equal(generousPath(path), expected, path);
  }
});

test("escaped control characters and broken escapes have no safe reading", () => {
  for (const path of ["/a%00b", "/a%0d%0ab", "/a%7f", "/a%2", "/a%zz", "/%"]) {
    assert.equal(generousPath(path), null, path);
  }
});

test("the literal reading drops the query and spells escapes as configured paths do", () => {
  assert.equal(literalPath("/a%2fB/../c?d%61"), "/a%2FB/../c");
  assert.equal(literalPath("/%61%2d%5F%7e%20%c3%a9"), "/a-_~%20%C3%A9");
  assert.equal(literalPath("/a"), "/a");
});
