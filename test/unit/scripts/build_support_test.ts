import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileFromTar, fileNameOf, targets } from "../../../scripts/support/build_targets.ts";
import { executableFormat } from "../../../scripts/support/executable_format.ts";

/** A page of zeros with numbers written into it, as [offset, bytes, value, little endian]. */
function page(...numbers: [at: number, size: 2 | 4 | 8, value: number, little: boolean][]): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  for (const [at, size, value, little] of numbers) {
    if (size === 2) view.setUint16(at, value, little);
    else if (size === 4) view.setUint32(at, value, little);
    else view.setBigUint64(at, BigInt(value), little);
  }
  return bytes;
}

function elf(machine: number, loader: string): Uint8Array {
  const bytes = page(
    [0, 4, 0x7f454c46, false],
    [18, 2, machine, true],
    [32, 8, 64, true], // program headers
    [54, 2, 56, true], // size of one
    [56, 2, 2, true], // how many
    [64, 4, 1, true], // the first is another one
    [120, 4, loader === "" ? 1 : 3, true],
    [128, 8, 512, true],
    [152, 8, loader.length, true],
  );
  bytes[4] = 2;
  for (let i = 0; i < loader.length; i++) bytes[512 + i] = loader.charCodeAt(i);
  return bytes;
}

test("executables are told apart by their first bytes", () => {
  assert.deepEqual(executableFormat(elf(62, "/lib64/ld-linux-x86-64.so.2")), {
    os: "linux",
    arch: "x64",
    libc: "glibc",
  });
  assert.deepEqual(executableFormat(elf(183, "/lib/ld-musl-aarch64.so.1")), {
    os: "linux",
    arch: "arm64",
    libc: "musl",
  });
  assert.equal(executableFormat(elf(62, ""))?.libc, "none");
  assert.deepEqual(executableFormat(page([0, 4, 0xcffaedfe, false], [4, 4, 0x0100000c, true])), {
    os: "macos",
    arch: "arm64",
    libc: null,
  });
  const windows = page([0, 2, 0x4d5a, false], [0x3c, 4, 128, true], [128, 4, 0x50450000, false], [
    132,
    2,
    0x8664,
    true,
  ]);
  assert.deepEqual(executableFormat(windows), { os: "windows", arch: "x64", libc: null });
  assert.equal(executableFormat(page()), null);
  assert.equal(executableFormat(page([0, 2, 0x4d5a, false], [0x3c, 4, 0xffffff, true])), null);
});

test("one file out of a tar archive", () => {
  const archive = new Uint8Array(512 * 5);
  const text = (at: number, what: string): void => {
    for (let i = 0; i < what.length; i++) archive[at + i] = what.charCodeAt(i);
  };
  text(0, "package/README.md");
  text(124, "00000000005\0");
  text(512, "hello");
  text(1024, "package/bin/bun");
  text(1024 + 124, "00000000003\0");
  text(1536, "bun");
  assert.equal(String.fromCharCode(...fileFromTar(archive, "package/bin/bun")), "bun");
  assert.throws(() => fileFromTar(archive, "package/bin/other"), /has no package\/bin\/other/);
});

test("every target has a file name of its own", () => {
  assert.equal(new Set(targets.map(fileNameOf)).size, targets.length);
  assert.ok(targets.map(fileNameOf).includes("sluice-windows-x64.exe"));
});

test("the packages for npm and JSR have one version and the same dependencies", () => {
  const read = (name: string) =>
    JSON.parse(readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8"));
  const [npm, jsr] = [read("package.json"), read("deno.json")];
  assert.equal(jsr.version, npm.version);
  for (const [name, range] of Object.entries<string>(npm.dependencies)) {
    assert.equal(jsr.imports[name], range.startsWith("npm:") ? range : `npm:${name}@${range}`);
  }
});
