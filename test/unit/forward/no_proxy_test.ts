import assert from "node:assert/strict";
import { test } from "node:test";
import { NoProxy } from "../../../src/forward/no_proxy.ts";

test("destinations without a proxy", () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["", [], ["localhost", "127.0.0.1"]],
    [" , ,", [], ["localhost"]],
    ["*", ["localhost", "127.0.0.1", "a.b"], []],
    ["a,*", ["b"], []],
    ["example.com", ["example.com", "www.example.com", "a.b.example.com"], [
      "notexample.com",
      "example.org",
      "com",
    ]],
    ["Example.COM.", ["example.com", "www.example.com"], ["example.org"]],
    [".example.com", ["www.example.com"], ["example.com", "notexample.com"]],
    ["*.example.com", ["www.example.com"], ["example.com"]],
    ["localhost", ["localhost", "a.localhost"], ["127.0.0.1", "::1"]],
    ["a, b c\td", ["a", "b", "c", "d", "x.a"], ["e"]],
    ["127.0.0.1", ["127.0.0.1"], ["127.0.0.2", "localhost"]],
    ["10.0.0.0/8", ["10.1.2.3"], ["11.0.0.1", "example.com"]],
    ["::1", ["::1"], ["::2"]],
    ["[::1]", ["::1"], ["::2"]],
    ["2001:db8::/32", ["2001:db8::1"], ["2001:db9::1"]],
    ["::ffff:10.0.0.0/104", ["10.0.0.1"], ["11.0.0.1"]],
    ["example.com:8080", [], ["example.com"]],
    ["example.com:443", ["example.com", "www.example.com"], ["example.org"]],
    [".example.com:443", ["www.example.com"], ["example.com"]],
    ["10.0.0.1:443", ["10.0.0.1"], ["10.0.0.2"]],
    ["10.0.0.0/8:443", ["10.0.0.1"], ["11.0.0.1"]],
    ["10.0.0.0/8:80", [], ["10.0.0.1"]],
    ["[2001:db8::1]:443", ["2001:db8::1"], ["2001:db8::2"]],
    ["[2001:db8::1]:80", [], ["2001:db8::1"]],
  ];
  for (const [text, yes, no] of cases) {
    const list = new NoProxy(text);
    for (const host of yes) assert.ok(list.has(host, 443), `${text}: ${host}`);
    for (const host of no) assert.ok(!list.has(host, 443), `${text}: not ${host}`);
    assert.deepEqual(list.ignored, [], text);
  }
});

test("what is not understood is left out, and told", () => {
  const list = new NoProxy("good.example, http://x/, 127.1, a:b, *x, ., 10.0.0.0/99");
  assert.ok(list.has("good.example", 80));
  assert.deepEqual(list.ignored, ["http://x/", "127.1", "a:b", "*x", ".", "10.0.0.0/99"]);
});
