/**
 * The pages of our own executable file that are mapped into this process. The start touches tens of megabytes of
 * them, options, modules and the engine's own start, and nothing but a lack of memory would unmap them again.
 */
import { Buffer } from "node:buffer";
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import process from "node:process";
import { openLibc } from "../shared/libc.ts";
import { loadedSection } from "./elf_section.ts";
import { type MemoryRange, noPageWritten, PAGEMAP_ENTRY_BYTES, unwrittenMappings } from "./memory_map.ts";

interface Advising {
  madvise(address: number, length: number, advice: number): number;
  getpagesize(): number;
}

/** Of a mapped file: pages are unmapped, stay in the page cache, and are mapped again when they are used. */
const MADV_DONTNEED = 4;
/** Our own program, its bytecode first of all, as the compiler of Bun has put it into the executable. */
const PROGRAM_SECTION = ".bun";

/** Whether the number above is that of this machine, and smaps is to be expected. */
export function canReleaseProgram(): boolean {
  return process.platform === "linux";
}

/**
 * In smaps the mappings of a program with fixed addresses come first, and fit in here. All of it is 51 KB, and what that
 * leaves in the heap sets Bun's collector going, which fetches 4 MiB of pages back.
 */
const FIRST_MAPPINGS_BYTES = 8 * 1024;

/** Of our own program; undefined = not looked for yet. */
let section: MemoryRange | null | undefined;

/** See `Runtime.releaseProgram`. */
export function releaseProgram(): void {
  try {
    const libc = openLibc<Advising>({
      madvise: { args: ["usize", "usize", "i32"], returns: "i32" },
      getpagesize: { args: [], returns: "i32" },
    });
    if (libc === null) return;
    // The same text in both, also when the file has been removed or replaced.
    const path = readlinkSync("/proc/self/exe");
    const program = unwrittenProgram(libc.getpagesize());
    const first = withFile("/proc/self/smaps", (readAt) => latin1(readAt(0, FIRST_MAPPINGS_BYTES)));
    let ranges = unwrittenMappings(first, path);
    if (ranges.length === 0) ranges = unwrittenMappings(readFileSync("/proc/self/smaps", "latin1"), path);
    if (program !== null) ranges.push(program);
    // Last, since all that is done after it fetches pages back.
    for (const { address, length } of ranges) libc.madvise(address, length, MADV_DONTNEED);
  } catch {
    // No /proc: then they stay.
  }
}

/**
 * The whole pages of our own program. They lie in a mapping that is writable, beside data of the engine, but
 * are not written to: where a single one has been after all, all of them are left alone.
 */
function unwrittenProgram(pageBytes: number): MemoryRange | null {
  if (section === undefined) {
    section = withFile("/proc/self/exe", (readAt) => loadedSection(readAt, PROGRAM_SECTION));
  }
  if (section === null) return null;
  const first = Math.ceil(section.address / pageBytes);
  const pages = Math.floor((section.address + section.length) / pageBytes) - first;
  if (pages <= 0) return null;
  const bytes = pages * PAGEMAP_ENTRY_BYTES;
  const entries = withFile("/proc/self/pagemap", (readAt) => readAt(first * PAGEMAP_ENTRY_BYTES, bytes));
  if (entries.length !== bytes || !noPageWritten(entries)) return null;
  return { address: first * pageBytes, length: pages * pageBytes };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function withFile<T>(path: string, use: (readAt: (position: number, length: number) => Uint8Array) => T): T {
  const file = openSync(path, "r");
  try {
    return use((position, length) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, position));
    });
  } finally {
    closeSync(file);
  }
}
