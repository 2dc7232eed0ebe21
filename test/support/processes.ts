/** Other processes, as Linux shows them in /proc; and Sluice as a program of the runtime that runs the test. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "../smoke/program.ts";
import { within } from "./watchdog.ts";

export interface OtherProcess {
  readonly pid: number;
  readonly args: readonly string[];
}

/** Processes that `pid` started and that have not ended. */
export function childrenOf(pid: number): OtherProcess[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = read(`/proc/${name}/stat`);
    // pid (name) state parent …; the name may hold anything, parentheses included.
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === undefined || state === "Z" || Number(parent) !== pid) return [];
    return [{ pid: Number(name), args: read(`/proc/${name}/cmdline`).split("\0") }];
  });
}

/** There is no such process, or it has ended and nobody has asked for its exit code. */
function isGone(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat === "" || stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
}

/** Resolves when the process has ended. The kernel tells only parents, so it is looked at now and then. */
export async function untilGone(pid: number): Promise<void> {
  await until(`process ${pid} to end`, () => isGone(pid));
}

/** Resolves when `condition` holds: for what no event tells. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  let given = false;
  const looking = (async () => {
    while (!given && !condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  })();
  try {
    await within(looking, what);
  } finally {
    given = true;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Sluice from source, on the runtime that runs the test. */
export function ownProgram(): Command {
  const entry = (runtime: string) =>
    fileURLToPath(new URL(`../../runtime/main_${runtime}.ts`, import.meta.url));
  if ("Bun" in globalThis) return [process.execPath, entry("bun")];
  if ("Deno" in globalThis) return [process.execPath, "run", "-A", entry("deno")];
  return [process.execPath, entry("node")];
}
