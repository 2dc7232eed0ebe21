/**
 * The pages of our own executable file that are mapped into this process. The start touches tens of megabytes of
 * them, options, modules and the engine's own start, and nothing but a lack of memory would unmap them again.
 */
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { openLibc } from "../shared/libc.ts";
import { unwrittenMappings } from "./memory_map.ts";

interface Advising {
  madvise(address: number, length: number, advice: number): number;
}

/** Of a mapped file: pages are unmapped, stay in the page cache, and are mapped again when they are used. */
const MADV_DONTNEED = 4;

/** Whether the number above is that of this machine, and smaps is to be expected. */
export function canReleaseProgram(): boolean {
  return process.platform === "linux";
}

/** See `Runtime.releaseProgram`. 51 KB of smaps, libc included, take 2 ms. */
export function releaseProgram(): void {
  try {
    const libc = openLibc<Advising>({ madvise: { args: ["usize", "usize", "i32"], returns: "i32" } });
    if (libc === null) return;
    // The same text in both, also when the file has been removed or replaced.
    const path = readlinkSync("/proc/self/exe");
    const smaps = readFileSync("/proc/self/smaps", "latin1");
    for (const { address, length } of unwrittenMappings(smaps, path)) {
      libc.madvise(address, length, MADV_DONTNEED);
    }
  } catch {
    // No /proc: then they stay.
  }
}
