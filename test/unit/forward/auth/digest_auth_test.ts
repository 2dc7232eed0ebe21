/** The Digest scheme: what fits, what does not, what may come but once, and that processes with the same file agree. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { digests } from "../../../../runtime/shared/digests.ts";
import { DigestAuth } from "../../../../src/forward/auth/digest_auth.ts";
import { readDigest } from "../../../../src/forward/auth/digest_credentials.ts";
import {
  DIGEST_NAMES,
  type DigestAlgorithm,
  type Htdigest,
  parseHtdigest,
} from "../../../../src/forward/auth/htdigest.ts";
import { hex, Nonces } from "../../../../src/forward/auth/nonces.ts";
import { ProxyAuth } from "../../../../src/forward/auth/proxy_auth.ts";
import { Head } from "../../../../src/http/head.ts";
import { fieldSection } from "../../../../src/http/own_fields.ts";
import { Random } from "../../../fuzz/support/random.ts";
import { FakeClock } from "../../../support/fake_clock.ts";

const REALM = "http-auth@example.org";

function hash(algorithm: DigestAlgorithm, text: string): string {
  return hex(digests.digest(DIGEST_NAMES[algorithm], new TextEncoder().encode(text)));
}

function line(user: string, password: string, algorithm: DigestAlgorithm): string {
  return `${user}:${REALM}:${hash(algorithm, `${user}:${REALM}:${password}`)}`;
}

const FILE = [
  "# who may",
  ...(["MD5", "SHA-256"] as const).flatMap((algorithm) => [
    line("Mufasa", "Circle of Life", algorithm),
    line("jürgen", "geheim", algorithm),
  ]),
].join("\n");

function usersOf(text: string): Htdigest {
  const result = parseHtdigest(text, digests);
  assert.ok(result.kind === "ok", JSON.stringify(result));
  return result.users;
}

function headOf(method: string, target: string, ...values: readonly string[]): Head {
  const section = fieldSection(
    ["Host", "example.com"],
    ...values.map((value) => ["Proxy-Authorization", value] as const),
  );
  return new Head(section, "", 0, 11, method, target, 0, "");
}

interface Told {
  readonly user: string;
  readonly password: string;
  readonly nonce: string;
  readonly method: string;
  readonly uri: string;
  readonly nc: string;
  readonly algorithm: DigestAlgorithm;
  readonly cnonce: string;
  /** Behind all others. */
  readonly more: string;
}

/** As a client makes it. */
function credentials(told: Partial<Told> & Pick<Told, "nonce">): string {
  const all: Told = {
    user: "Mufasa",
    password: "Circle of Life",
    method: "CONNECT",
    uri: "a.test:443",
    nc: "00000001",
    algorithm: "MD5",
    cnonce: "c0",
    more: "",
    ...told,
  };
  const { user, password, nonce, method, uri, nc, algorithm, cnonce, more } = all;
  const secret = hash(algorithm, `${user}:${REALM}:${password}`);
  const response = hash(
    algorithm,
    `${secret}:${nonce}:${nc}:${cnonce}:auth:${hash(algorithm, `${method}:${uri}`)}`,
  );
  return `Digest username="${
    latin1(user)
  }", realm="${REALM}", uri="${uri}", algorithm=${algorithm}, nonce="${nonce}", nc=${nc}, ` +
    `cnonce="${cnonce}", qop=auth, response="${response}"${more}`;
}

/** A character for each byte of its UTF-8. */
function latin1(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function scene(text = FILE): { auth: DigestAuth; clock: FakeClock; nonce: () => string } {
  const clock = new FakeClock();
  const auth = new DigestAuth(usersOf(text), digests, clock);
  return {
    auth,
    clock,
    nonce: () => /nonce="([^"]+)"/.exec(auth.challenges(false).text)?.[1] ?? "",
  };
}

function verdict(
  auth: DigestAuth,
  value: string,
  method = "CONNECT",
  target = "a.test:443",
  path = "",
): string {
  const found = auth.check(value, headOf(method, target, value), path);
  return found.kind === "user" || found.kind === "wrong" ? `${found.kind} ${found.user}` : found.kind;
}

