/** Rules of the forward proxy in a configuration: what they come to, what is refused and where, and that they print back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/load_config.ts";
import type { Loaded, Rejected } from "../../../src/config/load.ts";
import { printYaml } from "../../../src/config/print.ts";
import { formatProblem } from "../../../src/config/values/problem.ts";

function load(text: string): Loaded | Rejected {
  return loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text } });
}

function loaded(text: string): Loaded {
  const result = load(text);
  assert.ok(result.ok, result.ok ? "" : result.problems.map(formatProblem).join("\n"));
  return result;
}

const RULES = `forward:
  listen: 3128
  users: /users
  balance: order
  hold_direct: {localhost: 30s, "10.0.0.0/8:80": 5s}
  rules:
    - {name: ads, host: [ads.test, .tracker.test], deny: "no ads"}
    - host: .corp.test
      cidr: 10.0.0.0/8
      resolve: true
      port: [443, 8000-8999]
      user: [alice, bob]
      client: [192.0.2.0/24, "::1"]
      parents: ["http://a:1 weight=3", {url: "socks5://b", weight: 2}, direct]
      balance: source_hash
      hold: 5s
    - {cidr: 127.0.0.0/8, direct: true, hold: 1m}
    - {parents: [c:1, d:1], balance: round_robin}
  parents: [e:1]
`;

test("what rules come to", () => {
  const { config: { forward, upstreams } } = loaded(RULES);
  assert.ok(forward !== null);
  assert.deepEqual(forward.rules.map(({ name, action }) => `${name} ${action.kind}`), [
    "ads deny",
    "rule_2 parents",
    "rule_3 direct",
    "rule_4 parents",
  ]);
  assert.deepEqual(forward.rules[1]?.conditions, {
    hosts: [".corp.test"],
    cidrs: ["10.0.0.0/8"],
    resolve: true,
    ports: [[443, 443], [8000, 8999]],
    users: ["alice", "bob"],
    clients: ["192.0.2.0/24", "::1/128"],
  });
  assert.deepEqual(
    forward.byRule.map(({ balance, upstream, parents }) => [
      upstream.name,
      upstream.policy,
      upstream.holdMs,
      balance,
      parents.map((parent) => parent.kind === "direct" ? "direct" : `${parent.name} ${parent.weight}`),
    ]),
    [
      ["parents/rule_2", "hash", 5000, "source_hash", ["a:1 3", "socks5://b:1080 2", "direct"]],
      ["parents/rule_4", "round_robin", 30_000, "round_robin", ["c:1 1", "d:1 1"]],
    ],
  );
  assert.deepEqual(upstreams.map(({ name }) => name), ["parents/rule_4", "parents"]);
  assert.deepEqual(forward.holdDirect, [
    { destination: "localhost", holdMs: 30_000 },
    { destination: "10.0.0.0/8:80", holdMs: 5000 },
  ]);
});

test("what is printed reads back as the same", () => {
  const first = loaded(RULES);
  const again = loaded(printYaml(first));
  assert.deepEqual(again.config, first.config);
});

test("flags and variables have rules in JSON", () => {
  const rule = '{"host": ".a.test", "port": 443, "direct": true}';
  for (const text of [rule, `[${rule}]`, `${rule}, {"deny": "no"}`]) {
    const flags = loadConfig({
      flags: { "forward-listen": ["3128"], "forward-rules": [text] },
      env: {},
      file: null,
    });
    assert.ok(flags.ok);
    assert.equal(flags.config.forward?.rules[0]?.action.kind, "direct");
    const env = { SLUICE_FORWARD_LISTEN: "3128", SLUICE_FORWARD_RULES: text };
    const variables = loadConfig({ flags: {}, env, file: null });
    assert.ok(variables.ok);
    assert.deepEqual(variables.config.forward?.rules, flags.config.forward?.rules);
  }
});

test("what is wrong is told with its place", () => {
  const cases: readonly (readonly [rule: string, problem: RegExp])[] = [
    ["{host: a.test}", /forward\.rules\[0\]: must have one of parents, deny and direct/],
    ["{host: a.test, deny: no, direct: true}", /one of parents, deny and direct/],
    ["{host: a.test, direct: false}", /\[0\]\.direct: must be true/],
    ["{host: 10.0.0.1, direct: true}", /\[0\]\.host.*addresses belong in cidr/],
    ["{host: loopback, direct: true}", /\[0\]\.host/],
    ["{host: 'a.test:80', direct: true}", /\[0\]\.host.*no port/],
    ["{host: [], direct: true}", /\[0\]\.host: must be .*got nothing/],
    ["{cidr: 10.0.0.1/8x, direct: true}", /\[0\]\.cidr/],
    ["{port: 0, direct: true}", /\[0\]\.port/],
    ["{client: here, direct: true}", /\[0\]\.client/],
    ["{user: 'a:b', direct: true}", /\[0\]\.user/],
    ["{resolve: true, host: a.test, direct: true}", /\[0\]\.resolve: goes with cidr/],
    ["{balance: order, direct: true}", /\[0\]\.balance: goes with parents/],
    ["{balance: nothing, parents: a:1}", /\[0\]\.balance/],
    ["{deny: no, hold: 1s}", /\[0\]\.hold: does not go with deny/],
    ["{deny: ''}", /\[0\]\.deny/],
    ["{deny: 'caf\u00e9'}", /\[0\]\.deny/],
    ["{parents: []}", /\[0\]\.parents: must name a proxy/],
    ["{parents: ['http://a weight=0']}", /weight/],
    ["{parents: ['http://a wait=0']}", /unknown key/],
    ["{parents: [{weight: 1}]}", /\[0\]\.parents\[0\]/],
    ["{parents: [direct]}", /names no proxy/],
    ["{hots: a.test, deny: no}", /\[0\]\.hots: unknown key/],
    ["nonsense", /must be rules like/],
    ["[]", /rules like/],
    ["{name: a b, deny: no}", /\[0\]\.name/],
  ];
  for (const [rule, problem] of cases) {
    const result = load(`forward:\n  listen: 3128\n  rules:\n    - ${rule}\n    - {host: z.test, deny: z}\n`);
    assert.ok(!result.ok, rule);
    assert.match(result.problems.map(formatProblem).join("\n"), problem, rule);
  }
  const twice = load("forward: {listen: 3128, rules: [{name: a, deny: a}, {name: a, deny: b}]}\n");
  assert.ok(!twice.ok);
  assert.match(twice.problems.map(formatProblem).join("\n"), /two rules are named a/);
  for (const odd of ["localhost", "localhost=", "=1s", "localhost=1", "a b=1s", "localhost=2h"]) {
    assert.ok(!load(`forward: {listen: 3128, hold_direct: "${odd}"}\n`).ok, odd);
  }
});

test("what is probably not meant is warned of", () => {
  const rules = "[{user: alice, direct: true}, {host: '*', direct: true}, {host: a.test, deny: no}]";
  const { warnings } = loaded(`forward: {listen: 3128, rules: ${rules}}\n`);
  const text = warnings.map(formatProblem).join("\n");
  assert.match(text, /rule_1 is for nobody/);
  assert.match(text, /rule_3 is never reached/);
});

test("passwords of parents in rules are not printed, and what is printed says so when it is read", () => {
  const first = loaded("forward: {listen: 3128, rules: [{parents: ['http://u:s3cret@a:1']}]}\n");
  const text = printYaml(first);
  assert.doesNotMatch(text, /s3cret/);
  assert.match(text, /^ {2}rules: .* # s\.yaml:\d+; fill in \*\*\*, which is secret$/m);
  const again = load(text);
  assert.ok(!again.ok);
  assert.match(again.problems.map(formatProblem).join("\n"), /was printed without its user and password/);
});
