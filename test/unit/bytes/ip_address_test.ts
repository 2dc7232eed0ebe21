import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalCidr, canonicalIp, inBlock, ipBytes, isLoopback } from "../../../src/bytes/ip_address.ts";

test("IP literals in canonical text", () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ["127.0.0.1", "127.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["256.0.0.1", null],
    ["1.2.3", null],
    ["1.2.3.4.5", null],
    ["01.2.3.4", null],
    ["0x7f.0.0.1", null],
    ["1.2.3.4 ", null],
    ["0.0.0.0", "0.0.0.0"],
    ["1.2.3.04", null],
    ["1.2.3.00", null],
    ["1.2.3.", null],
    [".1.2.3", null],
    ["1..2.3", null],
    ["1.2.3.1000", null],
    ["1.2.3.-4", null],
    ["1.2.3.4\n", null],
    ["1.2.3.\u0664", null],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::FFFF:102:304", "1.2.3.4"],
    ["::1.2.3.4", "::102:304"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["::1.2.3.4:5", null],
    ["1.2.3.4::", null],
    ["1:2:3:4:5:6:7:8:9", null],
    ["1:2:3:4:5:6:7:8::", null],
    ["1::2::3", null],
    [":1", null],
    ["1:", null],
    [":::", null],
    ["12345::", null],
    ["fe80::1%eth0", null],
    ["[::1]", null],
    ["", null],
    ["g::", null],
  ];
  for (const [text, expected] of cases) assert.equal(canonicalIp(text), expected, text);
});

test("CIDR blocks in canonical text", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["192.0.2.1", "192.0.2.1/32"],
    ["192.0.2.128/25", "192.0.2.128/25"],
    ["::/0", "::/0"],
    ["2001:DB8::/33", "2001:db8::/33"],
    ["::1", "::1/128"],
    ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
    ["::ffff:192.0.2.1", "192.0.2.1/32"],
    ["::ffff:0:0/96", "0.0.0.0/0"],
    ["::ffff:10.0.0.1/104", "suggests 10.0.0.0/8"],
    ["10.0.0.1/8", "suggests 10.0.0.0/8"],
    ["192.0.2.129/25", "suggests 192.0.2.128/25"],
    ["2001:db8:ffff::/33", "suggests 2001:db8:8000::/33"],
    ["10.0.0.0/33", "suggests null"],
    ["10.0.0.0/", "suggests null"],
    ["10.0.0.0/08", "suggests null"],
    ["10.0.0.0/8/8", "suggests null"],
    ["::/129", "suggests null"],
    ["example.com/8", "suggests null"],
    ["", "suggests null"],
  ];
  for (const [text, expected] of cases) {
    const result = canonicalCidr(text);
    assert.equal(result.kind === "ok" ? result.text : `suggests ${result.suggestion}`, expected, text);
  }
});

test("bytes of an address", () => {
  assert.deepEqual(ipBytes("1.2.3.4"), [1, 2, 3, 4]);
  assert.deepEqual(ipBytes("::"), new Array(16).fill(0));
  assert.deepEqual(ipBytes("1:2:3:4:5:6:7:8"), [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
  assert.deepEqual(ipBytes("::ffff:1.2.3.4"), [1, 2, 3, 4]);
  assert.deepEqual(ipBytes("fe80::1%eth0"), ipBytes("fe80::1"));
  assert.equal(ipBytes("1:2:3:4:5:6:7:8:9"), null);
  assert.equal(ipBytes("1.2.3.4::"), null);
  assert.equal(ipBytes("01.2.3.4"), null, "octal for some readers");
});

test("what only this machine can reach", () => {
  for (
    const host of [
      "localhost",
      "localhost.",
      "app.localhost",
      "127.0.0.1",
      "127.9.9.9",
      "::1",
      "0:0::1",
      "::ffff:127.0.0.1",
    ]
  ) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ["localhost.test", "127.example.com", "128.0.0.1", "::", "0.0.0.0", "::2", "127.1"]) {
    assert.ok(!isLoopback(host), host);
  }
});

test("an address is in a block when the leading bits are equal", () => {
  const asNumber = (bytes: readonly number[]): bigint =>
    bytes.reduce((sum, byte) => sum << 8n | BigInt(byte), 0n);
  let state = 2026;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let run = 0; run < 4000; run++) {
    const width = run % 2 === 0 ? 4 : 16;
    const bits = random(width * 8 + 1);
    const block = Array.from({ length: width }, () => random(256));
    // Most are near the block: one bit is another one.
    const at = random(width * 8);
    const bytes = random(4) === 0
      ? Array.from({ length: width }, () => random(256))
      : block.map((byte, index) => index === at >> 3 ? byte ^ (0x80 >> (at & 7)) : byte);
    const shift = BigInt(width * 8 - bits);
    const expected = asNumber(bytes) >> shift === asNumber(block) >> shift;
    assert.equal(
      inBlock(bytes, { bytes: block, bits }),
      expected,
      `${bytes.join()} in ${block.join()}/${bits}`,
    );
  }
  assert.ok(!inBlock([0, 0, 0, 0], { bytes: new Array<number>(16).fill(0), bits: 0 }), "another family");
});
