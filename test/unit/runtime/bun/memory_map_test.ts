/** Which mappings lose nothing when their pages are unmapped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { noPageWritten, unwrittenMappings } from "../../../../runtime/bun/memory_map.ts";

const PATH = "/opt/with space/sluice";

/** What decides, all of it in kB. */
interface Pages {
  readonly rss?: number;
  readonly anonymous?: number;
  readonly swap?: number;
  readonly dirty?: number;
}

/** A mapping as Linux 6.18 shows it, without the fields that nothing depends on. */
function mapping(range: string, permissions: string, path: string, pages: Pages = {}): string {
  const { rss = 100, anonymous = 0, swap = 0, dirty = 0 } = pages;
  const field = (name: string, kib: number) => `${`${name}:`.padEnd(16)}${String(kib).padStart(8)} kB`;
  return [
    `${range} ${permissions} 01838000 fe:00 5359859 `.padEnd(73) + path,
    field("Size", 80936),
    field("Rss", rss),
    field("Private_Dirty", dirty),
    field("Anonymous", anonymous),
    field("AnonHugePages", 0),
    field("Swap", swap),
    field("SwapPss", 0),
    "THPeligible:           0",
    "VmFlags: rd ex mr mw me ",
    "",
  ].join("\n");
}

test("the mappings of the file that nobody can write to and nobody has written to", () => {
  const smaps = [
    mapping("00200000-01a39000", "r--p", PATH),
    mapping("01a40000-0684a000", "r-xp", PATH),
    mapping("0684a000-0685f000", "rw-p", PATH),
    mapping("450ae600000-450ee600000", "rw-p", ""),
    mapping("7efd456d5000-7efd4582b000", "r-xp", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
    mapping("7ffc9ac27000-7ffc9ac49000", "rw-p", "[stack]"),
    mapping("ffffffffff600000-ffffffffff601000", "--xp", "[vsyscall]"),
  ].join("");
  assert.deepEqual(unwrittenMappings(smaps, PATH), [
    { address: 0x200000, length: 0x1839000 },
    { address: 0x1a40000, length: 0x4e0a000 },
  ]);
});

for (
  const [what, pages] of [
    ["has pages of our own (RELRO)", { anonymous: 12 }],
    ["has had pages of our own, which are swapped out", { rss: 0, swap: 12 }],
    ["has both", { anonymous: 4, swap: 4 }],
  ] as const
) {
  test(`a write-protected mapping that ${what} is left alone, its neighbours are not`, () => {
    const smaps = [
      mapping("00001000-00002000", "r--p", PATH),
      mapping("00002000-00003000", "r--p", PATH, pages),
      mapping("00003000-00004000", "r-xp", PATH),
    ].join("");
    assert.deepEqual(unwrittenMappings(smaps, PATH).map(({ address }) => address), [0x1000, 0x3000]);
  });
}

test("pages of a file that is not on its disk yet are those of the file", () => {
  const smaps = mapping("00001000-00002000", "r-xp", PATH, { dirty: 4 });
  assert.deepEqual(unwrittenMappings(smaps, PATH), [{ address: 0x1000, length: 0x1000 }]);
});

test("addresses of a program that is loaded anywhere are exact", () => {
  const smaps = mapping("7ffffffff000-800000001000", "r-xp", PATH) +
    mapping("aaaac3d41000-aaaac3d42000", "r--p", PATH);
  assert.deepEqual(unwrittenMappings(smaps, PATH), [
    { address: 2 ** 47 - 4096, length: 8192 },
    { address: 0xaaaac3d41000, length: 4096 },
  ]);
});

test("a file that has been replaced is known by the name that the kernel gives it", () => {
  const smaps = mapping("00001000-00002000", "r-xp", `${PATH} (deleted)`) +
    mapping("00003000-00004000", "r-xp", PATH);
  assert.deepEqual(unwrittenMappings(smaps, `${PATH} (deleted)`), [{ address: 0x1000, length: 0x1000 }]);
});

test("other permissions are left alone", () => {
  for (const permissions of ["rwxp", "r--s", "r-xs", "---p", "--xp"]) {
    assert.deepEqual(unwrittenMappings(mapping("1000-2000", permissions, PATH), PATH), [], permissions);
  }
});

test("what is not said is not taken to be zero", () => {
  const whole = mapping("00001000-00002000", "r-xp", PATH);
  for (const name of ["Anonymous", "Swap"]) {
    const without = whole.split("\n").filter((line) => !line.startsWith(`${name}:`)).join("\n");
    // The next mapping's fields are its own.
    const next = mapping("00002000-00003000", "rw-p", PATH);
    assert.deepEqual(unwrittenMappings(without + next, PATH), [], name);
    const odd = whole.replace(new RegExp(`^${name}: .*$`, "m"), `${name}:  many kB`);
    assert.deepEqual(unwrittenMappings(odd, PATH), [], name);
  }
});

test("text that is something else has no mappings", () => {
  const texts = ["", "\n\n", "Rss: 4 kB\nAnonymous: 0 kB\nSwap: 0 kB\n", `zzz-1000 r-xp 0 00:00 0 ${PATH}\n`];
  for (const text of texts) assert.deepEqual(unwrittenMappings(text, PATH), [], text);
  assert.deepEqual(unwrittenMappings(mapping("2000-1000", "r-xp", PATH), PATH), [], "ends before it begins");
  const beyond = mapping("fffffffffffff000-ffffffffffffffff", "r-xp", PATH);
  assert.deepEqual(unwrittenMappings(beyond, PATH), [], "not exact as a number");
});

test("a page that was written to is found among those of a file", () => {
  /** Entries with these upper bytes; what is below them, numbers of page frames, says nothing. */
  const entries = (...upper: number[]) =>
    Uint8Array.from(upper.flatMap((byte) => [1, 2, 3, 4, 5, 6, 0xff, byte]));
  const absent = 0x00;
  const ofFile = 0xa0;
  assert.equal(noPageWritten(entries()), true);
  assert.equal(noPageWritten(entries(absent, ofFile, ofFile, absent)), true);
  assert.equal(noPageWritten(entries(ofFile, 0x80, absent)), false, "a copy of our own");
  assert.equal(noPageWritten(entries(ofFile, 0x40)), false, "a copy that is swapped out");
});
