import assert from "node:assert/strict";
import { test } from "node:test";
import { judgedBytes } from "../../../src/forward/address_class.ts";
import { BAD_PORTS } from "../../../src/forward/bad_ports.ts";
import {
  type DestinationLists,
  DestinationPolicy,
  type DestinationPolicyOptions,
  type Verdict,
} from "../../../src/forward/destination_policy.ts";
import { DestinationList } from "../../../src/forward/destination_list.ts";
import {
  type DestinationRule,
  matchesRule,
  parseDestinationRule,
} from "../../../src/forward/destination_rule.ts";
import { OwnListeners } from "../../../src/forward/own_listeners.ts";
import { Random } from "../../fuzz/support/random.ts";
import { proxyPhrase } from "../../../src/forward/proxy_phrases.ts";

function rules(text: string): DestinationRule[] {
  return text.split(" ").filter((word) => word !== "").map((word) => {
    const result = parseDestinationRule(word);
    if (result.kind === "fault") throw new Error(`${word}: ${result.message}`);
    return result.rule;
  });
}

function lists(allow: string, deny: string): DestinationLists {
  return { allow: rules(allow), deny: rules(deny) };
}

interface Given extends Partial<Omit<DestinationPolicyOptions, "lists">> {
  readonly allow?: string;
  readonly deny?: string;
}

function policy({ allow = "", deny = "", ...options }: Given = {}): DestinationPolicy {
  return new DestinationPolicy({
    lists: lists(allow, deny),
    userLists: new Map(),
    connectPorts: null,
    onLoopback: true,
    own: new OwnListeners([{ host: "127.0.0.1", port: 3128 }], () => []),
    ...options,
  });
}

/** "ok", "ok?" (not decided), or the rule that denies; asked as a client's request is, the name before the address. */
function judged(
  judge: DestinationPolicy,
  host: string,
  address: string | null,
  port = 443,
  isTunnel = true,
): string {
  const destination = { host, port, isTunnel, user: null };
  const shown = (verdict: Verdict): string => verdict.allowed ? verdict.decided ? "ok" : "ok?" : verdict.rule;
  const byName = judge.judgeName(destination);
  if (address === null || !byName.allowed) return shown(byName);
  return shown(judge.judgeAddress(address, destination));
}

test("classes by listener", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["127.0.0.1", "ok", "class loopback"],
    ["::1", "ok", "class loopback"],
    ["0.0.0.0", "ok", "class loopback"],
    ["::ffff:127.0.0.1", "ok", "class loopback"],
    ["169.254.1.1", "ok", "class link-local"],
    ["fe80::1%eth0", "ok", "class link-local"],
    ["169.254.169.254", "class metadata", "class metadata"],
    ["::ffff:169.254.169.254", "class metadata", "class metadata"],
    ["64:ff9b::a9fe:a9fe", "class metadata", "class metadata"],
    ["fd00:ec2::254", "class metadata", "class metadata"],
    ["10.0.0.1", "ok", "ok"],
    ["fd00::1", "ok", "ok"],
    ["224.0.0.1", "class special", "class special"],
    ["192.0.2.1", "class special", "class special"],
    ["8.8.8.8", "ok", "ok"],
    ["no address", "no address", "no address"],
  ];
  const onLoopback = policy();
  const onOther = policy({ onLoopback: false });
  for (const [address, expected, expectedOther] of cases) {
    assert.equal(judged(onLoopback, "name.example", address), expected, address);
    assert.equal(judged(onOther, "name.example", address), expectedOther, address);
    if (judgedBytes(address) === null) continue;
    assert.equal(judged(onLoopback, address, null), expected, `${address} as host`);
    assert.equal(judged(onOther, address, null), expectedOther, `${address} as host`);
  }
});

