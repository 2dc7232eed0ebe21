/**
 * The texts that the path of a request may be for its readers, before they split it into segments. What they
 * do to segments is the matter of `path_tree.ts`.
 *
 * A path that can be read in several ways is fine as long as every reading leads to the same route:
 * `/@scope%2Fname` is how packages are named, and `/public/..%2Fadmin` is how a rule for `/admin` is walked around.
 */

import { escapeOf, withoutOverlong } from "./overlong.ts";
import { normalizedPath } from "./target.ts";

/**
 * What of a normalised path is worth a closer look: doubled slashes, parameters, characters that some escape, and
 * escapes of characters that a path may hold or that mean something in it. Others (`%20`, `%C3%A9`) are read alike by
 * all, decoded or not; `%C0` and `%C1` begin overlong UTF-8 only.
 */
const OFTEN_READ_DIFFERENTLY = /\/\/|[;"<>[\]^`{|}]|%(?!20|[89ABDEF]|C[2-9A-F])/;

const CONTROL = /%(?:[01][0-9A-F]|7F)/;

/**
 * The one spelling of a path: unreserved characters as themselves (RFC 3986 §6.2.2.2), what a path may not hold
 * unescaped (§3.3) as escapes, escapes in upper case. `path` has no query, and two hexadecimal digits after each "%".
 */
export function canonicalPath(path: string): string {
  return path.replace(/%[0-9A-Fa-f]{2}|["<>[\]^`{|}]/g, (found) => {
    if (found.length === 1) return escapeOf(found.charCodeAt(0));
    const char = String.fromCharCode(parseInt(found.slice(1), 16));
    return /[\w.~-]/.test(char) ? char : found.toUpperCase();
  });
}

/** Some reader may take this path, which is normalised, for another one. */
export function isReadDifferently(path: string): boolean {
  return OFTEN_READ_DIFFERENTLY.test(path);
}

/**
 * The path of a target as all servers read it, normalised.
 *
 * @param target origin form, query included
 * @returns null when they may read it differently: see `pathReadings`
 */
export function plainPath(target: string): string | null {
  const path = normalizedPath(target);
  return path === null || OFTEN_READ_DIFFERENTLY.test(path) ? null : path;
}

/**
 * The canonical texts of a path, without repetition and five at most: as it is; with overlong UTF-8 decoded; with
 * escapes of escapes decoded (`%252F` is `%2F` for a recipient behind a server that decodes); both, in either order.
 *
 * @param target origin form, query included
 * @returns null when an escape is broken or stands for a control character: no reading is safe
 */
export function pathReadings(target: string): readonly string[] | null {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return null;
  const literal = canonicalPath(path);
  const short = decodeOverlong(literal);
  if (CONTROL.test(literal) || CONTROL.test(short)) return null;
  const twice = decodeAgain(literal);
  return [...new Set([literal, short, twice, decodeAgain(short), decodeOverlong(twice)])];
}

function decodeOverlong(text: string): string {
  return text.includes("%") ? canonicalPath(withoutOverlong(text)) : text;
}

function decodeAgain(text: string): string {
  return text.includes("%25") ? canonicalPath(text.replace(/%25(?=[0-9A-Fa-f]{2})/g, "%")) : text;
}

/** The octets that a segment stands for, one character each. */
export function decodedSegment(segment: string): string {
  return segment.replace(
    /%([0-9A-F]{2})/g,
    (_, digits: string) => String.fromCharCode(parseInt(digits, 16)),
  );
}
