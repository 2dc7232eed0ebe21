/**
 * Changes to the fields of a message, checked once and then applied to many: what is taken away, and the lines that
 * take its place. Decisions are made once and messages repeat, so the last result is remembered.
 */

import type { FieldInit } from "../answer/answer_types.ts";
import { checkedValue, checkSize, type Line, linesOf, type NameRule, shown } from "../answer/field_values.ts";
import { ScriptError } from "../answer/script_error.ts";
import { Field } from "../http/field.ts";
import { type FieldSection, FieldSection as Section, TABLE_STRIDE } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { fieldSection, joinedSections } from "../http/own_fields.ts";
import { SectionMemo } from "../http/section_memo.ts";
import type { Edits } from "./script_types.ts";

export class FieldEdits {
  /** Lower-case names of what is taken away. */
  readonly #taken: ReadonlySet<string>;
  readonly #added: FieldSection;
  /** Lower-case names of what is added. */
  readonly #addedNames: ReadonlySet<string>;
  #from: FieldSection | null = null;
  #made: FieldSection | null = null;
  #forwardedFrom: ForwardedFields | null = null;
  #forwardedMade: ForwardedFields | null = null;

  private constructor(taken: ReadonlySet<string>, added: readonly Line[]) {
    this.#taken = taken;
    const { text, table } = fieldSection(...added);
    // As fields of ours: whatever is kept from strangers (X-Real-IP) is not meant.
    const own = table.map((entry, at) =>
      at % TABLE_STRIDE === TABLE_STRIDE - 1 && entry === Field.xForwardedOther ? Field.other : entry
    );
    this.#added = new Section(text, own);
    this.#addedNames = new Set(added.map(([name]) => name.toLowerCase()));
  }

  /**
   * @param set null takes a field away, a text sets it, a list sets several lines
   * @param add further lines, whatever is there
   * @returns null when nothing changes
   * @throws ScriptError
   */
  static of(set: Edits | undefined, add: FieldInit | undefined, rule: NameRule): FieldEdits | null {
    const taken = new Set<string>();
    const lines: Line[] = [];
    if (set !== undefined) {
      if (typeof set !== "object" || set === null) {
        throw new ScriptError(`headers: ${shown(set)} is no object`);
      }
      for (const [name, values] of Object.entries(set)) {
        taken.add(rule(name));
        if (values === null) continue;
        for (const value of typeof values === "string" ? [values] : listOf(name, values)) {
          lines.push([name, checkedValue(name, value)]);
        }
      }
    }
    lines.push(...linesOf(add, rule));
    checkSize(lines);
    return taken.size === 0 && lines.length === 0 ? null : new FieldEdits(taken, lines);
  }

  /** The section that these edits make of `section`. */
  applyTo(section: FieldSection): FieldSection {
    if (section === this.#from && this.#made !== null) return this.#made;
    const made = this.#edited(section);
    // A section without a memo is one message's own: to remember it would only keep it alive.
    if (section.memo !== null) {
      this.#from = section;
      this.#made = made;
    }
    return made;
  }

  /** The fields that these edits make of those of a message on its way. */
  applyToForwarded(fields: ForwardedFields): ForwardedFields {
    if (fields === this.#forwardedFrom && this.#forwardedMade !== null) return this.#forwardedMade;
    const from = this.applyTo(fields.from);
    const { dropMask, dropNames, added } = fields;
    const made = {
      from,
      dropMask,
      dropNames: dropNames === null ? null : from.hopNames,
      added: added.count === 0 ? added : this.#kept(added),
    };
    if (fields.from.memo !== null) {
      this.#forwardedFrom = fields;
      this.#forwardedMade = made;
    }
    return made;
  }

  #edited(section: FieldSection): FieldSection {
    const { text, table } = joinedSections(this.#kept(section), this.#added);
    const memo = section.memo === null ? null : new SectionMemo();
    const { connectionFlags, hopNames } = section;
    return new Section(text, [...table], connectionFlags, this.#withoutAdded(hopNames), memo);
  }

  /** A client must not be able to have a field of ours taken for one of its hop, by naming it in Connection. */
  #withoutAdded(hopNames: ReadonlySet<string> | null): ReadonlySet<string> | null {
    if (hopNames === null) return null;
    return new Set([...hopNames].filter((name) => !this.#addedNames.has(name)));
  }

  /** What is not taken away of it. */
  #kept(section: FieldSection): FieldSection {
    const taken = this.#taken;
    let text = "";
    const table: number[] = [];
    for (let index = 0; index < section.count; index++) {
      if (taken.has(section.name(index).toLowerCase())) continue;
      const at = index * TABLE_STRIDE;
      const [from, nameEnd, valueStart, valueEnd, id] = section.table.slice(at, at + TABLE_STRIDE) as [
        number,
        number,
        number,
        number,
        number,
      ];
      const moved = text.length - from;
      text += section.text.slice(from, valueEnd) + "\r\n";
      table.push(from + moved, nameEnd + moved, valueStart + moved, valueEnd + moved, id);
    }
    return new Section(text, table);
  }
}

function listOf(name: string, values: unknown): readonly unknown[] {
  if (Array.isArray(values)) return values;
  throw new ScriptError(`headers: ${name}: ${shown(values)} is no text, no list of texts and not null`);
}