test("the example of RFC 7616 §3.9.1, with both algorithms: the password is right, the nonce is not ours", () => {
  const { auth } = scene();
  const common = {
    nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    method: "GET",
    uri: "/dir/index.html",
  };
  const md5 = credentials(common);
  const sha = credentials({ ...common, algorithm: "SHA-256" });
  assert.match(md5, /response="8ca523f5e9506fed4657c9700eebdbec"/);
  assert.match(sha, /response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"/);
  for (const value of [md5, sha]) {
    assert.equal(verdict(auth, value, "GET", "http://a/dir/index.html", "/dir/index.html"), "stale");
    const spoilt = value.replace(/response="./, 'response="x').replace(
      '"x',
      value.includes('"8') ? '"9' : '"8',
    );
    assert.equal(verdict(auth, spoilt, "GET", "http://a/dir/index.html", "/dir/index.html"), "wrong Mufasa");
  }
});

test("a challenge for each algorithm, each on a line of its own", () => {
  const { auth } = scene();
  assert.match(
    auth.challenges(true).text,
    /^Proxy-Authenticate: Digest realm="http-auth@example\.org", nonce="[0-9a-f]{64}", qop="auth", algorithm=SHA-256, stale=true\r\nProxy-Authenticate: Digest .*, algorithm=MD5, stale=true\r\n$/,
  );
  const md5 = scene(line("a", "b", "MD5")).auth.challenges(false).text;
  assert.match(md5, /^Proxy-Authenticate: Digest [^\r]*algorithm=MD5\r\n$/);
});

test("what fits: names beyond ASCII in both forms, either algorithm, the target or its path", () => {
  const { auth, nonce } = scene();
  const cases: readonly (readonly [Partial<Told>, method?: string, target?: string, path?: string])[] = [
    [{}],
    [{ algorithm: "SHA-256" }],
    [{ user: "jürgen", password: "geheim" }],
    [{ method: "GET", uri: "http://a.test/x?y" }, "GET", "http://a.test/x?y", "/x?y"],
    [{ method: "GET", uri: "/x?y" }, "GET", "http://a.test/x?y", "/x?y"],
  ];
  for (const [told, method, target, path] of cases) {
    const value = credentials({ nonce: nonce(), ...told });
    assert.equal(verdict(auth, value, method, target, path), `user ${told.user ?? "Mufasa"}`, value);
  }
  const extended = credentials({ nonce: nonce(), user: "jürgen", password: "geheim" })
    .replace(/username="[^"]*"/, "username*=UTF-8''j%C3%BCrgen");
  assert.equal(verdict(auth, extended), "user jürgen");
});

test("what does not fit", () => {
  const { auth, nonce } = scene();
  const good = credentials({ nonce: nonce() });
  const cases: readonly (readonly [string, string])[] = [
    [credentials({ nonce: nonce(), password: "other" }), "wrong Mufasa"],
    [credentials({ nonce: nonce(), user: "nobody" }), "wrong nobody"],
    [credentials({ nonce: nonce(), method: "GET" }), "wrong Mufasa"],
    [credentials({ nonce: nonce(), uri: "b.test:443" }), "malformed"],
    [good.replace("qop=auth", "qop=auth-int"), "malformed"],
    [good.replace(", qop=auth", ""), "malformed"],
    [good.replace("algorithm=MD5", "algorithm=MD5-sess"), "malformed"],
    [good.replace("algorithm=MD5", "algorithm=SHA-512-256"), "malformed"],
    [good.replace(REALM, "other"), "malformed"],
    [good.replace("nc=00000001", "nc=1"), "malformed"],
    [good.replace('cnonce="c0"', 'cnonce=""'), "malformed"],
    [`${good}, userhash=true`, "malformed"],
    [`${good}, nonce="x"`, "malformed"],
    [`${good}, username*=UTF-8''a`, "malformed"],
    [good.replace("username=", "user="), "malformed"],
    [`${good} x`, "malformed"],
    ["Digest ", "malformed"],
    [`Digest ${"x,".repeat(50_000)}`, "malformed"],
    [`Digest a="${"\\".repeat(50_000)}`, "malformed"],
  ];
  for (const [value, wanted] of cases) assert.equal(verdict(auth, value), wanted, value.slice(0, 200));
  assert.equal(verdict(auth, good), "user Mufasa", "none of them has used it up");
  assert.equal(verdict(auth, good), "stale", "once");
});

test("parameters: escapes, spaces, any order and case", () => {
  const read = readDigest(
    'digest\tUSERNAME = "a\\"b\\\\c" ,realm="r",nonce=n,uri="/", nc=0000000A,cnonce="x", qop="auth",response="' +
      `${"AB".repeat(16)}"`,
  );
  assert.deepEqual(read, {
    user: 'a"b\\c',
    realm: "r",
    nonce: "n",
    uri: "/",
    algorithm: "MD5",
    response: "ab".repeat(16),
    nc: "0000000A",
    cnonce: "x",
  });
});

test("a nonce lives for five minutes; then the password is not asked for, but another nonce is given", () => {
  const { auth, clock, nonce } = scene();
  const old = nonce();
  clock.advance(299_000);
  assert.equal(verdict(auth, credentials({ nonce: old })), "user Mufasa");
  clock.advance(2000);
  assert.equal(verdict(auth, credentials({ nonce: old, nc: "00000002" })), "stale");
});

test("processes with the same file take each other's nonces, those with another file do not", () => {
  const clock = new FakeClock();
  clock.advance(10_000);
  const [one, two] = [FILE, FILE].map((text) => new DigestAuth(usersOf(text), digests, clock));
  const other = new DigestAuth(
    usersOf(`${FILE}\n${line("x", "y", "MD5")}\n${line("x", "y", "SHA-256")}`),
    digests,
    clock,
  );
  const given = /nonce="([^"]+)"/.exec(one?.challenges(false).text ?? "")?.[1] ?? "";
  assert.equal(verdict(two as DigestAuth, credentials({ nonce: given })), "user Mufasa");
  assert.equal(verdict(other, credentials({ nonce: given })), "stale");
  clock.advance(5);
  const later = new DigestAuth(usersOf(FILE), digests, clock);
  assert.equal(
    verdict(later, credentials({ nonce: given, nc: "00000002" })),
    "stale",
    "from before its start",
  );
});

