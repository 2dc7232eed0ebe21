/** The platforms an executable is made for, and the runtime each of them is made from. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { root, runChild } from "./child.ts";
import type { ExecutableFormat } from "./executable_format.ts";

export interface BuildTarget {
  /** Part of the file's name: `linux-arm64-musl`. */
  readonly name: string;
  /** Value of Bun's `--target`. */
  readonly bunTarget: string;
  /** npm package with Bun's own executable for the platform. */
  readonly npmPackage: string;
  readonly format: ExecutableFormat;
}

/**
 * Bun's x64 packages are baseline builds (no AVX2 needed): `bun-linux-x64` and `bun-linux-x64-baseline` of
 * Bun 1.4.5 hold the same bytes, so there is no separate baseline target.
 */
export const targets: readonly BuildTarget[] = [
  target("linux-x64", "bun-linux-x64", "@oven/bun-linux-x64", "linux", "x64", "glibc"),
  target("linux-arm64", "bun-linux-arm64", "@oven/bun-linux-aarch64", "linux", "arm64", "glibc"),
  target("linux-x64-musl", "bun-linux-x64-musl", "@oven/bun-linux-x64-musl", "linux", "x64", "musl"),
  target(
    "linux-arm64-musl",
    "bun-linux-arm64-musl",
    "@oven/bun-linux-aarch64-musl",
    "linux",
    "arm64",
    "musl",
  ),
  target("macos-x64", "bun-darwin-x64", "@oven/bun-darwin-x64", "macos", "x64", null),
  target("macos-arm64", "bun-darwin-arm64", "@oven/bun-darwin-aarch64", "macos", "arm64", null),
  target("windows-x64", "bun-windows-x64", "@oven/bun-windows-x64", "windows", "x64", null),
];

function target(
  name: string,
  bunTarget: string,
  npmPackage: string,
  os: ExecutableFormat["os"],
  arch: ExecutableFormat["arch"],
  libc: ExecutableFormat["libc"],
): BuildTarget {
  return { name, bunTarget, npmPackage, format: { os, arch, libc } };
}

/** `sluice-macos-arm64`, `sluice-windows-x64.exe`. */
export function fileNameOf(target: BuildTarget): string {
  return `sluice-${target.name}${target.format.os === "windows" ? ".exe" : ""}`;
}

/**
 * Fetches Bun's executable for a platform from the npm registry that npm is set up for, once.
 *
 * Bun could download it by itself, but package-lock.json knows the checksum of every one of these
 * packages (they are optional dependencies of `bun`), and a build should contain nothing else.
 *
 * @returns path of the executable
 * @throws when npm fails or the checksum differs
 */
export async function fetchBase(target: BuildTarget): Promise<string> {
  const locked = lockedPackage(target.npmPackage);
  const cache = join(root, "node_modules", ".cache", "sluice");
  const path = join(cache, `${target.npmPackage.replace("@oven/", "")}-${locked.version}`);
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "fetch-"));
  try {
    const wanted = `${target.npmPackage}@${locked.version}`;
    const packed = await runChild("npm", ["pack", wanted, "--pack-destination", folder, "--json"], {
      cwd: folder,
    });
    const name = /"filename": "([^"]+)"/.exec(packed.output)?.[1];
    if (packed.code !== 0 || name === undefined) {
      throw new Error(`npm pack ${wanted} failed:\n${packed.output}`);
    }
    const archive = readFileSync(join(folder, name.replace(/^@/, "").replace("/", "-")));
    const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
    if (integrity !== locked.integrity) {
      throw new Error(
        `${wanted}: package-lock.json says ${locked.integrity}, the registry sent ${integrity}`,
      );
    }
    const inside = `package/bin/bun${target.format.os === "windows" ? ".exe" : ""}`;
    writeFileSync(join(folder, "base"), fileFromTar(gunzipSync(archive), inside), { mode: 0o755 });
    renameSync(join(folder, "base"), path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function lockedPackage(name: string): { version: string; integrity: string } {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version?: string; integrity?: string }>;
  };
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) {
    throw new Error(`package-lock.json does not list ${name}`);
  }
  return { version, integrity };
}

/** One file out of an unpacked tar archive. @throws when it is not there */
export function fileFromTar(archive: Uint8Array, path: string): Uint8Array {
  const text = (from: number, length: number): string => {
    return String.fromCharCode(...archive.subarray(from, from + length)).replace(/\0.*$/s, "");
  };
  for (let at = 0; at + 512 <= archive.length;) {
    const name = text(at, 100);
    const size = Number.parseInt(text(at + 124, 12), 8);
    if (name === path) return archive.subarray(at + 512, at + 512 + size);
    if (name === "" || Number.isNaN(size)) break;
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`the archive has no ${path}`);
}
