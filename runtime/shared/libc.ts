/** Calls of libc: `bun:ffi` on Bun, executables included, and `Deno.dlopen` on Deno. Node has no foreign calls. */
import process from "node:process";

/** libc by its names: glibc, musl, macOS. */
const LIBRARIES: readonly string[] = process.platform === "darwin"
  ? ["libSystem.B.dylib"]
  : ["libc.so.6", "libc.so", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/**
 * How a function of C is called. A `buffer` is a typed array; a `ptr`, which Bun alone can take, is the number that
 * `addressOf` gave.
 */
export interface Signature {
  readonly args: readonly ("i32" | "usize" | "ptr" | "buffer")[];
  readonly returns: "i32" | "ptr";
}

type Signatures = Readonly<Record<string, Signature>>;

/** The part of `bun:ffi` used here. */
export interface BunFfi {
  dlopen(name: string, symbols: Signatures): { readonly symbols: Readonly<Record<string, unknown>> };
  /** Address of an array's first byte. Arrays without an ArrayBuffer of their own may move between two calls. */
  ptr(array: ArrayBufferView): number;
  readonly read: { i32(address: number, offset: number): number };
}

/** The part of `Deno` used here. */
interface DenoFfi {
  readonly permissions: { querySync(what: { name: "ffi" }): { readonly state: string } };
  readonly UnsafePointer: {
    of(array: Uint8Array): object | null;
    value(pointer: object | null): number | bigint;
  };
  dlopen(
    name: string,
    symbols: Readonly<Record<string, { readonly parameters: readonly string[]; readonly result: string }>>,
  ): { readonly symbols: unknown };
}

/** Null on other runtimes. */
export function bunFfi(): BunFfi | null {
  return (process.getBuiltinModule?.("bun:ffi" as "node:fs") ?? null) as unknown as BunFfi | null;
}

/** Null on other runtimes, and where foreign calls are not permitted. */
function denoFfi(): DenoFfi | null {
  const deno = (globalThis as { readonly Deno?: DenoFfi }).Deno;
  // Asking first: a call without permission would prompt at a terminal.
  return deno?.permissions.querySync({ name: "ffi" }).state === "granted" ? deno : null;
}

/** Whether this runtime can call libc at all, on platforms that have one. */
export function canCallLibc(): boolean {
  return process.platform !== "win32" && (bunFfi() !== null || denoFfi() !== null);
}

/**
 * Address of an array's first byte, which stays where it is for as long as the array is kept; null where nobody tells.
 *
 * @param bytes upon an ArrayBuffer of fixed length, which is never transferred
 */
export function addressOfKept(bytes: Uint8Array): number | null {
  const bun = bunFfi();
  if (bun !== null) return bun.ptr(bytes);
  const pointers = denoFfi()?.UnsafePointer;
  return pointers === undefined ? null : Number(pointers.value(pointers.of(bytes)));
}

/** Functions of libc by their names; null where it cannot be called. */
export function openLibc<T>(symbols: Readonly<Record<keyof T & string, Signature>>): T | null {
  if (process.platform === "win32") return null;
  const open = opener(symbols);
  if (open === null) return null;
  for (const name of LIBRARIES) {
    try {
      return open(name) as T;
    } catch {
      // Another libc.
    }
  }
  return null;
}

function opener(symbols: Signatures): ((library: string) => unknown) | null {
  const bun = bunFfi();
  if (bun !== null) return (library) => bun.dlopen(library, symbols).symbols;
  const deno = denoFfi();
  if (deno === null || !Object.values(symbols).every(isForDeno)) return null;
  const translated = Object.fromEntries(
    Object.entries(symbols).map(([name, { args, returns }]) => [name, { parameters: args, result: returns }]),
  );
  return (library) => deno.dlopen(library, translated).symbols;
}

/** Deno's pointers are objects. */
function isForDeno({ args, returns }: Signature): boolean {
  return returns !== "ptr" && !args.includes("ptr");
}
