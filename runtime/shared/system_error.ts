/** Errors of `node:` modules as ours, and the one way to wait without giving way. */
import { SystemError } from "../contract/contract.ts";

/** Blocks this thread. */
export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** An error of node:fs as ours. */
export function systemError(error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : String(error);
  return new SystemError(typeof code === "string" ? code : "", message);
}
