/** Which route a request takes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type RouteMatch, Router } from "../../../src/gateway/router.ts";

function router(...texts: string[]): Router<RouteMatch> {
  return new Router(texts.map((text) => {
    const slash = text.indexOf("/");
    return { host: slash === 0 ? null : text.slice(0, slash), path: text.slice(slash) };
  }));
}

function found(routes: Router<RouteMatch>, host: string, path: string): string {
  const route = routes.find(host, path);
  return route === null ? "none" : (route.host ?? "") + route.path;
}

test("paths: the longest prefix of whole segments", () => {
  const routes = router("/", "/api", "/api/v2/", "/api/v2/users/list");
  for (
    const [path, expected] of [
      ["/", "/"],
      ["/x", "/"],
      ["/apix", "/"],
      ["/ap", "/"],
      ["/api", "/api"],
      ["/api/", "/api"],
      ["/api/v", "/api"],
      ["/api/v2", "/api/v2/"],
      ["/api/v2/", "/api/v2/"],
      ["/api/v2x", "/api"],
      ["/api/v2/users", "/api/v2/"],
      ["/api/v2/users/list", "/api/v2/users/list"],
      ["/api/v2/users/list/more/and/more", "/api/v2/users/list"],
      ["/api/v2/users/lists", "/api/v2/"],
      ["*", "/"],
    ] as const
  ) assert.equal(found(routes, "", path), expected, path);
});

test("hosts: exact before wildcard before any, the longest wildcard first", () => {
  const routes = router("/", "example.com/", "*.example.com/", "*.eu.example.com/", "a.eu.example.com/");
  for (
    const [host, expected] of [
      ["example.com", "example.com/"],
      ["www.example.com", "*.example.com/"],
      ["a.b.example.com", "*.example.com/"],
      ["b.eu.example.com", "*.eu.example.com/"],
      ["eu.example.com", "*.example.com/"],
      ["a.eu.example.com", "a.eu.example.com/"],
      ["x.a.eu.example.com", "*.eu.example.com/"],
      ["notexample.com", "/"],
      ["example.com.evil", "/"],
      ["com", "/"],
      ["", "/"],
    ] as const
  ) assert.equal(found(routes, host, "/p"), expected, host);
});

test("a host without a route for the path leaves it to the next less specific one", () => {
  const routes = router("a.example.com/only", "*.example.com/wild", "*.com/other", "/any");
  assert.equal(found(routes, "a.example.com", "/only/x"), "a.example.com/only");
  assert.equal(found(routes, "a.example.com", "/wild"), "*.example.com/wild");
  assert.equal(found(routes, "a.example.com", "/other"), "*.com/other");
  assert.equal(found(routes, "a.example.com", "/any"), "/any");
  assert.equal(found(routes, "a.example.com", "/none"), "none");
});

test("names that objects have by nature are only names", () => {
  const routes = router("/__proto__", "constructor/");
  assert.equal(found(routes, "", "/__proto__/x"), "/__proto__");
  assert.equal(found(routes, "constructor", "/"), "constructor/");
  assert.equal(found(routes, "__proto__", "/toString"), "none");
});

test("what is not asked for is not looked at", () => {
  const one = router("/");
  assert.deepEqual([one.usesHost, one.usesPath], [false, false]);
  assert.equal(found(one, "", "/any/thing?q"), "/");
  assert.deepEqual([router("a/").usesHost, router("a/").usesPath], [true, false]);
  assert.deepEqual([router("/a").usesHost, router("/a").usesPath], [false, true]);
  assert.equal(found(router(), "a", "/"), "none");
});

test("10,000 routes and a path of a thousand segments: as many look-ups as the longest prefix has segments", () => {
  const texts: string[] = [];
  for (let i = 0; i < 5000; i++) texts.push(`h${i}.example.com/a/b${i}/c`, `/p${i}/q`);
  const routes = router(...texts);
  const get = Map.prototype.get;
  let looks = 0;
  Map.prototype.get = function (key: unknown) {
    looks++;
    return get.call(this, key);
  };
  try {
    const deep = "/x".repeat(1000);
    assert.equal(found(routes, "h77.example.com", "/a/b77/c" + deep), "h77.example.com/a/b77/c");
    assert.equal(found(routes, "h78.example.com", "/p4999/q" + deep), "/p4999/q");
    assert.equal(found(routes, "h79.example.com", deep), "none");
  } finally {
    Map.prototype.get = get;
  }
  assert.ok(looks <= 30, `${looks} look-ups`);
});

test("paths with escapes are found however they are spelled", () => {
  const routes = router("/", "/caf%C3%A9/", "/100%25", "/a%20b/c", "example.com/%E2%82%AC", "/a|b", "/c%7Dd");
  for (
    const [path, expected] of [
      ["/caf%C3%A9", "/caf%C3%A9/"],
      ["/%63af%c3%a9/x", "/caf%C3%A9/"],
      ["/caf%C3%A9x", "/"],
      ["/100%25/x", "/100%25"],
      ["/a%20b/c/d", "/a%20b/c"],
      ["/%E2%82%AC", "example.com/%E2%82%AC"],
      ["/a|b/", "/a|b"],
      ["/a%7cb", "/a|b"],
      ["/c}d/x", "/c%7Dd"],
      ["/c%7Dd", "/c%7Dd"],
    ] as const
  ) {
    const route = routes.route("example.com", path);
    assert.ok(route !== null && route !== "ambiguous", path);
    assert.equal((route.host ?? "") + route.path, expected, path);
  }
  assert.equal(found(routes, "", "/100%"), "/", "not what the configuration says");
});

test("spelled in two ways that only some servers take for one: each has its own route", () => {
  const routes = router("/", "/a@b", "/a%40b");
  assert.equal(routes.route("", "/a@b/x"), routes.find("", "/a@b"));
  assert.equal(routes.route("", "/a%40b/x"), routes.find("", "/a%40b"));
  const one = router("/", "/a@b");
  assert.equal(one.route("", "/a@b"), one.find("", "/a@b"));
  assert.equal(one.route("", "/a%40b"), "ambiguous");
  assert.equal(router("/", "/a%40b").route("", "/a@b"), "ambiguous");
});

test("a path that visits too many prefixes is refused, and its cost is bounded", () => {
  const routes = router("/", ...Array.from({ length: 100 }, (_, i) => `/p${i}`));
  const target = Array.from({ length: 1000 }, (_, i) => `/p${i % 100}/..`).join("");
  assert.equal(routes.route("", target), "ambiguous");
});
