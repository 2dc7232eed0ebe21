/** Which route a request takes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { generousPath } from "../../../src/front/path_readings.ts";
import { type RouteMatch, Router } from "../../../src/front/router.ts";

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

test("paths with escapes are found by both readings of a request", () => {
  const routes = router("/", "/caf%C3%A9/", "/100%25", "/a%20b/c", "example.com/%E2%82%AC");
  for (
    const [path, expected] of [
      ["/caf%C3%A9", "/caf%C3%A9/"],
      ["/caf%C3%A9/x", "/caf%C3%A9/"],
      ["/caf%C3%A9x", "/"],
      ["/100%25/x", "/100%25"],
      ["/a%20b/c/d", "/a%20b/c"],
      ["/%E2%82%AC", "example.com/%E2%82%AC"],
    ] as const
  ) {
    assert.equal(found(routes, "example.com", path), expected, path);
    const generous = routes.findGenerous("example.com", generousPath(path) ?? "");
    assert.equal(generous, routes.find("example.com", path), path);
  }
  assert.equal(found(routes, "", "/100%"), "/", "not what the configuration says");
});
