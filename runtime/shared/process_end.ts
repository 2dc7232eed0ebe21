/**
 * Ending the process. Deno and Node wait for the threads of their pools. One of those may be writing to a reader that
 * has stopped reading: then `exit` would never come to an end.
 */
import process from "node:process";
import { openLibc } from "./libc.ts";
import { isStuck } from "./text_sink.ts";

/** The platform's, whatever scripts find under its name. */
const platformExit = process.exit.bind(process);
const deno = (globalThis as { Deno?: { exit(code?: number): never } }).Deno;
const denoExit = deno?.exit;
let refusing = false;

/** From now on `process.exit`, and `Deno.exit`, throw: a script must not end the process that serves. Ours is `exitNow`. */
export function refuseScriptExit(): void {
  if (refusing) return;
  refusing = true;
  const refuse = (): never => {
    throw new Error("a script cannot end Sluice: use sluice stop");
  };
  process.exit = refuse;
  if (deno !== undefined) deno.exit = refuse;
}

export function exitNow(code: number): never {
  // Bun does not wait for its threads.
  if (isStuck() && !("Bun" in globalThis)) {
    exitAtOnce(code);
    process.kill(process.pid, "SIGKILL");
  }
  // Deno's `process.exit` comes down to it.
  if (deno !== undefined && denoExit !== undefined) deno.exit = denoExit;
  return platformExit(code);
}

/** _exit(2), which waits for no thread. Comes back where it cannot be called: on Node. */
function exitAtOnce(code: number): void {
  if (process.platform !== "linux") return;
  openLibc<{ _exit(code: number): number }>({ _exit: { args: ["i32"], returns: "i32" } })?._exit(code);
}
