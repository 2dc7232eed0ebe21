import assert from "node:assert/strict";
import { test } from "node:test";
import { bcrypt } from "../../../../src/forward/auth/bcrypt.ts";
import { digitsOfPi } from "../../../../src/forward/auth/digits_of_pi.ts";
import { parsePasswordHash } from "../../../../src/forward/auth/password_hash.ts";
import { fits, result } from "./hashing.ts";

const LONG = "x".repeat(100);

/** Made with htpasswd 2.4, crypt(3) of libxcrypt and OpenSSL 3.0. */
const HASHES: readonly (readonly [password: string, hash: string])[] = [
  ["secret", "$2y$04$j.7uMjEBh9EwAu4FYAfDFe5M5lfQ81AXEp3LvH8F/xhp2c.vSXCFe"],
  ["pässwörd", "$2y$05$9rDlK95Ihwsjyvc37qKYhOOnT6DvIro4h8SaiZD1im3C7CgUkTGC6"],
  ["secret", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"],
  ["secret", "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"],
  ["", "$2y$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"],
  ["z".repeat(72), "$2y$04$abcdefghijklmnopqrstuu7c/9gwyU5n92/NDnt1NVdILq9XYhttG"],
  ["secret", "$apr1$NcBHeAuM$QWB52yLWzhyj9D6wJY0r1."],
  ["secret", "$apr1$a$PtM1vJaZieHDFk40mKMu6/"],
  ["pässwörd", "$apr1$abcdefgh$030j6I3f1zNCF9tihqdd11"],
  [LONG, "$apr1$abcdefgh$9/cwT0JwksL/fA2yBHBE6/"],
  ["secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="],
  ["secret", "$5$6tqo1bxI7dDwDkmU$s6w2kE7vSSKEvcuIM/d.LHPLqUHKEVe4o0VC9tYzWZ8"],
  ["secret", "$5$$o1w7HPzHt8gHmL5zUzDkRqt6Az.BjDfkvuDNNLWnXx5"],
  ["", "$5$abcdefgh$mnv0N8gJGuJiQCFVlADjwwxPyRiUO8rGuljjETTLqw9"],
  ["pässwörd", "$5$rounds=1000$a$1EXeLZTKuDpmJFYwZ9QHJ8RH09/6yKmr5Bevy3cq4V4"],
  [LONG, "$5$abcdefgh$.wvAZFRM3qcOyii0UxLpCnmG9xkhWx4Yxd4UqvBYIa7"],
  [
    "secret",
    "$6$o8zsBzAgIDF/6Dtw$ijAKStjry070zxmQADHBcVNd1.Aza5EFgxK/72JNa80L/dWOUV05/skqYQKjzeZUNuqj0vvs9jAB/qwx2V0UJ.",
  ],
  [
    "pässwörd",
    "$6$rounds=1234$saltsalt$tBSiMZY7hNgVbyM2qjZyHi3cJaXFp8XWjYQS.RHslLm5rmN9NtlImMg8FMp8tDW43RCinP6T5dqlj3MaKco.J.",
  ],
  [
    "",
    "$6$rounds=1234$saltsalt$59Lo4KZV3L2vIp4.TZfAVH9Sy3iPyjjO4hrn227fhHCT3V8HW6Lt/ZIhF1OMtOWnqsL6PjOLsd/HRo7SERcMt1",
  ],
  [
    LONG,
    "$6$abcdefghijklmnop$r/HtRGuCzMNedONV3I8Xz8Qm4Qy85pQ/RigX0agmbAzWsa3BCc1B564NfCD/Giyliby36KbTMkrVLsmFYtbTu1",
  ],
];

test("passwords fit the hashes that other programs have made of them, and no others", () => {
  for (const [password, hash] of HASHES) {
    assert.ok(fits(hash, password), hash);
    assert.ok(!fits(hash, `${password.slice(1)}?`), hash);
    assert.ok(!fits(hash, `!${password}`), hash);
  }
});

test("bcrypt looks at 72 bytes", () => {
  const hash = "$2y$04$abcdefghijklmnopqrstuu7c/9gwyU5n92/NDnt1NVdILq9XYhttG";
  assert.ok(fits(hash, "z".repeat(73)));
  assert.ok(!fits(hash, "z".repeat(71)));
});

test("a hash that differs in one character does not fit", () => {
  for (const [password, hash] of HASHES) {
    const last = hash.length - 3;
    const changed = hash.slice(0, last) + (hash[last] === "a" ? "b" : "a") + hash.slice(last + 1);
    assert.ok(!fits(changed, password), changed);
  }
});

test("hashes that cannot be used", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /empty/],
    ["secret", /plain text/],
    ["secret password", /plain text/],
    ["pj8QabOYOIf6w", /DES/],
    ["0a.74sDocgP/I", /DES/],
    ["$1$Y7aZiTOY$Tf3yBA.ffkCqxG5X3bz8e1", /kind/],
    ["$y$j9T$abc$def", /kind/],
    ["$argon2id$v=19$m=65536,t=3,p=4$abc$def", /kind/],
    ["$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", /kind/],
    ["{SSHA}abcd", /kind/],
    ["{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ", /whole/],
    ["{SHA}", /whole/],
    ["$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIr", /whole/],
    ["$2y$4$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrWx", /whole/],
    ["$2y$03$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", /whole/],
    ["$2y$32$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", /whole/],
    ["$2y$15$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", /cost/],
    ["$apr1$abcdefghi$QWB52yLWzhyj9D6wJY0r1.", /whole/],
    ["$apr1$a$QWB52yLWzhyj9D6wJY0r1", /whole/],
    ["$5$rounds=999$a$1EXeLZTKuDpmJFYwZ9QHJ8RH09/6yKmr5Bevy3cq4V4", /whole/],
    ["$5$rounds=01000$a$1EXeLZTKuDpmJFYwZ9QHJ8RH09/6yKmr5Bevy3cq4V4", /whole/],
    ["$5$rounds=999999999$a$1EXeLZTKuDpmJFYwZ9QHJ8RH09/6yKmr5Bevy3cq4V4", /rounds/],
    ["$6$a$1EXeLZTKuDpmJFYwZ9QHJ8RH09/6yKmr5Bevy3cq4V4", /whole/],
    ["$6$saltthatistoolong$x", /whole/],
  ];
  for (const [text, expected] of cases) {
    const hash = parsePasswordHash(text);
    assert.ok(typeof hash === "string", text);
    assert.match(hash, expected, text);
    assert.match(hash, /htpasswd -B/);
  }
});

