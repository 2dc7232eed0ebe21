import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import { addressClass, judgedBytes } from "../../../src/forward/address_class.ts";
import { Random } from "../../fuzz/support/random.ts";

test("classes of addresses", () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ["127.0.0.1", "loopback"],
    ["127.255.255.255", "loopback"],
    ["128.0.0.0", "public"],
    ["126.255.255.255", "public"],
    ["0.0.0.0", "loopback"],
    ["0.0.0.1", "special"],
    ["::", "loopback"],
    ["::1", "loopback"],
    ["::2", "special"], // 0.0.0.2
    ["::127.0.0.1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:0.0.0.0", "loopback"],
    ["64:ff9b::7f00:1", "loopback"],
    ["64:ff9b:1::127.0.0.1", "loopback"],
    ["2002:7f00:1::1", "loopback"],
    ["169.254.0.1", "link-local"],
    ["fe80::1", "link-local"],
    ["fe80::1%eth0", "link-local"],
    ["febf::", "link-local"],
    ["169.254.169.254", "metadata"],
    ["169.254.170.2", "metadata"],
    ["169.254.170.23", "metadata"],
    ["fd00:ec2::254", "metadata"],
    ["fd00:ec2::23", "metadata"],
    ["fd20:ce::254", "metadata"],
    ["100.100.100.200", "metadata"],
    ["168.63.129.16", "metadata"],
    ["::ffff:169.254.169.254", "metadata"],
    ["::a9fe:a9fe", "metadata"],
    ["64:ff9b::a9fe:a9fe", "metadata"],
    ["2002:a9fe:a9fe::", "metadata"],
    ["10.0.0.0", "private"],
    ["172.15.255.255", "public"],
    ["172.16.0.0", "private"],
    ["172.31.255.255", "private"],
    ["172.32.0.0", "public"],
    ["192.168.255.255", "private"],
    ["100.63.255.255", "public"],
    ["100.64.0.0", "private"],
    ["100.127.255.255", "private"],
    ["100.128.0.0", "public"],
    ["198.18.0.1", "private"],
    ["198.20.0.0", "public"],
    ["fc00::", "private"],
    ["fdff:ffff::", "private"],
    ["fec0::1", "private"],
    ["2002:a00:1::", "private"],
    ["192.0.0.1", "special"],
    ["192.0.1.0", "public"],
    ["192.0.2.1", "special"],
    ["198.51.100.1", "special"],
    ["203.0.113.1", "special"],
    ["224.0.0.1", "special"],
    ["255.255.255.255", "special"],
    ["ff02::1", "special"],
    ["2001:db8::1", "special"],
    ["3fff:fff::", "special"],
    ["2001::1", "special"],
    ["2001:200::1", "public"],
    ["100::1", "special"],
    ["5f00::1", "special"],
    ["4000::", "special"],
    ["8.8.8.8", "public"],
    ["2606:4700:4700::1111", "public"],
    ["3ffe::", "public"],
    ["2002:808:808::", "public"],
    ["64:ff9b::8.8.8.8", "public"],
    ["localhost", null],
    ["127.1", null],
    ["[::1]", null],
    ["", null],
  ];
  for (const [text, expected] of cases) assert.equal(addressClass(text), expected, text);
});

test("addresses that stand for an IPv4 address are judged as that", () => {
  const ipv4 = [1, 2, 3, 4];
  for (
    const text of [
      "1.2.3.4",
      "::ffff:1.2.3.4",
      "::1.2.3.4",
      "64:ff9b::1.2.3.4",
      "64:ff9b:1::1.2.3.4",
      "2002:102:304::",
      "2002:102:304:5:6:7:8:9",
    ]
  ) assert.deepEqual(judgedBytes(text), ipv4, text);
  assert.equal(judgedBytes("64:ff9b:2::1.2.3.4")?.length, 16);
  assert.equal(judgedBytes("::1")?.length, 16);
});

test("the platform's block list says the same of IPv4 addresses", () => {
  const lists: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
    loopback: [["127.0.0.0", 8], ["0.0.0.0", 32]],
    private: [["10.0.0.0", 8], ["172.16.0.0", 12], ["192.168.0.0", 16], ["100.64.0.0", 10], [
      "198.18.0.0",
      15,
    ]],
    special: [
      ["0.0.0.0", 8],
      ["192.0.0.0", 24],
      ["192.0.2.0", 24],
      ["192.88.99.0", 24],
      ["198.51.100.0", 24],
      ["203.0.113.0", 24],
      ["224.0.0.0", 3],
    ],
  };
  const blocks = Object.entries(lists).map(([name, subnets]) => {
    const list = new BlockList();
    for (const [address, bits] of subnets) list.addSubnet(address, bits);
    return [name, list] as const;
  });
  const random = new Random(1918);
  const heads = [
    [10],
    [127],
    [172, 16],
    [172, 31],
    [192, 168],
    [192, 0],
    [198, 18],
    [100, 64],
    [203, 0, 113],
    [],
  ];
  for (let round = 0; round < 3000; round++) {
    const bytes = [...random.pick(heads)];
    while (bytes.length < 4) bytes.push(random.next(256));
    const text = bytes.join(".");
    const found = addressClass(text);
    if (found === "metadata" || found === "link-local") continue;
    assert.equal(found, blocks.find(([, list]) => list.check(text))?.[0] ?? "public", text);
  }
});
