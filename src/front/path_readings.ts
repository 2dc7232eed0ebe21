/**
 * A path that recipients read in different ways (escaped slashes, dot segments, backslashes) is fine as
 * long as every reading leads to the same route: `/@scope%2Fname` is how packages are named, and
 * `/public/..%2Fadmin` is how a rule for `/admin` is walked around.
 */

/**
 * An ASCII character escaped as UTF-8 that is longer than it has to be (RFC 3629 §3 forbids to read it), in two to six
 * bytes: its upper bit, and the last byte, which has the other six.
 */
const OVERLONG =
  /(?:%[Cc]|(?:%[Ee]0|%[Ff]0%80|%[Ff]8%80%80|%[Ff][Cc]%80%80%80)%8)([01])%([89ABab][0-9A-Fa-f])/g;

/**
 * The path as the most generous recipient would take it: every escape decoded once (overlong UTF-8 too), backslashes and
 * doubled slashes as one slash, path parameters dropped, dot segments resolved.
 *
 * @param path origin-form target, query included
 * @returns null when it holds an escaped control character or a "%" that is no escape: no reading is safe
 */
export function generousPath(path: string): string | null {
  const query = path.indexOf("?");
  const received = query < 0 ? path : path.slice(0, query);
  const raw = received.replace(OVERLONG, (_, upper: string, last: string) => {
    const code = (upper === "1" ? 0x40 : 0) | (parseInt(last, 16) & 0x3f);
    return "%" + code.toString(16).padStart(2, "0");
  });
  if (/%(?![0-9A-Fa-f]{2})/.test(raw) || /%(?:[01][0-9A-Fa-f]|7[Ff])/.test(raw)) return null;
  const decoded = raw.replace(
    /%([0-9A-Fa-f]{2})/g,
    (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
  );
  const segments: string[] = [];
  for (const part of decoded.split(/[/\\]+/)) {
    const segment = part.split(";")[0] as string;
    if (segment === "..") segments.pop();
    else if (segment !== "." && segment !== "") segments.push(segment);
  }
  return "/" + segments.join("/");
}

/**
 * The path as a recipient would take it that changes nothing: without its query, escapes of unreserved
 * characters decoded and the others in upper case, as in configured paths.
 */
export function literalPath(path: string): string {
  const query = path.indexOf("?");
  const raw = query < 0 ? path : path.slice(0, query);
  return raw.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const char = String.fromCharCode(parseInt(escape.slice(1), 16));
    return /[\w.~-]/.test(char) ? char : escape.toUpperCase();
  });
}
