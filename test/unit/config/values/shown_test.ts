import assert from "node:assert/strict";
import { test } from "node:test";
import { maskUserinfo, quoted, quoteIfOdd, shown } from "../../../../src/config/values/shown.ts";

test("values in messages are short, on one line, and printable", () => {
  assert.equal(shown("abc"), "abc");
  assert.equal(shown("a b"), '"a b"');
  assert.equal(shown('a"b'), '"a\\"b"');
  assert.equal(shown("a\nb\u001b[2Jé\u202e\u0085"), '"a\\nb\\u001b[2J\\u00e9\\u202e\\u0085"');
  assert.equal(shown(""), "nothing");
  assert.equal(shown(null), "nothing");
  assert.equal(shown([1]), "a list");
  assert.equal(shown({}), "a mapping");
  assert.equal(shown(3), "a number");
  assert.equal(shown("x".repeat(1000)).length, 83);
  assert.equal(quoted("\ud800"), '"\\ud800"');
});

test("passwords are not shown, in whatever malformed address they stand", () => {
  for (
    const text of [
      "http://user:secret@host",
      "http://user:sec/ret@host:80/",
      "http://user:sec@ret@host",
      "user:secret@host:80",
      "https://user:secret@host/a@b",
      `http://user:${"secret".repeat(50)}@host`,
      "http://a:secret@h,http://b:secret@h",
      "\u0000http://user:secret@host",
    ]
  ) {
    assert.ok(!quoteIfOdd(text).includes("secret"), quoteIfOdd(text));
  }
});

test("userinfo of URLs", () => {
  assert.equal(maskUserinfo("http://u:p@host/x"), "http://***@host/x");
  assert.equal(maskUserinfo("/x?to=http://u:p@host/"), "/x?to=http://***@host/");
  assert.equal(maskUserinfo("http://host/a@b"), "http://host/a@b");
  assert.equal(maskUserinfo("/a@b"), "/a@b");
  assert.equal(maskUserinfo("http://u@p@host/"), "http://***@host/");
  assert.equal(maskUserinfo("://".repeat(10_000) + "@"), "://".repeat(9_999) + "://***@");
});
