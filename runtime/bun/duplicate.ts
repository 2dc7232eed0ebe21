/** dup(2), which Bun does not offer. */
import { openLibc } from "../shared/libc.ts";

interface Duplicating {
  dup(fd: number): number;
}

let loaded: ((fd: number) => number) | null | undefined;

/** dup(2); negative answers are failures. Null where libc cannot be called. */
export function duplicator(): ((fd: number) => number) | null {
  if (loaded === undefined) {
    loaded = openLibc<Duplicating>({ dup: { args: ["i32"], returns: "i32" } })?.dup ?? null;
  }
  return loaded;
}
