import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { readBasic } from "../../../../src/forward/auth/basic_credentials.ts";
import { Random } from "../../../fuzz/support/random.ts";

function encoded(bytes: Uint8Array | string): string {
  const raw = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  return btoa(String.fromCharCode(...raw));
}

function shown(value: string): string | null {
  const read = readBasic(value);
  return read === null ? null : `${read.user} / ${new TextDecoder().decode(read.passwordBytes())}`;
}

test("fields that can be read", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin / open sesame"], // RFC 7617 §2
    ["Basic dGVzdDoxMjPCow==", "test / 123\u00a3"], // RFC 7617 §2.1
    ["basic dGVzdDoxMjPCow==", "test / 123\u00a3"],
    ["BASIC   dGVzdDoxMjPCow==", "test / 123\u00a3"],
    [`Basic ${encoded("u:")}`, "u / "],
    [`Basic ${encoded("u:a:b")}`, "u / a:b"],
    [`Basic ${encoded("j\u00fcrgen:p\u00e4ss")}`, "j\u00fcrgen / p\u00e4ss"],
    [`Basic ${encoded("\u{1f511}:\u{1f511}")}`, "\u{1f511} / \u{1f511}"],
    [`Basic ${encoded(`u:${"x".repeat(512)}`)}`, `u / ${"x".repeat(512)}`],
  ];
  for (const [value, expected] of cases) assert.equal(shown(value), expected, value);
});

test("fields that cannot be read", () => {
  for (
    const value of [
      "",
      "Basic",
      "Basic ",
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=",
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== ",
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, Basic QTpC",
      "Basic QWxhZGRpbjpvcGVu IHNlc2FtZQ==",
      "Basic QWxhZGRpbjpvcGVu-HNlc2FtZQ==",
      "Basic\tQTpC",
      "BasicQTpC",
      "Basic ====",
      "Digest QTpC",
      "Bearer QTpC",
      `Basic ${encoded("nocolon")}`,
      `Basic ${encoded(":password")}`,
      `Basic ${encoded("u\u0000ser:x")}`,
      `Basic ${encoded("user:x\u0000y")}`,
      `Basic ${encoded("user:x\r\ny")}`,
      `Basic ${encoded("us\u007fer:x")}`,
      `Basic ${encoded(Uint8Array.of(0xfc, 0x3a, 0x61))}`, // Latin-1
      `Basic ${encoded(Uint8Array.of(0xc0, 0xaf, 0x3a, 0x61))}`, // overlong
      `Basic ${encoded(`${"x".repeat(256)}:y`)}`,
      `Basic ${encoded(`u:${"x".repeat(513)}`)}`,
    ]
  ) assert.equal(readBasic(value), null, value);
});

test("the password shows in no text that is made of credentials", () => {
  const read = readBasic(`Basic ${encoded("alice:hunter2")}`);
  for (
    const text of [
      String(read),
      JSON.stringify(read),
      JSON.stringify({ ...read }),
      inspect(read, { depth: 9 }),
    ]
  ) {
    assert.ok(!text.includes("hunter2"), text);
    assert.ok(!text.includes("104"), text);
  }
});

test("any bytes are read as what they are, or not at all", () => {
  const random = new Random(7617);
  let accepted = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from(
      { length: random.next(12) },
      () => random.once(3) ? 0x3a : random.once(20) ? random.next(256) : random.between(0x20, 0x7e),
    );
    const read = readBasic(`Basic ${encoded(bytes)}`);
    if (read === null) continue;
    accepted++;
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    assert.equal(read.user, text.split(":")[0]);
    assert.equal(
      `${read.user}:${new TextDecoder("utf-8", { ignoreBOM: true }).decode(read.passwordBytes())}`,
      text,
    );
  }
  assert.ok(accepted > 300, String(accepted));
});
