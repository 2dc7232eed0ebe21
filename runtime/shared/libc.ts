/** Calls of libc through `bun:ffi`, executables included. */
import process from "node:process";

/** libc by its names: glibc, musl, macOS. */
const LIBRARIES: readonly string[] = process.platform === "darwin"
  ? ["libSystem.B.dylib"]
  : ["libc.so.6", "libc.so", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** How a function of C is called. A `buffer` is a typed array, a `ptr` the number that `addressOf` gave. */
export interface Signature {
  readonly args: readonly ("i32" | "usize" | "ptr" | "buffer")[];
  readonly returns: "i32" | "ptr";
}

/** The part of `bun:ffi` used here. */
export interface BunFfi {
  dlopen(
    name: string,
    symbols: Readonly<Record<string, Signature>>,
  ): { readonly symbols: Readonly<Record<string, unknown>> };
  /** Address of an array's first byte. Arrays without an ArrayBuffer of their own may move between two calls. */
  ptr(array: ArrayBufferView): number;
  readonly read: { i32(address: number, offset: number): number };
}

/** Null on other runtimes. */
export function bunFfi(): BunFfi | null {
  return (process.getBuiltinModule?.("bun:ffi" as "node:fs") ?? null) as unknown as BunFfi | null;
}

/** Functions of libc by their names; null where it cannot be called. */
export function openLibc<T>(symbols: Readonly<Record<keyof T & string, Signature>>): T | null {
  if (process.platform === "win32") return null;
  const ffi = bunFfi();
  for (const name of LIBRARIES) {
    try {
      const library = ffi?.dlopen(name, symbols);
      if (library !== undefined) return library.symbols as T;
    } catch {
      // Another libc.
    }
  }
  return null;
}
