/** HTML in which every value is escaped, so that no author of a page can forget to. */

/** Markup that is complete in itself; made by `markup` only, and out of our own constants. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

export type Piece = Html | string | number | null | false | readonly Piece[];

/**
 * A template whose values are escaped for element content and for attribute values in double quotes. `Html`
 * stays as it is, lists are joined, null and false are nothing.
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Piece[]): Html {
  let text = strings[0] ?? "";
  values.forEach((value, at) => {
    text += textOf(value) + (strings[at + 1] ?? "");
  });
  return new Html(text);
}

function textOf(value: Piece): string {
  if (value instanceof Html) return value.text;
  if (value === null || value === false) return "";
  if (typeof value === "string" || typeof value === "number") return escapeHtml(String(value));
  return value.map(textOf).join("");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Control characters and those that change the direction of text are shown by their numbers. */
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

export function escapeHtml(text: string): string {
  return text
    .replace(UNSEEN, (unseen) => `\\u{${unseen.charCodeAt(0).toString(16)}}`)
    .replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
