/** Messages to bytes. Everything is written from the parsed model, nothing is passed through unseen. */

import { CR, LF, SP } from "../bytes/character.ts";
import { isMasked } from "../http/field.ts";
import { type FieldSection, TABLE_STRIDE } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";

/** The last chunk and an empty trailer section. The bytes are shared: do not change them. */
export const LAST_CHUNK: Uint8Array = Uint8Array.of(0x30, CR, LF, CR, LF);

/** Room that `encodeChunkHead` needs at most: 14 digits of 2^53 - 1 and CRLF. */
export const MAX_CHUNK_HEAD_BYTES = 16;

/**
 * The field lines to forward: those whose id is not in `dropMask` and whose name is not in
 * `dropNames`, in their order and spelling, each as "Name: value" CRLF.
 *
 * @param dropMask see `maskOf`; bit 0 has no effect
 * @param dropNames lower-case names (letters, digits, "-"), or null
 * Runs of lines that are already written so are cut out of the head in one piece, so the usual cost is
 * one comparison per field and one slice per dropped field.
 */
export function keptFields(
  section: FieldSection,
  dropMask: number,
  dropNames: ReadonlySet<string> | null,
): string {
  const drop = dropMask & ~1;
  const { memo } = section;
  if (dropNames !== null || memo === null) return writeKept(section, drop, dropNames);
  if (memo.keptMask !== drop) {
    memo.kept = writeKept(section, drop, null);
    memo.keptMask = drop;
  }
  return memo.kept;
}

/** All field lines of a message, without framing. */
export function fieldLines({ from, dropMask, dropNames, added }: ForwardedFields): string {
  return keptFields(from, dropMask, dropNames) + added.text;
}

function writeKept(section: FieldSection, drop: number, dropNames: ReadonlySet<string> | null): string {
  const { text, table } = section;
  const count = table.length;
  let kept = "";
  /** Start of the current run, -1 when there is none. */
  let runStart = -1;
  for (let at = 0; at < count; at += TABLE_STRIDE) {
    const nameStart = table[at] as number;
    if (
      isMasked(table[at + 4] as number, drop) ||
      (dropNames !== null && dropNames.has(text.slice(nameStart, table[at + 1]).toLowerCase()))
    ) {
      if (runStart >= 0) {
        kept += text.slice(runStart, nameStart);
        runStart = -1;
      }
      continue;
    }
    const nameEnd = table[at + 1] as number;
    const valueStart = table[at + 2] as number;
    const valueEnd = table[at + 3] as number;
    const lineEnd = at + TABLE_STRIDE < count ? table[at + TABLE_STRIDE] as number : text.length;
    if (valueStart === nameEnd + 2 && lineEnd === valueEnd + 2 && text.charCodeAt(nameEnd + 1) === SP) {
      if (runStart < 0) runStart = nameStart;
      continue;
    }
    if (runStart >= 0) {
      kept += text.slice(runStart, nameStart);
      runStart = -1;
    }
    kept += text.slice(nameStart, nameEnd) + ": " + text.slice(valueStart, valueEnd) + "\r\n";
  }
  return runStart >= 0 ? kept + text.slice(runStart) : kept;
}

/**
 * Writes the size line of a chunk.
 *
 * @param size 1 to 2^53 - 1; 0 would end the body
 * @param out has room for `MAX_CHUNK_HEAD_BYTES` from `at` on
 * @returns bytes written
 */
export function encodeChunkHead(size: number, out: Uint8Array, at: number): number {
  let digits = 1;
  for (let rest = size; rest >= 16; rest = Math.floor(rest / 16)) digits++;
  let rest = size;
  for (let i = at + digits - 1; i >= at; i--) {
    const digit = rest % 16;
    out[i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest = (rest - digit) / 16;
  }
  out[at + digits] = CR;
  out[at + digits + 1] = LF;
  return digits + 2;
}
