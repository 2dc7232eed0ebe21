/** Where a section of an executable file lies in the memory of the process that runs it (elf(5)). */

import type { MemoryRange } from "./memory_map.ts";

/** Bytes of the file; fewer than `length` at its end. */
export type ReadAt = (position: number, length: number) => Uint8Array;

const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
/** More of either is no program of ours. */
const MOST_SECTIONS = 1000;
const MOST_NAME_BYTES = 64 * 1024;
/** `e_type` of a program whose addresses are those in the file. */
const ET_EXEC = 2;

/** @returns null when there is no such section, or the file is no 64-bit little-endian program with fixed addresses */
export function loadedSection(readAt: ReadAt, name: string): MemoryRange | null {
  const header = viewOf(readAt(0, HEADER_BYTES));
  if (header.byteLength < HEADER_BYTES) return null;
  // Magic, then class 2 (64 bits) and data 1 (little-endian).
  if (header.getUint32(0) !== 0x7f454c46 || header.getUint16(4) !== 0x0201) return null;
  const tableAt = uint64(header, 40);
  const entryBytes = header.getUint16(58, true);
  const count = header.getUint16(60, true);
  const namesIndex = header.getUint16(62, true);
  if (header.getUint16(16, true) !== ET_EXEC || entryBytes !== SECTION_BYTES) return null;
  if (count > MOST_SECTIONS || namesIndex >= count) return null;
  const table = viewOf(readAt(tableAt, count * SECTION_BYTES));
  if (table.byteLength < count * SECTION_BYTES) return null;
  const names = sectionAt(table, namesIndex);
  if (names.length > MOST_NAME_BYTES) return null;
  const text = latin1(readAt(names.offset, names.length));
  for (let index = 0; index < count; index++) {
    const { nameAt, address, length } = sectionAt(table, index);
    if (text.startsWith(`${name}\0`, nameAt)) return address === 0 ? null : { address, length };
  }
  return null;
}

function sectionAt(table: DataView, index: number) {
  const at = index * SECTION_BYTES;
  return {
    nameAt: table.getUint32(at, true),
    address: uint64(table, at + 16),
    offset: uint64(table, at + 24),
    length: uint64(table, at + 32),
  };
}

/** Exact below 2^53. */
function uint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
