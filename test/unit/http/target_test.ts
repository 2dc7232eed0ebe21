import assert from "node:assert/strict";
import { test } from "node:test";
import {
  normalizedPath,
  parseAuthority,
  parseTarget,
  targetFault,
  targetForm,
} from "../../../src/http/target.ts";
import { Random } from "../../fuzz/support/random.ts";

test("forms of targets", () => {
  assert.equal(targetForm("GET", "/"), "origin");
  assert.equal(targetForm("GET", "http://a"), "absolute");
  assert.equal(targetForm("GET", "HTTPS://a"), "absolute");
  assert.equal(targetForm("CONNECT", "a:1"), "authority");
  assert.equal(targetForm("OPTIONS", "*"), "asterisk");
  for (const target of ["*", "a", "ftp://a", "http:a", "httpss://a", ""]) {
    assert.equal(targetForm("GET", target), null);
  }
});

test("absolute form is taken apart, byte for byte", () => {
  const cases: readonly (readonly [string, string, string, string, "http" | "https"])[] = [
    ["GET", "http://a", "/", "a", "http"],
    ["GET", "http://a/", "/", "a", "http"],
    ["GET", "http://A:80?b", "/?b", "A:80", "http"],
    ["GET", "https://[::1]/%2f/../?c=d?e", "/%2f/../?c=d?e", "[::1]", "https"],
    ["OPTIONS", "http://a", "*", "a", "http"],
    ["OPTIONS", "http://a/", "/", "a", "http"],
    ["OPTIONS", "http://a?b", "/?b", "a", "http"],
  ];
  for (const [method, target, path, authority, scheme] of cases) {
    assert.deepEqual(parseTarget(method, target), { form: "absolute", path, authority, scheme }, target);
  }
});

test("the other forms", () => {
  assert.deepEqual(parseTarget("GET", "/a?b"), {
    form: "origin",
    path: "/a?b",
    authority: null,
    scheme: null,
  });
  assert.deepEqual(parseTarget("GET", "//a/b"), {
    form: "origin",
    path: "//a/b",
    authority: null,
    scheme: null,
  });
  assert.deepEqual(parseTarget("OPTIONS", "*"), {
    form: "asterisk",
    path: "*",
    authority: null,
    scheme: null,
  });
  assert.deepEqual(parseTarget("CONNECT", "a:443"), {
    form: "authority",
    path: "",
    authority: "a:443",
    scheme: null,
  });
});

test("hosts and ports", () => {
  const cases: readonly (readonly [string, string, number | null])[] = [
    ["a", "a", null],
    ["A.Example:80", "a.example", 80],
    ["a:", "a", null],
    ["a:00080", "a", 80],
    ["[2001:DB8::1]", "2001:db8::1", null],
    ["[::1]:8080", "::1", 8080],
    ["[::ffff:1.2.3.4]:0", "::ffff:1.2.3.4", 0],
    ["1.2.3.4:65535", "1.2.3.4", 65535],
  ];
  for (const [text, host, port] of cases) assert.deepEqual(parseAuthority(text), { host, port }, text);
  for (
    const text of [
      "",
      ":1",
      "a:b",
      "a:65536",
      "a b",
      "u@a",
      "[::1",
      "[]",
      "[a]:1",
      "::1",
      "a/",
      "[::1]x",
      "a:1:2",
    ]
  ) {
    assert.equal(parseAuthority(text), null, text);
  }
});

test("IPv6 literals", () => {
  const good = [
    "::",
    "::1",
    "1::",
    "1:2:3:4:5:6:7:8",
    "1::8",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "::1.2.3.4",
    "1:2:3:4:5:6:1.2.3.4",
    "ABCD::ef01",
  ];
  const bad = [
    ":",
    ":::",
    "1",
    "1:2",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "12345::",
    "g::",
    "::1.2.3",
    "::1.2.3.256",
    "1:",
    ":1",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3.4:5",
    "::1%25a",
    "::-1",
    "1:2:3:4:5:6:7:8::",
    "::1.2.3.4.5",
  ];
  for (const literal of good) assert.notEqual(parseAuthority(`[${literal}]`), null, literal);
  for (const literal of bad) assert.equal(parseAuthority(`[${literal}]`), null, literal);
});

test("paths for choosing a route", () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/b?c=%2f..", "/a/b"],
    ["/?/../", "/"],
    ["/%61%2D%5f%7E", "/a-_~"],
    ["/%c3%a9", "/%C3%A9"],
    ["/a%20b", "/a%20b"],
    ["/a%3Fb", "/a%3Fb"],
    ["/a%25b", "/a%25b"],
    ["/a%252e%252e", "/a%252e%252e"],
    ["/.a/..b/...", "/.a/..b/..."],
    ["//a", "//a"],
    ["/a;b", "/a;b"],
    ["*", "*"],
    ["/..", null],
    ["/../a", null],
    ["/a/./b", null],
    ["/a/.", null],
    ["/%2e%2E/a", null],
    ["/.%2e/a", null],
    ["/..;/a", null],
    ["/..;x=y/a", null],
    ["/a%2fb", null],
    ["/a%5Cb", null],
    ["/a\\b", null],
    ["/a%00", null],
    ["/a%0d%0a", null],
    ["/a%7f", null],
    ["/a%", null],
    ["/a%4", null],
    ["/a%4g", null],
    ["/a%4\u0134", null],
    ["/%c0%af", null],
    ["/%c1%9c", null],
    ["/%e0%80%af", null],
    ["/%e0%9f%bf", null],
    ["/%f0%80%80%af", null],
    ["/%e0%a4%a8", "/%E0%A4%A8"],
    ["/%f0%9f%98%80", "/%F0%9F%98%80"],
  ];
  for (const [path, normal] of cases) assert.equal(normalizedPath(path), normal, path);
});

test("the normalised copy is normal", () => {
  for (const path of ["/%61", "/%c3%a9", "/a%20b"]) {
    const once = normalizedPath(path) ?? "";
    assert.equal(normalizedPath(once), once);
  }
});

test("what is wrong with a target is the same whether it is taken apart or not", () => {
  const random = new Random(7);
  const pieces = [
    "http://",
    "https://",
    "HTTP://",
    "http:/",
    "a",
    "A.b",
    ":80",
    ":",
    ":99999",
    "[::1]",
    "[::",
    "/",
    "?",
    "*",
    "@",
    "x",
  ];
  const faults = new Set<string>();
  for (let round = 0; round < 20_000; round++) {
    const method = random.pick(["GET", "OPTIONS", "CONNECT"]);
    let target = random.once(2) ? random.pick(pieces.slice(0, 3)) : "";
    for (let count = random.between(1, 4); count > 0; count--) target += random.pick(pieces);
    const parsed = parseTarget(method, target);
    const fault = targetFault(method, target);
    assert.equal(fault, "kind" in parsed ? parsed : null, `${method} ${target}`);
    faults.add(fault?.detail ?? "");
  }
  assert.equal(faults.size, 4, "none, and each of the three");
});
