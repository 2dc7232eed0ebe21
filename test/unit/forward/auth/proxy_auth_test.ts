import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { digests } from "../../../../runtime/shared/digests.ts";
import { parseBearerTokens } from "../../../../src/forward/auth/bearer_tokens.ts";
import { parseHtpasswd } from "../../../../src/forward/auth/htpasswd.ts";
import {
  type AuthPending,
  type AuthVerdict,
  ProxyAuth,
  type ProxyAuthOptions,
} from "../../../../src/forward/auth/proxy_auth.ts";
import { Head } from "../../../../src/http/head.ts";
import { fieldSection } from "../../../../src/http/own_fields.ts";
import { FakeClock } from "../../../support/fake_clock.ts";

const HASH = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

interface Scene {
  readonly auth: ProxyAuth;
  readonly clock: FakeClock;
  /** Field values whose HMAC was asked for, and other digests, are not counted: only password checks. */
  readonly checks: () => number;
  /** The verdict on a request with these Proxy-Authorization lines, the clock moved as far as needed. */
  ask(...values: readonly string[]): Promise<AuthVerdict>;
  askFrom(address: string, ...values: readonly string[]): Promise<AuthVerdict>;
}

function scene(options: Partial<ProxyAuthOptions> = {}): Scene {
  const clock = new FakeClock();
  const users = parseHtpasswd(`alice:${HASH}\nbob:${HASH}`, digests);
  const tokens = parseBearerTokens("sesame ci", digests);
  assert.ok(users.kind === "ok" && tokens.kind === "ok");
  let checks = 0;
  const verify = users.users.verify.bind(users.users);
  users.users.verify = (...given) => {
    checks++;
    return verify(...given);
  };
  const auth = new ProxyAuth({ users: users.users, tokens: tokens.tokens, digests, clock, ...options });
  const askFrom = async (address: string, ...values: readonly string[]): Promise<AuthVerdict> => {
    const verdict = auth.check(headOf(...values), address, clock.now());
    if (verdict.kind !== "pending") return verdict;
    clock.advance(0);
    return await verdict.verdict;
  };
  return { auth, clock, checks: () => checks, ask: (...values) => askFrom("192.0.2.1", ...values), askFrom };
}

function headOf(...values: readonly string[]): Head {
  const section = fieldSection(
    ["Host", "example.com"],
    ...values.map((value) => ["Proxy-Authorization", value] as const),
  );
  return new Head(section, "", 0, 11, "GET", "http://example.com/", 0, "");
}

function basic(user: string, password: string): string {
  return `Basic ${btoa(`${user}:${password}`)}`;
}

function shown(verdict: AuthVerdict): string {
  switch (verdict.kind) {
    case "user":
      return verdict.user;
    case "challenge":
      return `${verdict.words}, ${verdict.delayMs} ms`;
    case "busy":
      return "busy";
  }
}

test("who may use the proxy", async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[], "credentials are needed, 0 ms"],
    [[basic("alice", "secret")], "alice"],
    [[basic("bob", "secret").replace("Basic", "basic")], "bob"],
    [[basic("alice", "Secret")], "wrong credentials, 0 ms"],
    [[basic("mallory", "secret")], "wrong credentials, 0 ms"],
    [["Bearer sesame"], "ci"],
    [["Bearer other"], "wrong credentials, 0 ms"],
    [[`Bearer ${btoa("alice:secret")}`], "wrong credentials, 0 ms"],
    [["Basic sesame"], "Proxy-Authorization is malformed, 0 ms"],
    [["Digest username=alice"], "Proxy-Authorization is malformed, 0 ms"],
    [["Negotiate YIIabc"], "Proxy-Authorization is malformed, 0 ms"],
    [[""], "Proxy-Authorization is malformed, 0 ms"],
    [[basic("alice", "secret"), basic("alice", "secret")], "Proxy-Authorization is malformed, 0 ms"],
    [[basic("alice", "secret"), "Bearer sesame"], "Proxy-Authorization is malformed, 0 ms"],
  ];
  for (const [values, expected] of cases) {
    assert.equal(shown(await scene().ask(...values)), expected, values.join(" | "));
  }
});

test("challenges stand on lines of their own, and name what can be answered", async () => {
  const lines = async (options: Partial<ProxyAuthOptions>): Promise<string> => {
    const verdict = await scene(options).ask();
    assert.ok(verdict.kind === "challenge");
    return verdict.fields.text;
  };
  const basicLine = 'Proxy-Authenticate: Basic realm="sluice", charset="UTF-8"\r\n';
  const bearerLine = 'Proxy-Authenticate: Bearer realm="sluice"\r\n';
  assert.equal(await lines({}), basicLine + bearerLine);
  assert.equal(await lines({ tokens: null }), basicLine);
  assert.equal(await lines({ users: null }), bearerLine);
  assert.equal(
    shown(await scene({ users: null }).ask(basic("alice", "secret"))),
    "Proxy-Authorization is malformed, 0 ms",
  );
  assert.equal(
    shown(await scene({ tokens: null }).ask("Bearer sesame")),
    "Proxy-Authorization is malformed, 0 ms",
  );
});