test("lists", () => {
  // allow, deny, host, address, expected
  const cases: readonly (readonly [string, string, string, string | null, string])[] = [
    ["", "", "a.example", "8.8.8.8", "ok"],
    ["", "a.example", "a.example", null, "deny a.example"],
    ["", "a.example", "b.a.example", "8.8.8.8", "ok"],
    ["", ".example", "a.example", null, "deny .example"],
    ["", "*", "a.example", null, "deny *"],
    ["", "private", "a.example", "10.0.0.1", "deny private"],
    ["", "private", "a.example", "8.8.8.8", "ok"],
    ["", "private", "10.0.0.1", null, "deny private"],
    ["", "public", "a.example", "8.8.8.8", "deny public"],
    ["", "10.0.0.0/8", "a.example", "10.0.0.1", "deny 10.0.0.0/8"],
    ["", "10.0.0.0/8", "a.example", "2002:a00:1::", "deny 10.0.0.0/8"],
    ["", "2002::/16", "a.example", "2002:808:808::", "deny 2002::/16"],
    ["", "2002::/16", "2002:808:808::", null, "deny 2002::/16"],
    ["", "64:ff9b::/96", "a.example", "8.8.8.8", "ok"],
    ["", "*:8080", "a.example", null, "ok"],
    // With allow, the rest is denied.
    ["a.example", "", "a.example", "8.8.8.8", "ok"],
    ["a.example", "", "b.example", null, "not in allow"],
    ["a.example", "", "8.8.8.8", null, "not in allow"],
    ["a.example *", "", "b.example", "8.8.8.8", "ok"],
    ["10.0.0.0/8", "", "b.example", null, "ok?"],
    ["10.0.0.0/8", "", "b.example", "10.0.0.1", "ok"],
    ["10.0.0.0/8", "", "b.example", "8.8.8.8", "not in allow"],
    ["10.0.0.0/8:80", "", "b.example", null, "not in allow"],
    ["private", "", "b.example", null, "ok?"],
    ["private", "", "b.example", "8.8.8.8", "not in allow"],
    ["10.0.0.0/8 a.example", "", "a.example", null, "ok"],
    // What is allowed is a part of what is denied, or is not.
    ["* www.example", ".example", "www.example", "8.8.8.8", "ok"],
    ["* www.example", ".example", "ftp.example", null, "deny .example"],
    [".example", "www.example", "www.example", null, "deny www.example"],
    [".example", "www.example", "ftp.example", "8.8.8.8", "ok"],
    ["a.example", "a.example", "a.example", null, "deny a.example"],
    ["a.example:443", "a.example", "a.example", "8.8.8.8", "ok"],
    ["a.example", "*:443", "a.example", null, "deny *:443"],
    ["a.example", "a.example:443", "a.example", null, "deny a.example:443"],
    [".b.example", ".example x.b.example", "x.b.example", null, "deny x.b.example"],
    [".b.example", ".example x.b.example", "y.b.example", "8.8.8.8", "ok"],
    ["* 10.0.0.5", "private", "a.example", "10.0.0.5", "ok"],
    ["* 10.0.0.5", "private", "a.example", "10.0.0.6", "deny private"],
    ["* 10.0.0.5", "10.0.0.0/8", "10.0.0.5", null, "ok"],
    ["* db.corp", "private", "db.corp", "10.0.0.6", "ok"],
    ["* db.corp", "10.0.0.0/8", "db.corp", "10.0.0.6", "deny 10.0.0.0/8"],
    ["* .corp", "private", "db.corp", "10.0.0.6", "deny private"],
    ["*", "*", "a.example", null, "deny *"],
    ["a.example", "*", "a.example", "8.8.8.8", "ok"],
    // Classes that are denied from the start.
    ["169.254.169.254", "", "169.254.169.254", null, "ok"],
    ["169.254.0.0/16", "", "169.254.169.254", null, "class metadata"],
    ["metadata", "", "169.254.169.254", null, "ok"],
    ["metadata", "metadata", "169.254.169.254", null, "deny metadata"],
    ["metadata", "169.254.169.254", "169.254.169.254", null, "deny 169.254.169.254"],
    ["meta.example", "", "meta.example", "169.254.169.254", "ok"],
    [".example", "", "meta.example", "169.254.169.254", "class metadata"],
    ["*", "", "meta.example", "169.254.169.254", "class metadata"],
    ["0.0.0.0/0", "", "meta.example", "169.254.169.254", "class metadata"],
    ["2000::/3", "", "meta.example", "2002:a9fe:a9fe::", "class metadata"],
  ];
  for (const [allow, deny, host, address, expected] of cases) {
    const text = `allow ${allow}; deny ${deny}; ${host} ${address}`;
    assert.equal(judged(policy({ allow, deny }), host, address), expected, text);
  }
  const onOther = policy({ onLoopback: false, allow: "* localhost" });
  assert.equal(judged(onOther, "localhost", "127.0.0.1"), "ok");
  assert.equal(judged(onOther, "rebound.example", "127.0.0.1"), "class loopback");
});

test("ports", () => {
  const cases: readonly (readonly [Given, string, string | null, number, boolean, string])[] = [
    [{}, "a.example", null, 80, true, "ok"],
    [{}, "a.example", null, 443, true, "ok"],
    [{}, "a.example", null, 8080, true, "ok"],
    [{}, "a.example", null, 22, true, "port"],
    [{}, "a.example", null, 25, true, "port"],
    [{}, "a.example", null, 25, false, "port"],
    [{}, "8.8.8.8", null, 6667, true, "port"],
    [{ connectPorts: new Set([443, 22]) }, "a.example", null, 443, true, "ok"],
    [{ connectPorts: new Set([443, 22]) }, "a.example", null, 22, true, "ok"],
    [{ connectPorts: new Set([443, 22]) }, "a.example", null, 80, true, "connect_ports"],
    [{ connectPorts: new Set([443, 22]) }, "a.example", null, 80, false, "ok"],
    [{ connectPorts: new Set([443, 22]) }, "a.example", null, 22, false, "port"],
    [{ allow: "* git.example:22" }, "git.example", null, 22, true, "ok"],
    [{ allow: "* git.example:22" }, "git.example", null, 25, true, "port"],
    [{ allow: "* git.example:22" }, "a.example", null, 22, true, "port"],
    [{ allow: "git.example" }, "git.example", null, 22, true, "port"],
    [{ allow: "*:22" }, "a.example", null, 22, true, "ok"],
    [{ allow: "* 10.0.0.0/8:22" }, "a.example", null, 22, true, "ok?"],
    [{ allow: "* 10.0.0.0/8:22" }, "a.example", "10.0.0.1", 22, true, "ok"],
    [{ allow: "* 10.0.0.0/8:22" }, "a.example", "8.8.8.8", 22, true, "port"],
    [{ allow: "* 10.0.0.0/8:22" }, "a.example", null, 25, true, "port"],
    [{ allow: "* 10.0.0.0/8:22" }, "10.0.0.1", null, 22, true, "ok"],
    [{ allow: "* 10.0.0.0/8:22", connectPorts: new Set([443]) }, "10.0.0.1", null, 22, true, "ok"],
  ];
  for (const [given, host, address, port, isTunnel, expected] of cases) {
    const text = `${JSON.stringify(given)} ${host} ${address} ${port} ${isTunnel}`;
    assert.equal(judged(policy(given), host, address, port, isTunnel), expected, text);
  }
  assert.equal(BAD_PORTS.size, 83);
  for (const port of [80, 443, 3128, 8080, 8443]) assert.ok(!BAD_PORTS.has(port));
});

