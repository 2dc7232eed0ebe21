/** dup(2) on Bun, which does not offer it. */
import { libcFunction } from "./bun_libc.ts";

type Duplicate = (fd: number) => number;

let loaded: Duplicate | null | undefined;

/** dup(2); negative answers are failures. Null where libc cannot be called. */
export function duplicator(): Duplicate | null {
  if (loaded === undefined) {
    loaded = libcFunction("dup", { args: ["i32"], returns: "i32" }) as Duplicate | undefined ?? null;
  }
  return loaded;
}
