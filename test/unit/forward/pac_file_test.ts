/**
 * The proxy auto-configuration file: whatever the rules, a browser goes directly only where we would do so whoever asks and
 * whatever addresses a name has; and where that is sure, it does.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NoProxy } from "../../../src/forward/no_proxy.ts";
import { pacDecisions, pacFile, type PacRule, type PacSource } from "../../../src/forward/pac_file.ts";
import { firstMatch, type RuleConditions, RuleMatcher } from "../../../src/forward/rule_conditions.ts";
import { DestinationPolicy } from "../../../src/forward/destination_policy.ts";
import { parseDestinationRule } from "../../../src/forward/destination_rule.ts";
import { OwnListeners } from "../../../src/forward/own_listeners.ts";
import { Random } from "../../fuzz/support/random.ts";
import { walkSeeds } from "../../support/seeds.ts";

const VIA = "PROXY 192.0.2.1:3128";
const ANY: RuleConditions = { hosts: [], cidrs: [], resolve: false, ports: null, users: [], clients: [] };
const NOTHING: PacSource = { rules: [], direct: [], allow: [], ours: [] };

type Find = (url: string, host: string) => unknown;

function evaluated(source: Partial<PacSource>): Find {
  const file = pacFile(pacDecisions({ ...NOTHING, ...source }), VIA);
  // A browser has nothing else in scope that the file could use.
  // deno-lint-ignore no-explicit-any -- what the file says is any text
  return new (Function as any)(`"use strict"; ${file}; return FindProxyForURL;`)() as Find;
}

function rule(direct: boolean, conditions: Partial<RuleConditions>): PacRule {
  return { direct, conditions: { ...ANY, ...conditions } };
}

/** The host as a browser gives it: that of the URL. */
function asked(find: Find, url: string): unknown {
  const host = /^[a-z]+:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/.exec(url)?.[1] ?? "";
  return find(url, host);
}

test("without rules everything comes to us, but for the client's own machine", () => {
  const find = evaluated({});
  for (const url of ["http://a.test/", "https://10.0.0.1/", "http://[fd00::1]/x", "wss://x/"]) {
    assert.equal(asked(find, url), VIA, url);
  }
  for (
    const url of ["http://localhost:3000/", "http://a.localhost/", "http://127.9.9.9/", "https://[::1]:8443/"]
  ) {
    assert.equal(asked(find, url), "DIRECT", url);
  }
});

test("names, suffixes, blocks and ports; in any case, with a final dot, with or without brackets", () => {
  const find = evaluated({
    rules: [
      rule(false, { hosts: ["ads.corp.test"] }),
      rule(true, {
        hosts: [".corp.test", "one.test"],
        cidrs: ["10.0.0.0/9", "fd00::/8"],
        ports: [[443, 443], [8000, 8001]],
      }),
    ],
  });
  const direct = [
    "https://a.corp.test/",
    "https://A.Corp.Test./",
    "https://one.test/",
    "http://one.test:8001/",
    "https://u:p@one.test/x@y:80/",
    "https://10.127.0.1/",
    "https://[fd12::1]/",
    "https://[::ffff:10.0.0.1]/",
  ];
  const via = [
    "http://a.corp.test/",
    "https://corp.test/",
    "https://ads.corp.test/",
    "https://xone.test/",
    "https://10.128.0.1/",
    "https://[fe00::1]/",
    "http://one.test:443443/",
    "https://300.0.0.1/",
    "https://[2002:0a00:0001::1]/",
  ];
  for (const url of direct) assert.equal(asked(find, url), "DIRECT", url);
  for (const url of via) assert.equal(asked(find, url), VIA, url);
  assert.equal(find("https://[fd12::1]/", "fd12::1"), "DIRECT");
});

test("what depends on who asks, or on the address of a name, comes to us, and so does what may be meant by it", () => {
  const find = evaluated({
    rules: [
      rule(true, { hosts: [".a.test"], users: ["alice"] }),
      rule(true, { hosts: [".b.test"], clients: ["10.0.0.0/8"] }),
      rule(true, { cidrs: ["10.0.0.0/8"], resolve: true, ports: [[443, 443]] }),
      rule(true, { hosts: [".test"] }),
    ],
  });
  for (const url of ["http://x.a.test/", "http://x.b.test/", "https://x.c.test/"]) {
    assert.equal(asked(find, url), VIA, url);
  }
  for (const url of ["https://10.1.1.1/", "http://x.c.test/"]) assert.equal(asked(find, url), "DIRECT", url);
});

test("what is denied or not allowed comes to us", () => {
  const rules = [rule(true, { hosts: ["*"] })];
  const denied = evaluated({ rules, ours: ["a.test", "10.0.0.0/8:80", "metadata"] });
  assert.equal(asked(denied, "http://a.test/"), VIA);
  // Any name may have such an address.
  assert.equal(asked(denied, "http://b.test/"), VIA);
  const allowed = evaluated({ rules, allow: ["a.test:443", ".b.test", "private"] });
  for (const url of ["http://a.test/", "http://c.test/", "http://10.0.0.1/"]) {
    assert.equal(asked(allowed, url), VIA);
  }
  for (const url of ["https://a.test/", "http://x.b.test/"]) assert.equal(asked(allowed, url), "DIRECT");
});

