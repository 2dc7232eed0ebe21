/**
 * Descriptors that Deno was started with. Its node:fs knows the standard three and those it opened itself;
 * for all others it answers EBADF. So `write` and `close` of libc are called (`Deno.dlopen`).
 */
import { constants } from "node:os";
import { SystemError } from "../contract/contract.ts";

/** Where libc is, by platform. Deno is built for glibc and macOS; elsewhere numbers are no descriptors. */
const LIBRARIES: Readonly<Record<string, { readonly file: string; readonly errno: string }>> = {
  linux: { file: "libc.so.6", errno: "__errno_location" },
  darwin: { file: "libSystem.B.dylib", errno: "__error" },
};

/** The part of `Deno` used here. */
interface DenoFfi {
  readonly build: { readonly os: string };
  readonly permissions: { querySync(what: { name: "ffi" }): { readonly state: string } };
  dlopen(
    name: string,
    symbols: Record<string, { name?: string; parameters: string[]; result: string }>,
  ): { symbols: unknown };
  readonly UnsafePointerView: new (pointer: object) => { getInt32(): number };
}

interface Libc {
  write(fd: number, bytes: Uint8Array, length: bigint): bigint | number;
  close(fd: number): number;
  /** Address of this thread's `errno`. */
  errno(): object | null;
}

const deno = (globalThis as { readonly Deno?: DenoFfi }).Deno;
let libc: Libc | null = null;

/**
 * write(2).
 *
 * @returns how many bytes were taken
 * @throws SystemError
 */
export function writeInherited(fd: number, bytes: Uint8Array): number {
  const library = open(fd);
  const written = Number(library.write(fd, bytes, BigInt(bytes.length)));
  if (written < 0) throw failure(library, fd, "write");
  return written;
}

/**
 * close(2).
 *
 * @throws SystemError
 */
export function closeInherited(fd: number): void {
  const library = open(fd);
  if (library.close(fd) < 0) throw failure(library, fd, "close");
}

function open(fd: number): Libc {
  if (libc !== null) return libc;
  const known = LIBRARIES[deno?.build.os ?? ""];
  if (deno === undefined || known === undefined) {
    throw new SystemError("EBADF", `descriptor ${fd}: Deno cannot write to it on this platform`);
  }
  // Asking first: a call without permission would prompt at a terminal.
  if (deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    const why = "is not one that Deno opened: to write to it, Deno needs --allow-ffi (or -A)";
    throw new SystemError("EBADF", `descriptor ${fd} ${why}`);
  }
  try {
    libc = deno.dlopen(known.file, {
      write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
      close: { parameters: ["i32"], result: "i32" },
      errno: { name: known.errno, parameters: [], result: "pointer" },
    }).symbols as Libc;
  } catch (error) {
    throw new SystemError(
      "EBADF",
      `descriptor ${fd}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return libc;
}

function failure(library: Libc, fd: number, call: string): SystemError {
  const pointer = library.errno();
  const number = pointer === null || deno === undefined ? 0 : new deno.UnsafePointerView(pointer).getInt32();
  const name = Object.entries(constants.errno).find(([, value]) => value === number)?.[0] ?? "";
  return new SystemError(name, `${name === "" ? `error ${number}` : name}: ${call} to descriptor ${fd}`);
}