test("counts: each once, whatever the order within 32; checked against all that were used", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const nonces = new Nonces(new Uint8Array(32), digests, 0);
    const nonce = nonces.make(1000);
    const issuedAt = nonces.issuedAt(nonce);
    assert.equal(issuedAt, 1000);
    const used = new Set<number>();
    let highest = 0;
    for (let step = 0; step < 500; step++) {
      const count = random.once(40) ? highest + random.next(200) : Math.max(0, highest + 3 - random.next(45));
      const fresh = nonces.use(nonce, 1000, count, 2000);
      const wanted = count >= 1 && !used.has(count) && (highest === 0 || count > highest - 32);
      assert.equal(fresh, wanted, `seed ${seed}, step ${step}: ${count} after ${highest}`);
      if (fresh) {
        used.add(count);
        highest = Math.max(highest, count);
      }
    }
  }
});

test("what is remembered is bounded, and what was forgotten cannot be used again", () => {
  const nonces = new Nonces(new Uint8Array(32), digests, 0);
  const first = nonces.make(1);
  assert.ok(nonces.use(first, 1, 1, 1));
  for (let at = 2; at <= 10_001; at++) assert.ok(nonces.use(nonces.make(at), at, 1, at));
  assert.ok(!nonces.use(first, 1, 2, 10_002));
  assert.ok(!nonces.use(nonces.make(1), 1, 1, 10_002), "one of the same age");
  assert.ok(nonces.use(nonces.make(10_002), 10_002, 1, 10_002));
});

test("a nonce that was changed in any digit is not ours", () => {
  const nonces = new Nonces(new Uint8Array(32).fill(7), digests, 0);
  const nonce = nonces.make(123_456_789_012);
  assert.equal(nonces.issuedAt(nonce), 123_456_789_012);
  for (let at = 0; at < nonce.length; at++) {
    const digit = nonce[at] === "0" ? "1" : "0";
    assert.equal(nonces.issuedAt(nonce.slice(0, at) + digit + nonce.slice(at + 1)), null);
  }
  for (const odd of ["", nonce.slice(1), `${nonce}0`, nonce.toUpperCase()]) {
    assert.equal(nonces.issuedAt(odd), null);
  }
});

test("files: all problems by line, without a hash", () => {
  const md5 = "0123456789abcdef0123456789abcdef";
  const result = parseHtdigest(
    [
      `a:r:${md5}`,
      "b",
      "b:r",
      `:r:${md5}`,
      `c::${md5}`,
      `d:other:${md5}`,
      `e:r:${md5}0`,
      "f:r:xyz",
      `a:r:${md5}`,
      `g:r:${md5}:more`,
      `h:"r:${md5}`,
    ].join("\n"),
    digests,
  );
  assert.ok(result.kind === "faults");
  assert.deepEqual(result.problems.map(({ line }) => line), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.doesNotMatch(JSON.stringify(result.problems), /0123456789/);
  const mixed = parseHtdigest(`a:r:${md5}\nb:r:${md5}${md5}\n`, digests);
  assert.ok(mixed.kind === "faults");
  assert.deepEqual(mixed.problems.map(({ message }) => message), [
    "a has no SHA-256 hash, and others have",
    "b has no MD5 hash, and others have",
  ]);
  assert.equal(usersOf("").size, 0);
});

test("beside other schemes; wrong ones are slowed down, stale ones are not", () => {
  const clock = new FakeClock();
  const auth = new ProxyAuth({ users: null, tokens: null, digestUsers: usersOf(FILE), digests, clock });
  assert.deepEqual(auth.schemes, ["Digest"]);
  const check = (value: string) =>
    auth.check(headOf("CONNECT", "a.test:443", value), "192.0.2.1", clock.now());
  const first = auth.check(headOf("CONNECT", "a.test:443"), "192.0.2.1", clock.now());
  assert.ok(first.kind === "challenge");
  const nonce = /nonce="([^"]+)"/.exec(first.fields.text)?.[1] ?? "";
  const good = credentials({ nonce });
  const known = check(good);
  assert.ok(known.kind === "user" && known.user === "Mufasa");
  for (let again = 0; again < 20; again++) {
    const stale = check(good);
    assert.ok(stale.kind === "challenge" && stale.delayMs === 0 && !stale.given);
    assert.match(stale.fields.text, /stale=true/);
  }
  let delayMs = 0;
  for (let guess = 0; guess < 20; guess++) {
    const wrong = check(credentials({ nonce, password: `${guess}` }));
    assert.ok(wrong.kind === "challenge" && wrong.given);
    assert.doesNotMatch(wrong.fields.text, /stale/);
    delayMs = wrong.delayMs;
  }
  assert.ok(delayMs > 0);
});
