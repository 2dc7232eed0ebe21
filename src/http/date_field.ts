/** The Date field of our own messages (RFC 9110 §6.6.1). */

import type { HttpDate } from "../time/http_date.ts";
import { type FieldSection, NO_FIELDS } from "./field_section.ts";
import { fieldSection } from "./own_fields.ts";

export class DateField {
  readonly #date: HttpDate;
  #text = "";
  #section: FieldSection = NO_FIELDS;

  constructor(date: HttpDate) {
    this.#date = date;
  }

  /** With the present second; one object as long as that lasts. */
  section(): FieldSection {
    const text = this.#date.text();
    if (text !== this.#text) {
      this.#text = text;
      this.#section = fieldSection(["Date", text]);
    }
    return this.#section;
  }
}
