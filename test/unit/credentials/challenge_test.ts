import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "../../../src/credentials/challenge.ts";
import { Random } from "../../fuzz/support/random.ts";

function read(...values: string[]): unknown[] {
  return parseChallenges(values).map(({ scheme, token, params }) => [
    scheme,
    token,
    Object.fromEntries(params),
  ]);
}

test("a scheme stands alone, with a token or with parameters", () => {
  assert.deepEqual(read("NTLM"), [["ntlm", "", {}]]);
  assert.deepEqual(read("NTLM TlRMTVNTUAAC=="), [["ntlm", "TlRMTVNTUAAC==", {}]]);
  assert.deepEqual(read('Basic realm="a b", charset=UTF-8'), [["basic", "", {
    realm: "a b",
    charset: "UTF-8",
  }]]);
});

test("commas separate challenges, and the parameters of one", () => {
  assert.deepEqual(
    read(
      'Negotiate, NTLM ,Digest realm="x, Basic y", qop="auth,auth-int" , nonce = abc, Basic realm="\\"q\\\\"',
    ),
    [
      ["negotiate", "", {}],
      ["ntlm", "", {}],
      ["digest", "", { realm: "x, Basic y", qop: "auth,auth-int", nonce: "abc" }],
      ["basic", "", { realm: '"q\\' }],
    ],
  );
  assert.deepEqual(read("NTLM abc=, Negotiate YII=, Basic realm=x"), [
    ["ntlm", "abc=", {}],
    ["negotiate", "YII=", {}],
    ["basic", "", { realm: "x" }],
  ]);
});

test("several lines are one list, and empty elements are none", () => {
  assert.deepEqual(read(", ,NTLM,,", "Negotiate , "), [["ntlm", "", {}], ["negotiate", "", {}]]);
  assert.deepEqual(read("", ",", " "), []);
});

test("a malformed line asks for nothing, and leaves the others alone", () => {
  for (
    const bad of [
      'Digest realm="open',
      "Digest realm=a realm=b",
      "Digest realm=a, realm=b",
      "Digest =x",
      'Basic realm="a" junk',
      "NTLM abc def",
      "Basic realm=a;nonce=b",
      'Basic realm="\x01"',
      "@",
      "Basic realm",
    ]
  ) {
    const rest = read(bad, "NTLM");
    assert.deepEqual(rest.at(-1), ["ntlm", "", {}], bad);
    if (bad !== "Basic realm") assert.equal(rest.length, 1, bad);
  }
});

test("any text is read, and takes no more time than its length allows", () => {
  // An attempt that is quadratic takes minutes, and the test's own time is over.
  for (const piece of ["a,", 'a="', "a ", 'Digest a="b",', ",", "\\", '"', "a=", "= "]) {
    const challenges = parseChallenges([piece.repeat(20_000)]);
    assert.ok(challenges.length <= 32, piece);
  }
});

test("whatever is written by the grammar is read as what was meant", () => {
  const random = new Random(7);
  const token = () =>
    Array.from({ length: random.between(1, 6) }, () => random.pick([..."abcXYZ019!#$%&'*+-.^_`|~"])).join("");
  const spaces = () => random.pick(["", " ", "\t", "  "]);
  for (let round = 0; round < 3000; round++) {
    const meant = Array.from({ length: random.between(1, 4) }, () => {
      const scheme = token();
      if (random.once(3)) return { scheme, token: "", params: [] };
      if (random.once(3)) return { scheme, token: `${token().replace(/[^A-Za-z0-9]/g, "a")}==`, params: [] };
      const params = new Map(
        Array.from({ length: random.between(1, 4) }, () => [
          token().toLowerCase(),
          Array.from({ length: random.next(5) }, () => random.pick([...'ab ,="\\\t\xe9'])).join(""),
        ]),
      );
      return { scheme, token: "", params: [...params] };
    });
    const written = meant.map((challenge) => {
      const params = challenge.params.map(([name, value = ""]) => {
        const plain = /^[a-z]+$/.test(value) && random.once(2);
        const text = plain ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
        return `${name}${spaces()}=${spaces()}${text}`;
      }).join(`${spaces()},${spaces()}`);
      const rest = challenge.token + params;
      return challenge.scheme + (rest === "" ? "" : ` ${spaces()}${rest}`);
    });
    const value = written.join(`${spaces()},${random.pick(["", " ", ",", " , "])}`);
    assert.deepEqual(
      parseChallenges([value]).map(({ scheme, token, params }) => ({ scheme, token, params: [...params] })),
      meant.map((challenge) => ({ ...challenge, scheme: challenge.scheme.toLowerCase() })),
      value,
    );
    // Whatever is changed of it, something comes back.
    const at = random.next(value.length);
    parseChallenges([
      value.slice(0, at) + random.pick([...'",=\\ \x00a']) + value.slice(at + random.next(2)),
    ]);
  }
});
