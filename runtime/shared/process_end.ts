/**
 * Ending the process. Deno and Node wait for the threads of their pools. One of those may be writing to a reader that
 * has stopped reading: then `exit` would never come to an end.
 */
import process from "node:process";
import { openLibc } from "./libc.ts";
import { isStuck } from "./text_sink.ts";

export function exitNow(code: number): never {
  // Bun does not wait for its threads.
  if (isStuck() && !("Bun" in globalThis)) {
    exitAtOnce(code);
    process.kill(process.pid, "SIGKILL");
  }
  return process.exit(code);
}

/** _exit(2), which waits for no thread. Comes back where it cannot be called: on Node. */
function exitAtOnce(code: number): void {
  if (process.platform !== "linux") return;
  openLibc<{ _exit(code: number): number }>({ _exit: { args: ["i32"], returns: "i32" } })?._exit(code);
}
