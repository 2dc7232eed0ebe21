/** Parents in a configuration: which URLs there are, and that nothing prints a password. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/load_config.ts";
import { printYaml } from "../../../src/config/print.ts";
import type { Loaded, Rejected } from "../../../src/config/load.ts";

function load(flags: Record<string, readonly string[]>): Loaded | Rejected {
  return loadConfig({ flags: { "forward-listen": ["3128"], ...flags }, env: {}, file: null });
}

function loaded(...parents: readonly string[]): Loaded {
  const result = load({ "forward-parents": parents });
  assert.ok(result.ok, result.ok ? "" : result.problems.map(({ message }) => message).join("\n"));
  return result;
}

test("the kinds of parents, their usual ports and their names", () => {
  const { config } = loaded(
    "proxy:3128,http://a,https://b/",
    "socks5h://c",
    "socks5://[::1]:9050",
    "SOCKS5H://d:1,direct",
  );
  assert.deepEqual(config.forward?.parents.map(({ kind, name }) => `${kind} ${name}`), [
    "http proxy:3128",
    "http a:80",
    "http https://b:443",
    "socks socks5h://c:1080",
    "socks socks5://[::1]:9050",
    "socks socks5h://d:1",
    "direct direct",
  ]);
  assert.equal(config.upstreams.length, 0);
});

test("HTTP proxies alone are an upstream, with the order of the list and without limits of requests", () => {
  const result = loadConfig({
    flags: {
      "forward-listen": ["3128"],
      "forward-parents": ["http://u%20s:p%3a@a:1,b:2"],
      "max-in-flight": ["3"],
    },
    env: {},
    file: null,
  });
  assert.ok(result.ok);
  const [parents] = result.config.upstreams;
  assert.equal(parents?.name, "parents");
  assert.equal(parents?.policy, "first_up");
  assert.equal(parents?.maxInFlight, 0);
  assert.deepEqual(parents?.endpoints.map(({ name, proxy }) => [name, proxy?.authorization]), [
    ["a:1", `Basic ${btoa("u s:p:")}`],
    ["b:2", ""],
  ]);
});

test("no password is printed, and one on the command line is warned of", () => {
  const { warnings } = loaded("http://user:s3cret@a:1");
  assert.match(
    warnings.map(({ message }) => message).join("\n"),
    /everybody on this machine can read \(ps\)/,
  );
  for (const url of ["http://user:s3cret@a:1", "socks5://user:s3cret@a", "https://user:s3cret@a,direct"]) {
    const text = printYaml(loaded(url));
    assert.doesNotMatch(text, /s3cret|user/);
    assert.match(text, /parents: \["?[a-z0-9]+:\/\/\*\*\*@a/);
  }
  const odd = [
    "http://user:s3cret@",
    "ftp://user:s3cret@a",
    "http://user:s3cret@a:99999",
    "http://us:er:s3cret@a/path",
  ];
  for (const url of odd) {
    const result = load({ "forward-parents": [url] });
    assert.ok(!result.ok, url);
    assert.doesNotMatch(JSON.stringify(result.problems), /s3cret/);
  }
  const env = loadConfig({
    flags: { "forward-listen": ["3128"] },
    env: { SLUICE_FORWARD_PARENTS: "http://user:s3cret@a:1" },
    file: null,
  });
  assert.ok(env.ok);
  assert.deepEqual(env.warnings, []);
});

test("what is no parent", () => {
  const odd = [
    "",
    "direct",
    "socks://a",
    "ftp://a",
    "http://",
    "http://a/x",
    "http://a?x",
    "http://%zz@a",
    "http://:p@a",
    "http://u%00:p@a",
    "http://u%3a:p@a",
    "socks5://u@a",
    `socks5://u:${"x".repeat(256)}@a`,
    "socks5://a:0",
    "auto",
    "unix:/x",
    "a:1,a:1",
  ];
  for (const url of odd.slice(1)) assert.ok(!load({ "forward-parents": [url] }).ok, url);
});

test("no_parent: the syntax of no_proxy, and only beside parents", () => {
  const flags = { "forward-parents": ["a:1"], "forward-no-parent": ["localhost, .b.test", "10.0.0.0/8"] };
  const result = load(flags);
  assert.ok(result.ok);
  assert.equal(result.config.forward?.noParent, "localhost,.b.test,10.0.0.0/8");
  assert.ok(!load({ ...flags, "forward-no-parent": ["a b%c"] }).ok);
  const alone = load({ "forward-no-parent": ["a.test"] });
  assert.ok(alone.ok);
  assert.match(alone.warnings[0]?.message ?? "", /no effect/);
});

test("an upstream of the user's that is called parents", () => {
  const text =
    "forward: {listen: 3128, parents: a:1}\nupstreams: {parents: {endpoints: b:1}}\nroutes: [{to: parents}]\n";
  const result = loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text } });
  assert.ok(!result.ok);
  assert.match(result.problems[0]?.message ?? "", /rename/);
});
