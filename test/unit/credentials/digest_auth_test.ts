import assert from "node:assert/strict";
import { test } from "node:test";
import { digests } from "../../../runtime/shared/digests.ts";
import { parseChallenges } from "../../../src/credentials/challenge.ts";
import {
  type DigestChallenge,
  digestChallenge,
  DigestSession,
  nextNonce,
  userPassword,
} from "../../../src/credentials/digest_auth.ts";

function challenge(value: string): DigestChallenge | null {
  const [parsed] = parseChallenges([value]);
  return parsed === undefined ? null : digestChallenge(parsed);
}

function params(value: string): ReadonlyMap<string, string> {
  return parseChallenges([value])[0]?.params ?? new Map();
}

const MUFASA = userPassword("Mufasa", "Circle of Life");
const CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
const ASKED = 'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=ALGORITHM, ' +
  'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';

test("the examples of RFC 7616, section 3.9.1", () => {
  for (
    const [algorithm, response] of [
      ["MD5", "8ca523f5e9506fed4657c9700eebdbec"],
      ["SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"],
    ] as const
  ) {
    const asked = challenge(ASKED.replace("ALGORITHM", algorithm)) as DigestChallenge;
    const value = new DigestSession(asked, CNONCE).answer(digests, MUFASA, "GET", "/dir/index.html");
    assert.equal(params(value).get("response"), response);
    assert.equal(
      value,
      `Digest username="Mufasa", realm="http-auth@example.org", nonce="${asked.nonce}", uri="/dir/index.html", ` +
        `response="${response}", algorithm=${algorithm}, cnonce="${CNONCE}", qop=auth, nc=00000001, ` +
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
    );
  }
});

test("requests with one nonce are counted, and -sess has a key of its own", () => {
  const plain = challenge(ASKED.replace("ALGORITHM", "SHA-256")) as DigestChallenge;
  const session = new DigestSession(plain);
  const answers = [1, 2, 3].map(() => params(session.answer(digests, MUFASA, "GET", "/")));
  assert.deepEqual(answers.map((each) => each.get("nc")), ["00000001", "00000002", "00000003"]);
  assert.equal(new Set(answers.map((each) => each.get("response"))).size, 3);
  const sess = challenge(ASKED.replace("ALGORITHM", "MD5-sess")) as DigestChallenge;
  assert.ok(sess.session);
  const value = params(new DigestSession(sess, "abc").answer(digests, MUFASA, "GET", "/"));
  assert.equal(value.get("algorithm"), "MD5-sess");
  const hash = (text: string) =>
    Array.from(
      digests.digest("md5", new TextEncoder().encode(text)),
      (byte) => byte.toString(16).padStart(2, "0"),
    ).join("");
  const key = hash(`${hash("Mufasa:http-auth@example.org:Circle of Life")}:${sess.nonce}:abc`);
  assert.equal(value.get("response"), hash(`${key}:${sess.nonce}:00000001:abc:auth:${hash("GET:/")}`));
});

test("processes that are told the same nonce have client nonces of their own, and so has a nonce that follows", () => {
  const told = challenge(ASKED.replace("ALGORITHM", "SHA-256")) as DigestChallenge;
  const sessions = [
    new DigestSession(told),
    new DigestSession(told),
    new DigestSession(told).renewed(told.nonce),
  ];
  const seen = new Set<string>();
  for (let round = 0; round < 5; round++) {
    for (const session of sessions) {
      const value = params(session.answer(digests, MUFASA, "GET", "/"));
      assert.match(value.get("cnonce") ?? "", /^[0-9a-f]{32}$/);
      seen.add(["nonce", "cnonce", "nc"].map((name) => value.get(name)).join(" "));
    }
  }
  assert.equal(seen.size, 15);
});

test("what cannot be answered is no challenge", () => {
  for (
    const value of [
      'Digest realm="a", nonce="b"',
      'Digest realm="a", nonce="b", qop="auth-int"',
      'Digest realm="a", nonce="b", qop=auth, algorithm=SHA-512-256',
      'Digest nonce="b", qop=auth',
      'Digest realm="a", qop=auth',
      'Basic realm="a"',
    ]
  ) assert.equal(challenge(value), null, value);
});

test("names and realms with quotes, and beyond ASCII", () => {
  const asked = challenge('Digest realm="a\\"b\\\\\xe9", nonce="n\\"", qop=auth') as DigestChallenge;
  assert.equal(asked.realm, 'a"b\\\xe9');
  const session = new DigestSession(asked, "c");
  const value = session.answer(digests, userPassword('ü"', "ß"), "GET", '/"');
  // UTF-8, one character each byte.
  assert.ok(
    value.startsWith('Digest username="\xc3\xbc\\"", realm="a\\"b\\\\\xe9", nonce="n\\"", uri="/\\""'),
    value,
  );
});

test("nextnonce", () => {
  assert.equal(nextNonce('rspauth="x", nextnonce="a\\"b"'), 'a"b');
  assert.equal(nextNonce('nextnonce = "a"'), "a");
  assert.equal(nextNonce('cnextnonce="a"'), null);
  assert.equal(nextNonce("qop=auth"), null);
});
