/** Credentials of ours in a configuration: what an entry needs, where one may be sent, and that nothing prints a secret. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/load_config.ts";
import { printYaml } from "../../../src/config/print.ts";
import type { Loaded } from "../../../src/config/load.ts";

function load(text: string, flags: Record<string, readonly string[]> = {}) {
  return loadConfig({ flags, env: {}, file: { path: "s.yaml", text } });
}

function loaded(text: string, flags: Record<string, readonly string[]> = {}): Loaded {
  const result = load(text, flags);
  assert.ok(
    result.ok,
    result.ok ? "" : result.problems.map(({ path, message }) => `${path} ${message}`).join("\n"),
  );
  return result;
}

function problems(text: string): string[] {
  const result = load(text);
  assert.ok(!result.ok, "the configuration is valid");
  return result.problems.map(({ path, line, message }) => `${line} ${path}: ${message}`);
}

const ALL = `credentials:
  one: {scheme: basic, user: me, password_file: /p}
  two: {scheme: [ntlm, digest], user: me, domain: CORP, password_env: PW, cleartext: true}
  three: {scheme: bearer, token_file: /t}
  four: {scheme: bearer, token_command: [get, "a token"], token_cache: 10m}
  five: {scheme: negotiate, helper: "ntlm_auth --x", service: HTTP@wiki}
upstreams:
  a: {endpoints: "https://a", credential: one}
  b: {endpoints: "http://b", credential: two}
  c: {endpoints: 3000, credential: three}
  d: {endpoints: "unix:/d", credential: four}
  e: {endpoints: "https://e", credential: five}
routes: [{to: a}, {match: {path: /b}, to: b}, {match: {path: /c}, to: c}, {match: {path: /d}, to: d}, {match: {path: /e}, to: e}]
`;

test("all kinds of entries, and what they are printed as is read back", () => {
  const first = loaded(ALL);
  assert.deepEqual(first.warnings, []);
  assert.deepEqual(first.config.credentials.map(({ secret }) => secret), [
    { kind: "file", what: "password", path: "/p" },
    { kind: "env", what: "password", variable: "PW" },
    { kind: "file", what: "token", path: "/t" },
    { kind: "command", what: "token", command: ["get", "a token"], cacheMs: 600_000 },
    { kind: "none" },
  ]);
  assert.deepEqual(first.config.upstreams.map(({ credential }) => credential), [
    "one",
    "two",
    "three",
    "four",
    "five",
  ]);
  const again = loaded(printYaml(first));
  assert.deepEqual(again.config, first.config);
});

test("origins of the forward proxy, and parents", () => {
  const { config, warnings } = loaded(`
forward:
  listen: 3128
  credentials: ["http://Wiki.example:8080=two", {origin: .corp.example, credential: two}, "http://[::1]:90=one"]
  parents: [{url: "https://p", credential: one}, "http://q:1 credential=two", direct]
credentials:
  one: {scheme: basic, user: me, password_file: /p}
  two: {scheme: basic, user: me, password_file: /p, cleartext: true}
`);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config.forward?.credentials, [
    { host: "wiki.example", port: 8080, credential: "two" },
    { host: ".corp.example", port: 80, credential: "two" },
    { host: "::1", port: 90, credential: "one" },
  ]);
  assert.deepEqual(config.forward?.byDefault?.upstream.endpoints.map(({ proxy }) => proxy?.credential), [
    "one",
    "two",
  ]);
  assert.equal(config.forward?.direct.credential, null);
});

test("a flag names a credential of the file", () => {
  const { config } = loaded("credentials: {a: {scheme: bearer, token_file: /t}}\n", {
    to: ["3000"],
    credential: ["a"],
  });
  assert.equal(config.upstreams[0]?.credential, "a");
});

test("what an entry lacks, or has too much of, is told with its line", () => {
  const entry = (text: string) => problems(`to: 3000\ncredential: a\ncredentials:\n  a: {${text}}\n`);
  assert.deepEqual(entry("user: me, password_file: /p"), [
    "4 credentials.a: has no scheme: add scheme: basic | bearer | digest | ntlm | negotiate",
  ]);
  assert.match(
    entry("scheme: kerberos").join(),
    /credentials\.a\.scheme: must be basic, bearer, digest, ntlm or negotiate/,
  );
  assert.match(entry("scheme: basic, user: me").join(), /has no password, which basic needs/);
  assert.match(entry("scheme: digest, password_file: /p").join(), /has no user, which digest needs/);
  assert.match(entry("scheme: bearer").join(), /has no token/);
  assert.match(entry("scheme: bearer, password_file: /p").join(), /has no token/);
  assert.match(entry("scheme: [bearer, basic], user: m, token_file: /t").join(), /bearer beside others/);
  assert.match(entry('scheme: basic, user: "a:b", password_file: /p').join(), /must not have a colon/);
  assert.match(
    entry("scheme: basic, user: me, password_file: /p, password_env: P").join(),
    /is given beside password_file/,
  );
  assert.match(
    entry("scheme: basic, user: me, password_file: /p, domain: D").join(),
    /domain: has no effect without scheme ntlm/,
  );
  assert.match(entry("scheme: basic, user: me, password: secret").join(), /unknown key: a credential has/);
  assert.ok(!entry("scheme: basic, user: me, password: sesame").join().includes("sesame"));
  assert.match(problems("to: 3000\ncredentials: [a]\n").join(), /2 credentials: must be a mapping of names/);
  assert.match(problems("to: 3000\ncredentials: {9: {scheme: ntlm}}\n").join(), /must be a name/);
});

test("a credential that is not there, and one that nothing names", () => {
  const entry = "credentials: {corp: {scheme: bearer, token_file: /t}}\n";
  assert.deepEqual(problems(`to: 3000\ncredential: crop\n${entry}`), [
    "2 credential: no credential is named crop: there is corp",
  ]);
  const { warnings } = loaded(`to: 3000\n${entry}`);
  assert.deepEqual(warnings.map(({ path, message }) => `${path}: ${message}`), [
    "credentials.corp: is not used: nothing names it",
  ]);
});

test("nothing is sent in clear text unless that is meant", () => {
  const entry = "credentials: {a: {scheme: bearer, token_file: /t}}\n";
  const refused = /would send credential a to .* in clear text/;
  assert.match(problems(`to: "http://app.example"\ncredential: a\n${entry}`).join(), refused);
  assert.match(
    problems(`to: [3000, 10.0.0.1:3000]\ncredential: a\n${entry}`).join(),
    /to 10\.0\.0\.1:3000 in clear text/,
  );
  assert.match(problems(`forward: {listen: 3128, credentials: [wiki=a]}\n${entry}`).join(), refused);
  assert.match(
    problems(`forward: {listen: 3128, parents: ["http://p credential=a"]}\n${entry}`).join(),
    refused,
  );
  for (const to of ["3000", "https://app.example", "localhost:3000", "unix:/s", "[::1]:3000"]) {
    loaded(`to: "${to}"\ncredential: a\n${entry}`);
  }
  loaded(
    `forward: {listen: 3128, credentials: ["localhost=a", "127.0.0.1:3000=a"], parents: ["https://p credential=a"]}\n${entry}`,
  );
});

test("origins and parents that cannot have one", () => {
  const forward = (text: string) =>
    problems(
      `forward: {listen: 3128, ${text}}\ncredentials: {a: {scheme: bearer, token_file: /t, cleartext: true}}\n`,
    ).join();
  assert.match(forward('credentials: ["https://wiki=a"]'), /is https, which clients speak through a tunnel/);
  for (
    const origin of [
      "http://127.1",
      "http://a/b",
      "ftp://a",
      "",
      "http://u@a",
      "http://a:0",
      "http://.1.2.3.4",
    ]
  ) {
    assert.match(forward(`credentials: [{origin: "${origin}", credential: a}]`), /must be an origin/, origin);
  }
  assert.match(forward('parents: [{url: "http://u:p@x", credential: a}]'), /beside the user in its URL/);
  assert.match(
    forward('parents: [{url: "socks5h://x", credential: a}]'),
    /only http:\/\/ and https:\/\/ proxies/,
  );
  assert.match(
    forward('parents: [{url: "http://x", credentials: a}]'),
    /unknown key: a parent has url, credential/,
  );
});
