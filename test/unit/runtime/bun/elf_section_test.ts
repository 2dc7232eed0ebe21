import assert from "node:assert/strict";
import { test } from "node:test";
import { loadedSection } from "../../../../runtime/bun/elf_section.ts";

const NAMES = "\0.shstrtab\0.bun_builtins\0.bun\0";
const NAMES_AT = 64;
const TABLE_AT = 128;

/** A file with a header, names, and four sections: none, those of the names, `.bun_builtins`, `.bun`. */
function file(change: (view: DataView) => void = () => {}): (position: number, length: number) => Uint8Array {
  const bytes = new Uint8Array(TABLE_AT + 4 * 64);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x7f454c46);
  view.setUint16(4, 0x0201);
  view.setUint16(16, 2, true);
  view.setBigUint64(40, BigInt(TABLE_AT), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 4, true);
  view.setUint16(62, 1, true);
  bytes.set(new TextEncoder().encode(NAMES), NAMES_AT);
  const section = (index: number, name: string, address: number, offset: number, length: number) => {
    const at = TABLE_AT + index * 64;
    view.setUint32(at, NAMES.indexOf(`${name}\0`), true);
    view.setBigUint64(at + 16, BigInt(address), true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(length), true);
  };
  section(1, ".shstrtab", 0, NAMES_AT, NAMES.length);
  section(2, ".bun_builtins", 0x17a2b40, 0x15a2b40, 0x295c24);
  section(3, ".bun", 0x6a22000, 0x6819000, 0x6a802c);
  change(view);
  return (position, length) => bytes.slice(position, position + length);
}

test("a section is where the file says", () => {
  assert.deepEqual(loadedSection(file(), ".bun"), { address: 0x6a22000, length: 0x6a802c });
  assert.deepEqual(loadedSection(file(), ".bun_builtins"), { address: 0x17a2b40, length: 0x295c24 });
});

test("a section that is not loaded, or not there, is nowhere", () => {
  assert.equal(loadedSection(file(), ".shstrtab"), null);
  assert.equal(loadedSection(file(), ".text"), null);
});

for (
  const [what, change] of [
    ["no ELF", (view) => view.setUint8(0, 0)],
    ["of 32 bits", (view) => view.setUint8(4, 1)],
    ["big-endian", (view) => view.setUint8(5, 2)],
    ["loaded anywhere", (view) => view.setUint16(16, 3, true)],
    ["cut in its table", (view) => view.setUint16(60, 5, true)],
    ["without a table", (view) => view.setBigUint64(40, 1n << 40n, true)],
    ["without names", (view) => view.setUint16(62, 4, true)],
  ] as readonly (readonly [string, (view: DataView) => void])[]
) {
  test(`a file that is ${what} has none`, () => {
    assert.equal(loadedSection(file(change), ".bun"), null);
  });
}

test("an empty file has none", () => {
  assert.equal(loadedSection(() => new Uint8Array(0), ".bun"), null);
});