test("our own listeners are no destination, whatever is allowed", () => {
  const judge = policy({ allow: "* 127.0.0.1 127.0.0.1:3128 localhost" });
  for (const address of ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1"]) {
    assert.equal(judged(judge, address, null, 3128), "own listener", address);
    assert.equal(judged(judge, "localhost", address, 3128), "own listener", address);
  }
  assert.equal(judged(judge, "localhost", "127.0.0.1", 3129), "ok");
  const verdict = judge.judgeName({ host: "127.0.0.1", port: 3128, isTunnel: true, user: null });
  assert.equal(verdict.allowed ? 0 : verdict.status, 508);
});

test("users with lists of their own", () => {
  const judge = policy({
    deny: "social.example",
    userLists: new Map([["ci", lists("registry.example", "")]]),
  });
  const ask = (host: string, user: string | null): boolean =>
    judge.judgeName({ host, port: 443, isTunnel: true, user }).allowed;
  assert.ok(ask("registry.example", "ci"));
  assert.ok(!ask("a.example", "ci"));
  assert.ok(ask("a.example", "alice"));
  assert.ok(ask("a.example", null));
  assert.ok(!ask("social.example", "alice"));
});

test("denials are fit for a reason phrase", () => {
  const judge = policy({ allow: "a.example 10.0.0.0/8", deny: "b.example private 11.0.0.0/8" });
  const destinations = [
    "b.example",
    "c.example",
    "9.9.9.9",
    "192.168.0.1",
    "11.0.0.1",
    "127.0.0.1",
    "169.254.169.254",
  ];
  for (const host of destinations) {
    for (const port of [443, 3128, 6667]) {
      const verdict = judge.judgeName({ host, port, isTunnel: true, user: null });
      if (verdict.allowed) continue;
      assert.match(verdict.words, /^[\x20-\x7e]{1,60}$/);
      assert.ok(proxyPhrase(verdict.status, verdict.words).includes(verdict.words));
    }
  }
});

test("lists that are looked up say what a walk through them says", () => {
  const random = new Random(8);
  const names = ["a.example", "b.a.example", "c.b.a.example", "example", "b.example", "x.test", "test"];
  const addresses = ["10.0.0.1", "8.8.8.8", "::1", "2002:a00:1::"];
  const entries = [
    ...names,
    ...names.map((name) => `.${name}`),
    ...["*", "*:80", "10.0.0.0/8", "10.0.0.1:80", "private", "public:81", "2002::/16"],
    ...names.map((name) => `${name}:80`),
  ];
  for (let round = 0; round < 2000; round++) {
    const chosen = rules(Array.from({ length: random.next(8) }, () => random.pick(entries)).join(" "));
    const list = new DestinationList(chosen);
    const host = random.once(4) ? random.pick(addresses) : random.pick(names);
    const isName = judgedBytes(host) === null;
    const candidate = {
      name: isName ? host : null,
      bytes: judgedBytes(isName && random.once(2) ? random.pick(addresses) : host),
      port: random.pick([80, 81]),
    };
    const texts = (found: readonly DestinationRule[]): string[] => found.map(({ text }) => text).sort();
    const walked = chosen.filter((entry) => matchesRule(entry, candidate));
    assert.deepEqual(
      texts(list.matching(candidate)),
      texts(walked),
      `${chosen.map(({ text }) => text)} ${host}`,
    );
  }
});

test("a long list of names costs a look-up", () => {
  const list = new DestinationList(
    rules(Array.from({ length: 20_000 }, (_, at) => `.h${at}.example`).join(" ")),
  );
  assert.equal(list.size, 20_000);
  assert.equal(list.matching({ name: "www.h19999.example", bytes: null, port: 443 }).length, 1);
  assert.equal(list.matching({ name: "h19999.example", bytes: null, port: 443 }).length, 0);
});
