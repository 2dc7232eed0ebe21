/** dup(2) on Bun, which does not offer it: a call of libc through `bun:ffi`, executables included. */
import process from "node:process";

/** libc by its names: glibc, musl, macOS. */
const LIBRARIES: readonly string[] = process.platform === "darwin"
  ? ["libSystem.B.dylib"]
  : ["libc.so.6", "libc.so", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** The part of `bun:ffi` used here. */
interface BunFfi {
  dlopen(
    name: string,
    symbols: { readonly dup: { readonly args: readonly ["i32"]; readonly returns: "i32" } },
  ): { readonly symbols: { dup(fd: number): number } };
}

let loaded: ((fd: number) => number) | null | undefined;

/** dup(2), which Bun does not offer; negative answers are failures. Null where libc cannot be called. */
export function duplicator(): ((fd: number) => number) | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): ((fd: number) => number) | null {
  if (process.platform === "win32") return null;
  const ffi = process.getBuiltinModule?.("bun:ffi" as "node:fs") as unknown as BunFfi | undefined;
  for (const name of LIBRARIES) {
    try {
      const library = ffi?.dlopen(name, { dup: { args: ["i32"], returns: "i32" } });
      if (library !== undefined) return library.symbols.dup;
    } catch {
      // Another libc.
    }
  }
  return null;
}
