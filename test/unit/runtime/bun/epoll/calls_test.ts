/** What is known of the kernel without asking it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv6Text } from "../../../../../runtime/bun/epoll/address.ts";
import { errnoName } from "../../../../../runtime/bun/epoll/numbers.ts";

/** From eight groups of hexadecimal digits. */
function addressBytes(groups: string): Uint8Array {
  const words = groups.split(" ").map((word) => parseInt(word, 16));
  assert.equal(words.length, 8);
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

for (
  const [bytes, text] of [
    ["0 0 0 0 0 0 0 0", "::"],
    ["0 0 0 0 0 0 0 1", "::1"],
    ["1 0 0 0 0 0 0 0", "1::"],
    ["2001 DB8 0 0 0 0 2 1", "2001:db8::2:1"],
    // RFC 5952 §4.2.2: one group of zeros alone is not shortened.
    ["2001 db8 0 1 1 1 1 1", "2001:db8:0:1:1:1:1:1"],
    ["0 1 2 3 4 5 6 7", "0:1:2:3:4:5:6:7"],
    // §4.2.3: the longest run, the first of equals.
    ["2001 0 0 1 0 0 0 1", "2001:0:0:1::1"],
    ["2001 db8 0 0 1 0 0 1", "2001:db8::1:0:0:1"],
    ["fe80 0 0 0 a0b 0 0 0", "fe80::a0b:0:0:0"],
    ["2001 db8 aaaa bbbb cccc dddd eeee 10", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:10"],
    // Mapped IPv4 is what a dual-stack listener shows; nothing that only looks like it.
    ["0 0 0 0 0 ffff c000 201", "192.0.2.1"],
    ["0 0 0 0 0 fffe c000 201", "::fffe:c000:201"],
    ["0 0 0 0 0 0 c000 201", "::c000:201"],
    ["0 0 0 0 ffff 0 c000 201", "::ffff:0:c000:201"],
  ] as const
) {
  test(`an IPv6 address as text: ${text}`, () => assert.equal(ipv6Text(addressBytes(bytes)), text));
}

test("errors have the names that the other platforms give, or their number", () => {
  assert.equal(errnoName(111), "ECONNREFUSED");
  assert.equal(errnoName(28), "ENOSPC");
  assert.equal(errnoName(9999), "E9999");
});

test("addresses that take turns are told apart", () => {
  const mapped = (last: number): Uint8Array =>
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, last);
  const told = [1, 1, 2, 1, 2, 2].map((last) => ipv6Text(mapped(last)));
  assert.deepEqual(told, [1, 1, 2, 1, 2, 2].map((last) => `127.0.0.${last}`));
});
