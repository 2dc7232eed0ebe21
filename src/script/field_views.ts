/** The fields of messages as scripts see them: nothing is cut out before it is asked for. */

import { type FieldSection, TABLE_STRIDE } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { isMasked } from "../http/field.ts";
import type { Fields } from "./script_types.ts";

/** Of one section. */
export class SectionFields implements Fields {
  readonly #section: FieldSection;

  constructor(section: FieldSection) {
    this.#section = section;
  }

  get(name: string): string | null {
    return joined(this.all(name));
  }

  all(name: string): readonly string[] {
    return valuesOf(this.#section, name.toLowerCase());
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    const section = this.#section;
    for (let index = 0; index < section.count; index++) yield [section.name(index), section.value(index)];
  }
}

/** Of a message as it goes on: what is passed on of a received one, and what is added. */
export class ForwardedView implements Fields {
  readonly #fields: ForwardedFields;

  constructor(fields: ForwardedFields) {
    this.#fields = fields;
  }

  get(name: string): string | null {
    return joined(this.all(name));
  }

  all(name: string): readonly string[] {
    const lower = name.toLowerCase();
    return [...this].filter(([each]) => each.toLowerCase() === lower).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    const { from, dropMask, dropNames, added } = this.#fields;
    for (let index = 0; index < from.count; index++) {
      const name = from.name(index);
      if (isMasked(from.id(index), dropMask) || dropNames?.has(name.toLowerCase()) === true) continue;
      yield [name, from.value(index)];
    }
    for (let index = 0; index < added.count; index++) yield [added.name(index), added.value(index)];
  }
}

function joined(values: readonly string[]): string | null {
  return values.length === 0 ? null : values.length === 1 ? values[0] as string : values.join(", ");
}

function valuesOf(section: FieldSection, lowerCaseName: string): string[] {
  const values: string[] = [];
  const { length } = lowerCaseName;
  for (let index = 0, at = 0; index < section.count; index++, at += TABLE_STRIDE) {
    const from = section.table[at] as number;
    const to = section.table[at + 1] as number;
    if (to - from !== length || section.text.slice(from, to).toLowerCase() !== lowerCaseName) continue;
    values.push(section.value(index));
  }
  return values;
}
