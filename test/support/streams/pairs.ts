/** Heads and fields as plain values: what tests of streams write and read, whatever the wire. */

import { decodeLatin1, encodeLatin1 } from "../../../src/bytes/latin1.ts";
import { isMasked } from "../../../src/http/field.ts";
import type { FieldSection } from "../../../src/http/field_section.ts";
import type { ForwardedFields } from "../../../src/http/forwarded_fields.ts";
import { Head } from "../../../src/http/head.ts";
import { fieldSection } from "../../../src/http/own_fields.ts";

/** Name and value of a field. */
export type Pair = readonly [name: string, value: string];

/** The wires of these tests have no version of their own: heads say the latest. */
const VERSION = 20;

export function requestHead(method: string, target: string, fields: readonly Pair[]): Head {
  return headOf(fields, method, target, 0, "");
}

export function responseHead(status: number, reason: string, fields: readonly Pair[]): Head {
  return headOf(fields, "", "", status, reason);
}

export function trailerSection(fields: readonly Pair[]): Head {
  return headOf(fields, "", "", 0, "");
}

function headOf(
  fields: readonly Pair[],
  method: string,
  target: string,
  status: number,
  reason: string,
): Head {
  const section = fieldSection(...fields);
  return new Head(section, "", section.text.length + 2, VERSION, method, target, status, reason);
}

function pairsOf(section: FieldSection): Pair[] {
  return Array.from({ length: section.count }, (_, index) => [section.name(index), section.value(index)]);
}

/** The fields that a recipient gets, in their order. */
export function sentPairs(fields: ForwardedFields): Pair[] {
  const { from, dropMask, dropNames, added } = fields;
  const kept = pairsOf(from).filter(([name], index) =>
    !isMasked(from.id(index), dropMask & ~1) && dropNames?.has(name.toLowerCase()) !== true
  );
  return [...kept, ...pairsOf(added)];
}

/** Value of the first field of that name, in any case; undefined without one. */
export function valueOf(pairs: readonly Pair[], name: string): string | undefined {
  return pairs.find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1];
}

export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  encodeLatin1(text, bytes, 0);
  return bytes;
}

export function textOf(bytes: Uint8Array, from = 0, to = bytes.length): string {
  return decodeLatin1(bytes, from, to);
}
