/** The Basic scheme (RFC 7617). */

import { isUserName } from "./secret_file.ts";
import { utf8 } from "./secret_bytes.ts";

/** Longest password, in bytes: SHA-crypt takes time by its length. */
const MAX_PASSWORD_BYTES = 512;

/** What a client says it is. The password shows in no text and no JSON made of it. */
export class BasicCredentials {
  readonly user: string;
  readonly #password: Uint8Array;

  constructor(user: string, password: Uint8Array) {
    this.user = user;
    this.#password = password;
  }

  /** UTF-8, without control characters. A method, so that nothing that lists properties finds it. */
  passwordBytes(): Uint8Array {
    return this.#password;
  }
}

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the value of a Proxy-Authorization field: `Basic` and the base64 of `user:password` in UTF-8 (RFC 7617 §2.1). The first
 * colon ends the user's name.
 *
 * @returns null for another scheme and for whatever is malformed: padding that is missing, no colon, control characters, what
 *   is not UTF-8, or longer than a user's name or a password may be
 */
export function readBasic(value: string): BasicCredentials | null {
  const [, base64 = ""] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value) ?? [];
  if (base64 === "" || base64.length % 4 !== 0) return null;
  let text: string;
  try {
    text = utf8Decoder.decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  } catch {
    return null;
  }
  const colon = text.indexOf(":");
  const user = text.slice(0, colon);
  const password = utf8(text.slice(colon + 1));
  // deno-lint-ignore no-control-regex -- control characters are what must not be in it
  if (colon < 0 || !isUserName(user) || /[\u0000-\u001f\u007f]/.test(text)) return null;
  if (password.length > MAX_PASSWORD_BYTES) return null;
  return new BasicCredentials(user, password);
}
