/** Calls of libc that Bun does not offer, through `bun:ffi`, executables included. */
import process from "node:process";

/** libc by its names: glibc, musl, macOS. */
const LIBRARIES: readonly string[] = process.platform === "darwin"
  ? ["libSystem.B.dylib"]
  : ["libc.so.6", "libc.so", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** What a function takes and returns, in the words of `bun:ffi`. */
export interface Signature {
  readonly args: readonly ("i32" | "ptr" | "usize")[];
  readonly returns: "i32";
}

/** The part of `bun:ffi` used here. */
interface BunFfi {
  dlopen(name: string, symbols: Readonly<Record<string, Signature>>): {
    readonly symbols: Readonly<Record<string, unknown>>;
  };
}

/** The function of that name, which is what `signature` says; undefined where libc cannot be called. */
export function libcFunction(name: string, signature: Signature): unknown {
  if (process.platform === "win32") return undefined;
  const ffi = process.getBuiltinModule?.("bun:ffi" as "node:fs") as unknown as BunFfi | undefined;
  for (const library of LIBRARIES) {
    try {
      return ffi?.dlopen(library, { [name]: signature }).symbols[name];
    } catch {
      // Another libc.
    }
  }
  return undefined;
}
