/** For which requests rules are: each condition alone and with all others, and which rule is the first. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AskedDestination,
  firstMatch,
  type RuleConditions,
  RuleMatcher,
} from "../../../src/forward/rule_conditions.ts";

const ANY: RuleConditions = { hosts: [], cidrs: [], resolve: false, ports: null, users: [], clients: [] };
const ASKED: AskedDestination = { host: "a.corp.test", port: 443, user: "alice", client: "10.1.2.3" };

function match(
  conditions: Partial<RuleConditions>,
  asked: Partial<AskedDestination> = {},
  addresses: readonly string[] | null = null,
): string {
  return new RuleMatcher({ ...ANY, ...conditions }).match({ ...ASKED, ...asked }, addresses);
}

test("a rule without conditions is for everything", () => {
  assert.equal(match({}), "yes");
  assert.equal(match({}, { host: "::1", user: "", client: "" }), "yes");
});

test("host: a name is itself, a suffix what is below it, * everything", () => {
  assert.equal(match({ hosts: ["a.corp.test"] }), "yes");
  assert.equal(match({ hosts: ["A.Corp.Test."] }), "yes");
  assert.equal(match({ hosts: ["corp.test"] }), "no");
  assert.equal(match({ hosts: [".corp.test"] }), "yes");
  assert.equal(match({ hosts: ["*.corp.test"] }), "yes");
  assert.equal(match({ hosts: [".corp.test"] }, { host: "corp.test" }), "no");
  assert.equal(match({ hosts: [".corp.test"] }, { host: "notcorp.test" }), "no");
  assert.equal(match({ hosts: ["b.test", "a.corp.test"] }), "yes");
  assert.equal(match({ hosts: ["*"] }, { host: "127.0.0.1" }), "yes");
  assert.equal(match({ hosts: [".test"] }, { host: "127.0.0.1" }), "no");
  // A rule that has lost a condition would be for everything.
  for (const odd of [{ hosts: [".0.1"] }, { cidrs: ["10"] }, { clients: ["10.0.0.0/33"] }]) {
    assert.throws(() => match(odd));
  }
});

test("cidr: addresses that are asked for, however they are written; names only with resolve", () => {
  assert.equal(match({ cidrs: ["10.0.0.0/8"] }, { host: "10.9.9.9" }), "yes");
  assert.equal(match({ cidrs: ["10.0.0.0/8"] }, { host: "11.0.0.1" }), "no");
  assert.equal(match({ cidrs: ["10.0.0.0/8"] }, { host: "64:ff9b::a00:1" }), "yes");
  assert.equal(match({ cidrs: ["fd00::/8"] }, { host: "fd00::1" }), "yes");
  assert.equal(match({ cidrs: ["10.0.0.0/8"] }), "no");
  assert.equal(match({ cidrs: ["10.0.0.0/8"], resolve: true }), "look_up");
  assert.equal(match({ cidrs: ["10.0.0.0/8"], resolve: true }, {}, ["11.0.0.1", "10.0.0.1"]), "yes");
  assert.equal(match({ cidrs: ["10.0.0.0/8"], resolve: true }, {}, ["11.0.0.1"]), "no");
  assert.equal(match({ cidrs: ["10.0.0.0/8"], resolve: true }, {}, []), "no");
  assert.equal(match({ cidrs: ["10.0.0.0/8"], resolve: true }, { host: "11.0.0.1" }), "no");
});

test("host and cidr are alternatives; a name that fits is not looked up", () => {
  const both = { hosts: [".corp.test"], cidrs: ["10.0.0.0/8"], resolve: true };
  assert.equal(match(both), "yes");
  assert.equal(match(both, { host: "10.0.0.1" }), "yes");
  assert.equal(match(both, { host: "other.test" }), "look_up");
});

test("port, user and client each, and that nothing is looked up for what they rule out", () => {
  assert.equal(match({ ports: [[80, 90], [443, 443]] }), "yes");
  assert.equal(match({ ports: [[444, 500]] }), "no");
  assert.equal(match({ users: ["alice"] }), "yes");
  assert.equal(match({ users: ["alice"] }, { user: "" }), "no");
  assert.equal(match({ clients: ["10.1.0.0/16"] }), "yes");
  assert.equal(match({ clients: ["10.1.0.0/16"] }, { client: "::ffff:10.1.0.1" }), "yes");
  assert.equal(match({ clients: ["10.1.0.0/16"] }, { client: "" }), "no");
  const looks = { cidrs: ["10.0.0.0/8"], resolve: true };
  assert.equal(match({ ...looks, ports: [[80, 80]] }), "no");
  assert.equal(match({ ...looks, users: ["bob"] }), "no");
  assert.equal(match({ ...looks, clients: ["192.0.2.0/24"] }), "no");
});

test("all conditions together: each that does not fit is enough to be no", () => {
  const all = {
    hosts: [".corp.test"],
    ports: [[443, 443]] as const,
    users: ["alice"],
    clients: ["10.0.0.0/8"],
  };
  assert.equal(match(all), "yes");
  const others: Partial<AskedDestination>[] = [{ host: "b.test" }, { port: 80 }, { user: "bob" }, {
    client: "11.0.0.1",
  }];
  for (const other of others) assert.equal(match(all, other), "no", JSON.stringify(other));
});

test("the first rule that fits; one that has to be looked up stops the search, one before it does not", () => {
  const rules = [
    { name: "a", matcher: new RuleMatcher({ ...ANY, hosts: ["a.test"] }) },
    { name: "b", matcher: new RuleMatcher({ ...ANY, cidrs: ["10.0.0.0/8"], resolve: true }) },
    { name: "c", matcher: new RuleMatcher({ ...ANY, ports: [[443, 443]] }) },
  ];
  const first = (host: string, port: number, addresses: readonly string[] | null) => {
    const found = firstMatch(rules, { ...ASKED, host, port }, addresses);
    return found === null || found === "look_up" ? found : found.name;
  };
  assert.equal(first("a.test", 443, null), "a");
  assert.equal(first("x.test", 443, null), "look_up");
  assert.equal(first("x.test", 443, ["10.0.0.1"]), "b");
  assert.equal(first("x.test", 443, []), "c");
  assert.equal(first("x.test", 80, []), null);
  assert.equal(first("10.0.0.1", 443, null), "b");
});