test("a password is worked out once in five minutes", async () => {
  const { auth, clock, checks, ask } = scene();
  assert.equal(shown(await ask(basic("alice", "secret"))), "alice");
  assert.equal(checks(), 1);
  const again = auth.check(headOf(basic("alice", "secret")), "198.51.100.9", clock.now());
  assert.deepEqual(again, { kind: "user", user: "alice" });
  clock.advance(299_999);
  await ask(basic("alice", "secret"));
  assert.equal(checks(), 1);
  clock.advance(1);
  assert.equal(shown(await ask(basic("alice", "secret"))), "alice");
  assert.equal(checks(), 2);
});

test("a wrong password that is repeated is not worked out again, and counts each time", async () => {
  const { checks, ask } = scene();
  const delays: string[] = [];
  for (let i = 0; i < 7; i++) delays.push(shown(await ask(basic("alice", "wrong"))));
  assert.equal(checks(), 1);
  assert.deepEqual(delays.slice(4), [
    "wrong credentials, 0 ms",
    "wrong credentials, 1000 ms",
    "wrong credentials, 1000 ms",
  ]);
  assert.equal(shown(await ask(basic("alice", "secret"))), "alice", "nobody is locked out");
});

test("requests with the same credentials at the same time wait for one result", async () => {
  const { auth, clock, checks } = scene();
  const verdicts = Array.from(
    { length: 100 },
    () => auth.check(headOf(basic("alice", "secret")), "192.0.2.1", clock.now()),
  );
  assert.ok(verdicts.every((verdict): verdict is AuthPending => verdict.kind === "pending"));
  clock.advance(0);
  const users = await Promise.all((verdicts as AuthPending[]).map(({ verdict }) => verdict));
  assert.ok(users.every((verdict) => shown(verdict) === "alice"));
  assert.equal(checks(), 1);
});

test("guesses are slowed down by address and by user", async () => {
  const byAddress = scene();
  for (let i = 0; i < 5; i++) await byAddress.ask(basic(`user${i}`, "x"));
  assert.equal(shown(await byAddress.ask(basic("user9", "x"))), "wrong credentials, 1000 ms");
  assert.equal(shown(await byAddress.ask("Bearer x")), "wrong credentials, 1000 ms");
  assert.equal(shown(await byAddress.ask("junk")), "Proxy-Authorization is malformed, 1000 ms");
  assert.equal(shown(await byAddress.ask()), "credentials are needed, 0 ms");
  assert.equal(shown(await byAddress.askFrom("192.0.2.2", "junk")), "Proxy-Authorization is malformed, 0 ms");
  byAddress.clock.advance(400);
  assert.equal(shown(await byAddress.ask("junk")), "Proxy-Authorization is malformed, 600 ms");

  const byUser = scene();
  for (let i = 0; i < 5; i++) await byUser.askFrom(`192.0.2.${i}`, basic("alice", `guess${i}`));
  assert.equal(shown(await byUser.askFrom("192.0.2.99", basic("alice", "x"))), "wrong credentials, 1000 ms");
  assert.equal(shown(await byUser.askFrom("192.0.2.98", basic("bob", "x"))), "wrong credentials, 0 ms");

  const network = scene();
  for (let i = 0; i < 5; i++) await network.askFrom(`2001:db8:1:2::${i}`, "junk");
  assert.equal(
    shown(await network.askFrom("2001:db8:1:2:ffff::", "junk")),
    "Proxy-Authorization is malformed, 1000 ms",
  );
  assert.equal(
    shown(await network.askFrom("2001:db8:1:3::", "junk")),
    "Proxy-Authorization is malformed, 0 ms",
  );
});

test("too many passwords at a time are refused as busy", async () => {
  const { auth, clock } = scene();
  const verdicts = Array.from(
    { length: 70 },
    (_, i) => auth.check(headOf(basic(`user${i}`, "x")), "192.0.2.1", clock.now()),
  );
  assert.equal(verdicts.filter(({ kind }) => kind === "busy").length, 6);
  assert.equal(auth.check(headOf(basic("alice", "x")), "192.0.2.2", clock.now()).kind, "pending");
  clock.advance(0);
  await Promise.all(verdicts.map((verdict) => verdict.kind === "pending" ? verdict.verdict : verdict));
});

test("a challenge names the user who was claimed, for logs", async () => {
  const claimed = async (...values: string[]): Promise<string | null> => {
    const verdict = await scene().ask(...values);
    return verdict.kind === "challenge" ? verdict.claimedUser : "no challenge";
  };
  assert.equal(await claimed(basic("mallory", "x")), "mallory");
  assert.equal(await claimed("junk"), null);
  assert.equal(await claimed(), null);
});

test("secrets show in no text that is made of it", async () => {
  const { auth, clock, ask } = scene();
  await ask(basic("alice", "secret"));
  await ask(basic("alice", "hunter2"));
  const pending = auth.check(headOf(basic("alice", "hunter3")), "192.0.2.1", clock.now());
  const verdict = await ask(basic("alice", "hunter4"));
  for (const value of [auth, pending, verdict]) {
    for (const text of [String(value), JSON.stringify(value), inspect(value, { depth: 20 })]) {
      for (const secret of ["secret", "hunter", "sesame", HASH.slice(29), btoa("alice:hunter4")]) {
        assert.ok(!text.includes(secret), `${secret} in ${text}`);
      }
    }
  }
});
