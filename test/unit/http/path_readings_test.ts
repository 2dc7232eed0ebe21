import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalPath, pathReadings } from "../../../src/http/path_readings.ts";

test("the canonical spelling: unreserved characters plain, what a path may not hold escaped", () => {
  assert.equal(canonicalPath("/a%2fB/../c%2f"), "/a%2FB/../c%2F");
  assert.equal(canonicalPath("/%61%2d%5F%7e%20%c3%a9"), "/a-_~%20%C3%A9");
  assert.equal(canonicalPath('/a|b/[x]/{y}^`<">'), "/a%7Cb/%5Bx%5D/%7By%7D%5E%60%3C%22%3E");
  assert.equal(canonicalPath("/a:@!$&'()*+,;="), "/a:@!$&'()*+,;=");
});

test("one reading of most paths", () => {
  for (
    const [path, expected] of [
      ["/", "/"],
      ["/a/b?c=/../%00", "/a/b"],
      ["/@scope%2fname", "/@scope%2Fname"],
      ["/%2e%2E/a", "/../a"],
      ["/caf%c3%a9/%e2%82%ac", "/caf%C3%A9/%E2%82%AC"],
      // Text that is not UTF-8 at all: EUC-KR and Latin-1.
      ["/%c0%cc/%c1gua/%fcber/%f8re", "/%C0%CC/%C1gua/%FCber/%F8re"],
      ["/100%25", "/100%25"],
      ["/100%25zz", "/100%25zz"],
    ] as const
  ) {
    assert.deepEqual(pathReadings(path), [expected], path);
  }
});

test("further readings: overlong UTF-8, escapes of escapes", () => {
  for (
    const [path, ...expected] of [
      ["/%c0%ae%C0%AE/x", "/../x"],
      ["/%e0%80%ae%E0%80%AE/x", "/../x"],
      ["/x%c0%af..%e0%80%af%61", "/x%2F..%2Fa"],
      ["/%f0%80%80%ae%F8%80%80%80%ae/%c1%a1", "/../a"],
      ["/..%fc%80%80%80%80%af", "/..%2F"],
      ["/..%c1%9c%C1%A1", "/..%5Ca"],
      ["/%c0.%c0%2e/x%c0%2fy%c1%5cz", "/../x%2Fy%5Cz"],
      ["/x%c0/y", "/x/y"],
      ["/%2561/%252f", "/a/%2F"],
      ["/%25%36%31", "/a"],
      ["/%25c0%25ae", "/%C0%AE", "/."],
      ["/%c0%a541", "/%2541", "/A"],
    ] as const
  ) {
    assert.deepEqual(pathReadings(path)?.slice(1), expected, path);
  }
});

test("escaped control characters and broken escapes have no safe reading", () => {
  for (const path of ["/a%00b", "/a%0d%0ab", "/a%7f", "/a%c0%80b", "/a%e0%80%8ab", "/a%2", "/a%zz", "/%"]) {
    assert.equal(pathReadings(path), null, path);
  }
});
