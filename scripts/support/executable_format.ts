/** Tells from its first bytes what an executable file is for. */

import { closeSync, openSync, readSync } from "node:fs";

export interface ExecutableFormat {
  readonly os: "linux" | "macos" | "windows";
  readonly arch: "x64" | "arm64" | "other";
  /** Of Linux programs: from the name of their dynamic loader. */
  readonly libc: "glibc" | "musl" | "none" | null;
}

/** Enough for every header that is looked at. */
const headBytes = 4096;

/** Null when the file is none of the three formats. @throws when it cannot be read */
export function readExecutableFormat(path: string): ExecutableFormat | null {
  const bytes = new Uint8Array(headBytes);
  const file = openSync(path, "r");
  try {
    readSync(file, bytes, 0, headBytes, 0);
  } finally {
    closeSync(file);
  }
  return executableFormat(bytes);
}

/** The same for bytes at hand; at least the first 4096. */
export function executableFormat(bytes: Uint8Array): ExecutableFormat | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0, false);
  if (magic === 0x7f454c46 && bytes[4] === 2) {
    return { os: "linux", arch: archOf(view.getUint16(18, true), 62, 183), libc: libcOf(view, bytes) };
  }
  if (magic === 0xcffaedfe) {
    return { os: "macos", arch: archOf(view.getUint32(4, true), 0x0100_0007, 0x0100_000c), libc: null };
  }
  if (magic >>> 16 === 0x4d5a) {
    const header = view.getUint32(0x3c, true);
    if (header + 6 > bytes.length || view.getUint32(header, false) !== 0x5045_0000) return null;
    return { os: "windows", arch: archOf(view.getUint16(header + 4, true), 0x8664, 0xaa64), libc: null };
  }
  return null;
}

function archOf(machine: number, x64: number, arm64: number): ExecutableFormat["arch"] {
  return machine === x64 ? "x64" : machine === arm64 ? "arm64" : "other";
}

/** Program header of type 3 (PT_INTERP) says where the loader's path stands. */
function libcOf(view: DataView, bytes: Uint8Array): ExecutableFormat["libc"] {
  const table = Number(view.getBigUint64(32, true));
  const entryBytes = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  for (let index = 0; index < count; index++) {
    const at = table + index * entryBytes;
    if (at + 40 > bytes.length || view.getUint32(at, true) !== 3) continue;
    const from = Number(view.getBigUint64(at + 8, true));
    const to = from + Number(view.getBigUint64(at + 32, true));
    const loader = String.fromCharCode(...bytes.subarray(from, to));
    return loader.includes("musl") ? "musl" : "glibc";
  }
  return "none";
}
