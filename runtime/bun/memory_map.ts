/** What /proc/PID/smaps and /proc/PID/pagemap say of a process's memory (proc_pid_smaps(5), proc_pid_pagemap(5)). */

/** A range of addresses, in bytes. */
export interface MemoryRange {
  readonly address: number;
  readonly length: number;
}

/** Addresses, permissions, offset, device, inode and path of a mapping. */
const HEADER = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ \S+ \d+ +(.+)$/;
const FIELD = /^(\w+): +(\d+) kB$/;

/**
 * The mappings of a file in which nothing can be lost: they are not writable, and every page of them is what the
 * file says. A page that was written to is a copy of our own, `Anonymous`, or swapped out, `Swap`: the loader has
 * made such pages and write-protected them (RELRO), and what is in them stands nowhere else.
 *
 * `Private_Dirty` says nothing here: a page of the file counts there, too, until the system has written a file that
 * is new to its disk.
 *
 * @param smaps whole text; mappings that cannot be understood are left out
 * @param path as the kernel shows it
 */
export function unwrittenMappings(smaps: string, path: string): MemoryRange[] {
  const found: MemoryRange[] = [];
  let range: MemoryRange | null = null;
  /** Which of the two fields have been seen to be zero. */
  let anonymous = false;
  let swap = false;
  const finish = () => {
    if (range !== null && anonymous && swap) found.push(range);
    range = null;
    anonymous = swap = false;
  };
  for (const line of smaps.split("\n")) {
    const header = HEADER.exec(line);
    if (header !== null) {
      finish();
      range = header[4] === path ? rangeOf(header) : null;
      continue;
    }
    if (range === null) continue;
    const [, name, kib] = FIELD.exec(line) ?? [];
    if (name === "Anonymous") anonymous = kib === "0";
    else if (name === "Swap") swap = kib === "0";
  }
  finish();
  return found;
}

function rangeOf([, from = "", to = "", permissions]: readonly string[]): MemoryRange | null {
  if (permissions !== "r-xp" && permissions !== "r--p") return null;
  const address = parseInt(from, 16);
  const length = parseInt(to, 16) - address;
  return Number.isSafeInteger(address + length) && length > 0 ? { address, length } : null;
}

/** Of each page in /proc/PID/pagemap. */
export const PAGEMAP_ENTRY_BYTES = 8;
// Bits of an entry's last byte: bits 56 to 63.
const PRESENT = 0x80;
const SWAPPED = 0x40;
/** The page is the file's, not a copy of our own. */
const OF_FILE = 0x20;

/** Of pages of a mapped file: each is what the file says, or not in memory. @param entries as pagemap has them */
export function noPageWritten(entries: Uint8Array): boolean {
  for (let at = PAGEMAP_ENTRY_BYTES - 1; at < entries.length; at += PAGEMAP_ENTRY_BYTES) {
    const bits = entries[at] as number;
    if ((bits & SWAPPED) !== 0 || (bits & (PRESENT | OF_FILE)) === PRESENT) return false;
  }
  return true;
}
