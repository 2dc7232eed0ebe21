/**
 * Invariant: whatever is forwarded leads to the same route for everybody who reads its path. Paths are made at random
 * from a seed, and judged by readers that are written without a look at the router.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type RouteMatch, Router } from "../../../src/gateway/router.ts";
import { Random } from "../../fuzz/support/random.ts";
import { PATH_READERS } from "../../support/path_readers.ts";

const ROUTE_TABLES: readonly (readonly RouteMatch[])[] = [
  ["/", "/admin"],
  ["/", "/admin/", "/admin/public", "/api/v1", "/api/v2/"],
  ["/admin/secret", "/a/b/c"],
  ["/", "/caf%C3%A9/x", "/@fs", "/a%20b/c", "/x|y", "/p=1", "/q%3A"],
].map((paths) => paths.map((path) => ({ host: null, path })));

const WITH_HOSTS: readonly RouteMatch[] = [
  { host: null, path: "/" },
  { host: "a.example", path: "/admin" },
  { host: "*.example", path: "/api/v1" },
  { host: "b.example", path: "/" },
  { host: null, path: "/admin/public" },
];

const PIECES: readonly string[] = [
  ...["/", "/", "/", "//", "/./", "/../", "/..", "/.", ".", "..", "%2e", "%2E%2e", ".%2e", "..."],
  ...[
    "%2f",
    "%2F",
    "%5c",
    "%5C",
    "..%2f",
    "%2f..",
    "%5c..",
    ";",
    ";x=1",
    ";/",
    "..;",
    "..;x",
    "%3b",
    "%3bx",
    ";x%2f",
  ],
  ...[
    "%c0%ae",
    "%c0%ae%c0%ae",
    "%c0%af",
    "%c1%9c",
    "%e0%80%ae",
    "%e0%80%af",
    "%f0%80%80%ae",
    "%c1%a1",
    "%c0%2f",
  ],
  ...[
    "%252f",
    "%252e%252e",
    "%2561",
    "%25%32%66",
    "%255c",
    "%25c0%25ae",
    "%c0%a52f",
    "%25",
    "%3f",
    "%23",
    "?x=/../",
  ],
  ...[
    "admin",
    "admin",
    "%61dmin",
    "adm%69n",
    "ADMIN",
    "secret",
    "public",
    "api",
    "v1",
    "v2",
    "a",
    "b",
    "c",
    "x",
  ],
  ...[
    "caf%C3%A9",
    "caf%c3%a9",
    "@fs",
    "%40fs",
    "a%20b",
    "x|y",
    "x%7Cy",
    "p=1",
    "p%3D1",
    "%C0%CC",
    "host",
    ":80",
  ],
];

function randomTarget(random: Random): string {
  let target = "/";
  for (let i = 1 + random.next(9); i > 0; i--) {
    target += random.pick(PIECES);
    if (random.next(2) === 0) target += "/";
  }
  return target;
}

/** Which route has a path whose segments are decoded: the longest prefix, the slow way. */
function judged(routes: readonly RouteMatch[], host: string, path: string): RouteMatch | null {
  const segments = path.split("/").slice(1);
  const hosts: readonly (readonly RouteMatch[])[] = [
    routes.filter((route) => route.host === host),
    routes.filter((route) => route.host?.startsWith("*.") === true && host.endsWith(route.host.slice(1))),
    routes.filter((route) => route.host === null),
  ];
  for (const some of hosts) {
    let best: RouteMatch | null = null;
    let longest = -1;
    for (const route of some) {
      const wanted = route.path.replace(/\/$/, "").split("/").slice(1);
      if (wanted.length <= longest || !wanted.every((name, i) => isNamed(segments[i], name))) continue;
      best = route;
      longest = wanted.length;
    }
    if (best !== null) return best;
  }
  return null;
}

/** Whether a segment, decoded or as some compare it, is the one that the route names. */
function isNamed(segment: string | undefined, name: string): boolean {
  if (segment === undefined) return false;
  const decoded = name.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  const escape = (text: string) =>
    text.replace(/[|]/g, (char) => "%" + char.charCodeAt(0).toString(16).toUpperCase());
  return segment === decoded || escape(segment) === escape(name);
}

