/**
 * Character classes of RFC 9110 §5.6 and RFC 9112 as tables with one entry per byte: a table look-up
 * per byte is about 2.5 times faster than a `switch` on current V8 and JavaScriptCore.
 */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const DQUOTE = 0x22;
export const COMMA = 0x2c;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const DIGIT_0 = 0x30;
export const DIGIT_9 = 0x39;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;
export const UNDERSCORE = 0x5f;
export const DEL = 0x7f;

function tableOf(classify: (byte: number) => number): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = classify(byte);
  return table;
}

function isAlphanumeric(byte: number): boolean {
  return (byte >= DIGIT_0 && byte <= DIGIT_9) || (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a);
}

/** In `TOKEN`: the character is a tchar. */
export const TOKEN_PLAIN = 1;
/** In `TOKEN`: the underscore, a tchar that some recipients confuse with "-". */
export const TOKEN_UNDERSCORE = 2;

/** tchar (RFC 9110 §5.6.2): 0 when not one, else `TOKEN_PLAIN` or `TOKEN_UNDERSCORE`. */
export const TOKEN: Uint8Array = tableOf((byte) => {
  if (byte === UNDERSCORE) return TOKEN_UNDERSCORE;
  if (isAlphanumeric(byte)) return TOKEN_PLAIN;
  return byte < 0x80 && "!#$%&'*+-.^`|~".includes(String.fromCharCode(byte)) ? TOKEN_PLAIN : 0;
});

/** What a field value or a reason phrase may hold (RFC 9110 §5.5): HTAB, SP, VCHAR and obs-text. */
export const FIELD_VALUE: Uint8Array = tableOf((byte) =>
  byte === HTAB || (byte >= SP && byte !== DEL) ? 1 : 0
);

/**
 * What we let pass in a request target: visible ASCII except "#" and "\". URIs allow less, but
 * unescaped `"<>[]^{|}` and the grave accent are seen in the wild and mean the same to everybody; a
 * fragment is never sent (RFC 9112 §3.2), and a backslash is a slash to some recipients only.
 */
export const TARGET: Uint8Array = tableOf((byte) =>
  byte > SP && byte < DEL && byte !== 0x23 && byte !== BACKSLASH ? 1 : 0
);

/** Value of a hexadecimal digit, 255 when it is none. */
export const HEX_VALUE: Uint8Array = tableOf((byte) => {
  if (byte >= DIGIT_0 && byte <= DIGIT_9) return byte - DIGIT_0;
  if (byte >= 0x41 && byte <= 0x46) return byte - 0x41 + 10;
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x61 + 10;
  return 255;
});

/** reg-name of RFC 3986 §3.2.2 without percent-encoding: unreserved and sub-delims without the comma. */
export const HOST_NAME: Uint8Array = tableOf((byte) =>
  isAlphanumeric(byte) || (byte < 0x80 && "-._~!$&'()*+;=".includes(String.fromCharCode(byte))) ? 1 : 0
);
