/** The garbage collector of the runtime that runs the test. */

import * as v8 from "node:v8";
import * as vm from "node:vm";
import { turn } from "./watchdog.ts";

/** Collections until nothing more goes: the finalizers of one free what the next one finds. */
const COLLECTIONS = 4;

/** Collects all that nothing refers to. Objects that a register or the stack still names may stay for a while. */
export async function collect(): Promise<void> {
  const once = collector();
  for (let i = 0; i < COLLECTIONS; i++) {
    // A WeakRef that was made or read keeps its object until the job that did so is over.
    await turn();
    once();
  }
}

function collector(): () => void {
  if ("Bun" in globalThis) {
    // The cast: Bun's types are not loaded, since tests run on three platforms.
    const { Bun: bun } = globalThis as unknown as { Bun: { gc(synchronously: boolean): void } };
    return () => bun.gc(true);
  }
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc");
}