function judge(routes: readonly RouteMatch[], host: string, target: string): "forwarded" | "refused" {
  const router = new Router(routes);
  const route = router.route(host, target);
  if (route === "ambiguous") return "refused";
  for (const [name, read] of Object.entries(PATH_READERS)) {
    const path = read(target);
    assert.equal(
      judged(routes, host, path),
      route,
      `${target} (host ${host}) is forwarded by ${route?.path}; "${name}" reads ${JSON.stringify(path)}`,
    );
  }
  return "forwarded";
}

test("what is forwarded leads to one route, whoever reads its path", () => {
  const random = new Random(20261130);
  let forwarded = 0;
  const cases = 6000;
  for (let i = 0; i < cases; i++) {
    const routes = random.next(4) === 0 ? WITH_HOSTS : random.pick(ROUTE_TABLES);
    const host = routes === WITH_HOSTS ? random.pick(["a.example", "b.example", "c.example", "other"]) : "";
    if (judge(routes, host, randomTarget(random)) === "forwarded") forwarded++;
  }
  assert.ok(forwarded > cases / 10 && forwarded < cases, `${forwarded} of ${cases} were forwarded`);
});

test("paths that get around a route for somebody", () => {
  const routes = ROUTE_TABLES[0] as readonly RouteMatch[];
  for (
    const target of [
      "/./admin//../secret",
      "/x/../admin//../secret",
      "/%2e/admin//%2e%2e/secret",
      "/x//../../admin//../secret",
      "/./admin/..%2fsecret",
      "/./admin/x%2f..%2f..%2fsecret",
      "/./admin/..;x/secret",
      "/./admin/%5c..%5csecret",
      "/./admin/%c0%ae%c0%ae/secret",
      "/x/..;%2fy/../admin",
      "/..;%2fx/y/../../admin",
      "/;x%2fc/admin",
      "/admin%3Fx",
      "/admin%23x",
      "/%2561dmin",
      "/%252e%252e/x/%252e%252e/%2561dmin",
      "//host/admin",
      "///host/admin/x",
      "/%2Fhost/admin",
      "/%5chost%5Cadmin",
      "/%2f%2fhost%2Fadmin/x",
      "/%252fhost/admin",
      "/.//host/admin",
      "/x/..//host/admin",
      "/./%2fhost/admin",
      "/;x/admin",
      "/admin;x/../y",
      "/admin%c0/x",
    ]
  ) {
    assert.equal(judge(routes, "", target), "refused", target);
  }
});

test("paths as they come every day are forwarded", () => {
  const tables: readonly (readonly RouteMatch[])[] = [
    ["/", "/admin", "/api/v1", "/@fs", "/wiki"].map((path) => ({ host: null, path })),
    ["/api"].map((path) => ({ host: null, path })),
  ];
  const targets = [
    "/",
    "/index.html?x=%2F..//;",
    "/api/v1/users/42",
    "/api/v1/users/..%2f42?x",
    "/@scope%2fname",
    "/@scope%2Fname/-/name-1.0.0.tgz",
    "/@fs/home/x/",
    "/.well-known/acme-challenge/x",
    "/wiki/Foo_%28bar%29",
    "/wiki/What%3F",
    "/wiki/C%23",
    "/wiki/50%25_off",
    "/wiki/100%2525",
    "/wiki/AC%2FDC",
    "/caf%C3%A9/%E2%82%AC%20x",
    "/_next/static/chunks/app/[slug]/page.js",
    "/a:b,c+d=e&f!g$h'i(j)*k~l",
    "/file;v=1.2/x;y",
    "/x/../y",
    "//x//y//",
    "/a/./b",
    "/proxy/http://example.com//x",
    "/a//b//c//d//e//f//g//h//i//j//k//l//m//n//o//p//q//r//s//t//u//v//w//x//y//z//a//b//c//d//e//f//g",
  ];
  for (const routes of tables) {
    for (const target of targets) assert.equal(judge(routes, "", target), "forwarded", target);
  }
});
