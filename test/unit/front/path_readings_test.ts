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
      ["/public/%c0%ae%C0%AE/admin", "/admin"],
      ["/public/%e0%80%ae%E0%80%AE/admin", "/admin"],
      ["/public%c0%af..%e0%80%af%61dmin", "/admin"],
      ["/public/%f0%80%80%ae%F8%80%80%80%ae/%c1%a1dmin", "/admin"],
      ["/public/..%fc%80%80%80%80%af/admin", "/admin"],
      ["/public/..%c1%9c%C1%A1dmin", "/admin"],
      // Text that is not UTF-8 at all: EUC-KR and Latin-1.
      ["/%c0%cc/%c1gua/%fcber/%f8re", "/\xc0\xcc/\xc1gua/\xfcber/\xf8re"],
      ["/caf%c3%a9/%e2%82%ac", "/caf\xc3\xa9/\xe2\x82\xac"],
      ["/", "/"],
    ] as const
  ) {
    assert.equal(generousPath(path), expected, path);
  }
});

test("escaped control characters and broken escapes have no safe reading", () => {
  for (const path of ["/a%00b", "/a%0d%0ab", "/a%7f", "/a%c0%80b", "/a%e0%80%8ab", "/a%2", "/a%zz", "/%"]) {
    assert.equal(generousPath(path), null, path);
  }
});

test("the literal reading drops the query and spells escapes as configured paths do", () => {
  assert.equal(literalPath("/a%2fB/../c?d%61"), "/a%2FB/../c");
  assert.equal(literalPath("/%61%2d%5F%7e%20%c3%a9"), "/a-_~%20%C3%A9");
  assert.equal(literalPath("/a"), "/a");
});
