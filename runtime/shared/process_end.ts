/**
 * Ending the process. Deno and Node wait for the threads of their pools, and one of those may be writing to whoever
 * has stopped reading: then `exit` would never come to an end.
 */
import process from "node:process";
import { isStuck } from "./text_sink.ts";

/** The part of `Deno` used here. */
interface DenoFfi {
  readonly build: { readonly os: string };
  readonly permissions: { querySync(what: { name: "ffi" }): { readonly state: string } };
  dlopen(name: string, symbols: Record<"_exit", { parameters: string[]; result: string }>): {
    readonly symbols: { _exit(code: number): void };
  };
}

export function exitNow(code: number): never {
  // Bun does not wait for its threads.
  if (isStuck() && !("Bun" in globalThis)) {
    exitAtOnce(code);
    process.kill(process.pid, "SIGKILL");
  }
  return process.exit(code);
}

/** _exit(2), which waits for nobody. Comes back where it cannot be called: on Node. */
function exitAtOnce(code: number): void {
  const deno = (globalThis as { readonly Deno?: DenoFfi }).Deno;
  if (deno?.build.os !== "linux") return;
  // Asking first: a call without permission would prompt at a terminal.
  if (deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
  try {
    deno.dlopen("libc.so.6", { _exit: { parameters: ["i32"], result: "void" } }).symbols._exit(code);
  } catch {
    // Another libc.
  }
}
