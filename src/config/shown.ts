/** How values of users and peers look in messages: short, on one line, without credentials. */

const MAX_SHOWN = 80;

/** `https://user:secret@host` becomes `https://***@host`, wherever it stands in `text`. */
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

/** `word`, or `"odd word"` where spaces or quotes would make the message unclear. */
export function quoteIfOdd(text: string): string {
  const cut = text.length > MAX_SHOWN ? text.slice(0, MAX_SHOWN) + "..." : text;
  const masked = maskUserinfo(cut);
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(masked) ? masked : quoted(masked);
}

/** A JSON string literal in ASCII, so that nothing in it can move the cursor or start a new line. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\uffff]/g,
    (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}