test("the constants of Blowfish are the digits of pi", () => {
  const words = digitsOfPi();
  const bits = BigInt(words.length * 32);
  const one = 1n << (bits + 64n);
  // Machin: pi / 4 = 4 atan(1/5) - atan(1/239)
  const inverseTangent = (x: bigint): bigint => {
    let term = one / x;
    let sum = 0n;
    for (let n = 1n; term > 0n; n += 4n) {
      sum += term / n;
      term /= x * x;
      sum -= term / (n + 2n);
      term /= x * x;
    }
    return sum;
  };
  const pi = 4n * (4n * inverseTangent(5n) - inverseTangent(239n));
  const fraction = (pi - 3n * one) >> 64n;
  const hex = [...words].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  assert.equal(hex, fraction.toString(16).padStart(words.length * 8, "0"));
});

test("hashes are worked out in many steps", () => {
  const steps = (hashText: string): number => {
    const hash = parsePasswordHash(hashText);
    if (typeof hash === "string") throw new Error(hash);
    const work = hash.verify(new Uint8Array(3), {
      digest: () => new Uint8Array(64),
      hmacSha256: () => new Uint8Array(32),
    });
    let count = 0;
    while (work.next().done !== true) count++;
    return count;
  };
  assert.equal(steps("$2y$05$9rDlK95Ihwsjyvc37qKYhOOnT6DvIro4h8SaiZD1im3C7CgUkTGC6"), 32);
  assert.equal(steps("$apr1$a$PtM1vJaZieHDFk40mKMu6/"), 20);
  assert.equal(steps("$5$$o1w7HPzHt8gHmL5zUzDkRqt6Az.BjDfkvuDNNLWnXx5"), 100);
  assert.equal(result(bcrypt(new Uint8Array(0), new Uint8Array(16), 4)).length, 23);
});
