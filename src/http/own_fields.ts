/** Field sections of our own making. */

import { idOfName } from "./field.ts";
import { FieldSection, NO_FIELDS, TABLE_STRIDE } from "./field_section.ts";

/**
 * A section of these fields, in their order.
 *
 * @param fields names (tokens) and values (visible characters, SP and HTAB, Latin-1; neither first nor last a space)
 */
export function fieldSection(...fields: readonly (readonly [name: string, value: string])[]): FieldSection {
  if (fields.length === 0) return NO_FIELDS;
  let text = "";
  const table: number[] = [];
  for (const [name, value] of fields) {
    const nameStart = text.length;
    const valueStart = nameStart + name.length + 2;
    const id = idOfName(name.toLowerCase());
    text += name + ": " + value + "\r\n";
    table.push(nameStart, nameStart + name.length, valueStart, valueStart + value.length, id);
  }
  return new FieldSection(text, table);
}

/** The fields of both, in that order. */
export function joinedSections(first: FieldSection, second: FieldSection): FieldSection {
  if (first.count === 0) return second;
  if (second.count === 0) return first;
  const offset = first.text.length;
  const moved = second.table.map((entry, index) =>
    index % TABLE_STRIDE === TABLE_STRIDE - 1 ? entry : entry + offset
  );
  return new FieldSection(first.text + second.text, [...first.table, ...moved]);
}