test("no_proxy", () => {
  const { entries } = new NoProxy("a.test,.b.test,10.0.0.0/8,c.test:8080");
  const find = evaluated({ direct: entries });
  for (
    const url of [
      "http://a.test/",
      "http://x.a.test/",
      "http://x.b.test/",
      "http://10.0.0.1/",
      "http://c.test:8080/",
    ]
  ) {
    assert.equal(asked(find, url), "DIRECT", url);
  }
  for (const url of ["http://b.test/", "http://c.test/", "http://11.0.0.1/"]) {
    assert.equal(asked(find, url), VIA, url);
  }
  assert.equal(asked(evaluated({ direct: new NoProxy("*").entries }), "http://x.test/"), "DIRECT");
});

test("the same rules make the same bytes, and nothing in them ends a string or the script", () => {
  const source: PacSource = { ...NOTHING, rules: [rule(true, { hosts: ["a_b-c.test"] })] };
  assert.equal(pacDecisions(source), pacDecisions(structuredClone(source)));
  const file = pacFile(pacDecisions(source), 'PROXY "</script>\u2028\n:1');
  assert.doesNotThrow(() => new Function(file));
});

const HOSTS = [
  "a.test",
  "x.a.test",
  "b.test",
  "x.b.test",
  "c.d.test",
  "127.0.0.1",
  "10.1.2.3",
  "10.200.0.1",
  "192.0.2.9",
];
const HOSTS_V6 = ["::1", "fd00::1", "fd80::2", "2001:db8::1", "64:ff9b::a01:203", "2002:a01:203::1"];
const PLACES = ["a.test", ".a.test", "b.test", ".test", "*"];
const BLOCKS = ["10.0.0.0/8", "10.128.0.0/9", "127.0.0.0/8", "fd00::/9", "::1/128", "0.0.0.0/0", "::/0"];

for (const seed of walkSeeds(200)) {
  const random = new Random(seed);
  const some = <T>(all: readonly T[]): T[] => all.filter(() => random.next(100) < 25);
  const conditions = (): RuleConditions => {
    const cidrs = some(BLOCKS);
    return {
      hosts: some(PLACES),
      cidrs,
      resolve: cidrs.length > 0 && random.next(100) < 40,
      ports: random.next(100) < 30 ? [[80, 80], [8000, 8080]] : null,
      users: random.next(100) < 20 ? ["alice"] : [],
      clients: random.next(100) < 20 ? ["10.0.0.0/8"] : [],
    };
  };
  test(`seed ${seed}: DIRECT only where it is sure, and there`, () => {
    const rules = Array.from(
      { length: random.next(6) },
      () => ({ direct: random.next(100) < 60, conditions: conditions() }),
    );
    const noProxy = random.next(100) < 40
      ? some(["a.test", ".b.test", "10.0.0.0/9", "fd00::/8", "d.test:443"]).join(",")
      : "";
    const ours = random.next(100) < 30
      ? some(["x.a.test", "10.128.0.0/9:443", "loopback", ".b.test:80"])
      : [];
    const find = evaluated({ rules, direct: new NoProxy(noProxy).entries, ours });
    const matchers = rules.map((each) => ({ ...each, matcher: new RuleMatcher(each.conditions) }));
    const direct = new NoProxy(noProxy);
    const lists = {
      allow: [],
      deny: ours.flatMap((text) => {
        const parsed = parseDestinationRule(text);
        return parsed.kind === "ok" ? [parsed.rule] : [];
      }),
    };
    const policy = new DestinationPolicy({
      lists,
      userLists: new Map(),
      connectPorts: new Set([80, 443, 8080]),
      onLoopback: true,
      own: new OwnListeners([], () => []),
    });
    for (const host of [...HOSTS, ...HOSTS_V6]) {
      for (const port of [80, 443, 8080]) {
        const answers = new Set<string>();
        const isLiteral = !/[a-z]\.|test$/.test(host);
        for (const user of ["", "alice"]) {
          for (const client of ["10.0.0.1", "192.0.2.1"]) {
            for (const addresses of [["10.1.1.1"], ["10.200.1.1"], ["fd00::9"], ["127.0.0.1"], []]) {
              const verdict = policy.judgeName({ host, port, isTunnel: true, user: null });
              const dialled = isLiteral
                ? []
                : addresses.map((address) =>
                  policy.judgeAddress(address, { host, port, isTunnel: true, user: null })
                );
              const found = firstMatch(matchers, { host, port, user, client }, addresses);
              assert.notEqual(found, "look_up");
              const goes = found === null ? direct.has(host, port) : found !== "look_up" && found.direct;
              const allowed = [verdict, ...dialled].every((each) => each.allowed);
              answers.add(goes && allowed ? "direct" : "via");
            }
          }
        }
        const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
        const said = asked(find, url);
        const local = /^(127\.|::1$)/.test(host);
        if (said === "DIRECT") {
          const unruled = local &&
            !matchers.some(({ matcher }) =>
              matcher.match({ host, port, user: "alice", client: "10.0.0.1" }, []) === "yes"
            );
          if (!unruled) assert.deepEqual([...answers], ["direct"], url);
        }
        // What depends on nothing that a browser cannot know.
        const plain = rules.every(({ conditions: { resolve, users, clients } }) =>
          !resolve && users.length + clients.length === 0
        );
        const embedded = /^(64:|2002:|2001:db8:|192\.0\.2)/.test(host);
        if (plain && ours.length === 0 && !embedded && answers.size === 1 && answers.has("direct")) {
          assert.equal(said, "DIRECT", url);
        }
      }
    }
  });
}
