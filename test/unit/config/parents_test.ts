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
  assert.deepEqual(config.forward?.byDefault?.parents.map(({ kind, name }) => `${kind} ${name}`), [
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

test("login=pass, * and password_file: what they come to, print back as, and do not go with", () => {
  const parents = ["http://a login=pass", "http://b login=pass weight=2"];
  const { config } = loaded(...parents);
  assert.deepEqual(config.upstreams[0]?.endpoints.map(({ proxy, weight }) => [proxy, weight]), [
    [{ authorization: "", passesLogin: true, credential: null }, 1],
    [{ authorization: "", passesLogin: true, credential: null }, 2],
  ]);
  assert.match(
    printYaml(loaded(...parents)),
    /"http:\/\/a:80 login=pass", "http:\/\/b:80 weight=2 login=pass"/,
  );
  const file = loaded("http://us%40er@a password_file=/pw", "socks5h://us@b password_file=/pw");
  assert.deepEqual(file.warnings, []);
  const text = printYaml(file);
  assert.match(
    text,
    /"http:\/\/us%40er@a:80 password_file=\/pw", "socks5h:\/\/us@b:1080 password_file=\/pw"/,
  );
  const again = loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text } });
  assert.ok(again.ok);
  assert.deepEqual(again.config, file.config);
  const named = load({ "forward-parents": ["http://*:pw@a"], "forward-users": ["/users"] });
  assert.ok(named.ok);
  assert.deepEqual(named.config.upstreams[0]?.endpoints[0]?.proxy, {
    authorization: "",
    userPassword: "pw",
    credential: null,
  });
  const both = load({ "forward-parents": ["http://a login=pass"], "forward-users": ["/users"] });
  assert.ok(both.ok);
  assert.match(both.warnings.map(({ message }) => message).join("\n"), /go on to that proxy as well/);
  const odd = [
    ["http://a login=none", /must be pass/],
    ["http://u:p@a login=pass", /no user beside login=pass/],
    ["socks5h://a login=pass", /must be an HTTP proxy for login=pass/],
    ["http://a password_file=/pw", /must have a user/],
    ["http://u:p@a password_file=/pw", /not in both/],
    ["socks5h://*:p@a", /must be an HTTP proxy for the name/],
    ["http://a login=pass,http://b", /for all of the proxies or for none/],
    ["http://*:p@a", /clients do not say who they are/],
    ["http://***@a", /printed without its user and password/],
    ["http://a login=pass credential=x", /credential beside login=pass/],
    ["direct weight=2", /must be direct and nothing else/],
    ["http://a weight=1 weight=2", /must be URLs/],
  ] as const;
  for (const [parents, message] of odd) {
    const result = load({ "forward-parents": [parents] });
    assert.ok(!result.ok, parents);
    assert.match(result.problems.map((problem) => problem.message).join("\n"), message, parents);
  }
});

test("via: another proxy in front, once, with a login of its own", () => {
  const one = loaded(
    "http://b via=https://u@a via_password_file=/pw",
    "http://b",
    "socks5h://c via=http://a weight=2",
    "https://us@b password_file=/pw via=socks5://d",
  );
  assert.deepEqual(one.config.forward?.byDefault?.parents.map(({ name }) => name), [
    "b:80 via https://a:443",
    "b:80",
    "socks5h://c:1080 via a:80",
    "https://b:443 via socks5://d:1080",
  ]);
  const again = loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text: printYaml(one) } });
  assert.ok(again.ok, again.ok ? "" : again.problems.map(({ message }) => message).join("\n"));
  assert.deepEqual(again.config, one.config);
  const secret = printYaml(loaded("http://b via=http://u:s3cret@a"));
  assert.match(secret, /via=http:\/\/\*\*\*@a:80/);
  const mapping = "forward: {listen: 3128, parents: [{url: http://b, via: http://a}]}\n";
  const file = loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text: mapping } });
  assert.ok(file.ok);
  assert.equal(file.config.upstreams[0]?.endpoints[0]?.proxy?.via?.name, "a:80");
  for (
    const odd of [
      "http://b via=direct",
      "http://b via=ftp://a",
      "http://b via=http://*:p@a",
      "http://b via_password_file=/pw",
      "http://b via=http://a via_password_file=/pw",
      "http://b via=http://u:p@a via_password_file=/pw",
      "http://b via=socks5://u@a",
      "http://b via=http://a,http://b via=http://a",
      "direct via=http://a",
    ]
  ) assert.ok(!load({ "forward-parents": [odd] }).ok, odd);
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
