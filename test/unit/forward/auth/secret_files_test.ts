import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import type { Digests } from "../../../../runtime/contract/contract.ts";
import { digests } from "../../../../runtime/shared/digests.ts";
import { parseBearerTokens, readBearer } from "../../../../src/forward/auth/bearer_tokens.ts";
import { parseHtpasswd } from "../../../../src/forward/auth/htpasswd.ts";
import { utf8 } from "../../../../src/forward/auth/secret_bytes.ts";
import { result } from "./hashing.ts";

const BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
const SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

test("a file of users", () => {
  const text = `# users\n\nalice:${BCRYPT}\r\n  bob:${SHA}:a comment\nj\u00fcrgen:${SHA}`;
  const read = parseHtpasswd(text, digests);
  assert.ok(read.kind === "ok");
  assert.deepEqual(read.users.users, ["alice", "bob", "j\u00fcrgen"]);
  for (const user of read.users.users) {
    assert.ok(result(read.users.verify(user, utf8("secret"), 0, digests)), user);
    assert.ok(!result(read.users.verify(user, utf8("wrong"), 0, digests)), user);
  }
});

test("a user who is not there costs what another one costs, and is never let in", () => {
  const read = parseHtpasswd(`alice:${BCRYPT}\nbob:${BCRYPT}`, digests);
  assert.ok(read.kind === "ok");
  const steps = (user: string, chance: number): number => {
    const work = read.users.verify(user, utf8("secret"), chance, digests);
    let count = 0;
    for (;;) {
      const step = work.next();
      if (step.done !== true) count++;
      else {
        assert.equal(step.value, user === "alice");
        return count;
      }
    }
  };
  for (const chance of [0, 0.3, 0.5, 0.999_999]) {
    assert.equal(steps("mallory", chance), steps("alice", chance));
  }
  const empty = parseHtpasswd("", digests);
  assert.ok(empty.kind === "ok");
  assert.equal(empty.users.size, 0);
  assert.ok(!result(empty.users.verify("mallory", utf8("secret"), 0.5, digests)));
});

test("problems of a file of users are told by line, without secrets", () => {
  const text = [
    "alice:hunter2",
    `bob:${SHA}`,
    "carol",
    "dave:pj8QabOYOIf6w",
    `bob:${SHA}`,
    `:${SHA}`,
    `e\u0007ve:${SHA}`,
    `${"x".repeat(256)}:${SHA}`,
    "frank:",
  ].join("\n");
  const read = parseHtpasswd(text, digests);
  assert.ok(read.kind === "faults");
  assert.deepEqual(read.problems.map(({ line, message }) => `${line} ${message.split(":")[0]}`), [
    "1 the password of alice is plain text",
    "3 is not user",
    "4 the password of dave is a DES hash (or plain text), which protects nothing",
    "5 names the user bob a second time",
    "6 has no user name, or one that is too long or holds control characters",
    "7 has no user name, or one that is too long or holds control characters",
    "8 has no user name, or one that is too long or holds control characters",
    "9 the password of frank is empty",
  ]);
  const shown = JSON.stringify(read.problems);
  for (const secret of ["hunter2", "pj8Qab", "5en6G6"]) assert.ok(!shown.includes(secret), secret);
});

test("a hash whose digest the machine does not allow is a problem of its line", () => {
  const withoutMd5: Digests = {
    ...digests,
    digest(name, bytes) {
      if (name === "md5") throw new Error("digital envelope routines::unsupported");
      return digests.digest(name, bytes);
    },
  };
  const read = parseHtpasswd(`bob:${SHA}\nalice:$apr1$a$PtM1vJaZieHDFk40mKMu6/`, withoutMd5);
  assert.ok(read.kind === "faults");
  assert.deepEqual(read.problems.map(({ line }) => line), [2]);
  assert.match(read.problems[0]?.message ?? "", /alice needs md5/);
});

test("a file of tokens", () => {
  const read = parseBearerTokens("# tokens\nabc.DEF-1_2~3+/== build server\r\nxyz\tci\nuvw ci", digests);
  assert.ok(read.kind === "ok");
  assert.equal(read.tokens.size, 3);
  assert.equal(read.tokens.userOf("abc.DEF-1_2~3+/=="), "build server");
  assert.equal(read.tokens.userOf("xyz"), "ci");
  assert.equal(read.tokens.userOf("uvw"), "ci");
  for (const token of ["", "xy", "xyzz", "XYZ", "abc.DEF-1_2~3+/="]) {
    assert.equal(read.tokens.userOf(token), null);
  }
  for (const shown of [JSON.stringify(read), String(read.tokens), inspect(read, { depth: 9 })]) {
    for (const token of ["abc.DEF", "xyz", "uvw"]) assert.ok(!shown.includes(token), shown);
  }
});

test("problems of a file of tokens are told by line, without tokens", () => {
  const text = 'sesame\nse"same x\nsesame a:b\nsesame ok\nsesame again\n=x y\nsesame2 a\u0001b';
  const read = parseBearerTokens(text, digests);
  assert.ok(read.kind === "faults");
  assert.deepEqual(read.problems.map(({ line }) => line), [1, 2, 3, 5, 6, 7]);
  for (const { message } of read.problems) assert.doesNotMatch(message, /sesame|se"same/);
});

test("fields with a token", () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ["Bearer abc", "abc"],
    ["bearer   abc==", "abc=="],
    ["BEARER a.b-c_d~e+f/g", "a.b-c_d~e+f/g"],
    ["Bearer", null],
    ["Bearer ", null],
    ["Bearer a b", null],
    ["Bearer a,b", null],
    ["Bearer =a", null],
    ["Bearer\tabc", null],
    ["Bearerabc", null],
    ["Basic abc", null],
    ["", null],
  ];
  for (const [value, expected] of cases) assert.equal(readBearer(value), expected, value);
});
