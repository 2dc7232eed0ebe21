/** How values of users and peers look in messages: short, on one line, without credentials. */

const MAX_SHOWN = 80;

/** Masks the userinfo of URLs: `https://user:secret@host` becomes `https://***@host`, wherever it stands. */
export function maskUserinfo(text: string): string {
  if (!text.includes("@")) return text;
  return text.replace(/(:\/\/)[^/?#\s@]*(?:@[^/?#\s@]*)*@/g, "$1***@");
}

/** A value as it may stand after "got": cut, escaped, masked; what a mapping or list holds is not shown. */
export function shown(value: unknown): string {
  if (value === null || value === undefined || value === "") return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value !== "string") return `a ${typeof value}`;
  return quoteIfOdd(value);
}

/**
 * `word`, or `"odd word"` where spaces or quotes would make the message unclear. Whatever stands before an
 * "@" may be a password, also in a malformed address, and is masked.
 */
export function quoteIfOdd(text: string): string {
  const masked = text.includes("@")
    ? text.replace(/[^\s,]*@/g, (all) => `${/^\w+:\/\//.exec(all)?.[0] ?? ""}***@`)
    : text;
  const cut = masked.length > MAX_SHOWN ? masked.slice(0, MAX_SHOWN) + "..." : masked;
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(cut) ? cut : quoted(cut);
}

/** A JSON string literal in ASCII, so that nothing in it can move the cursor or start a new line. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\uffff]/g,
    (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}
