/** The base64 of crypt(3), which has other characters than that of RFC 4648, and other orders. */

const CRYPT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * The text of a digest as md5crypt and SHA-crypt write it: groups of up to three bytes, the lowest six bits first.
 *
 * @param groups places of the bytes in the digest, the highest first
 */
export function cryptText(digest: Uint8Array, groups: readonly (readonly number[])[]): string {
  let text = "";
  for (const group of groups) {
    let bits = group.reduce((value, at) => value << 8 | (digest[at] as number), 0);
    for (let count = group.length; count >= 0; count--) {
      text += CRYPT.charAt(bits & 0x3f);
      bits >>>= 6;
    }
  }
  return text;
}

/** The bytes of bcrypt's base64, as many as are whole; null when another character is in it. */
export function bcryptBytes(text: string): Uint8Array | null {
  const bytes = new Uint8Array(text.length * 6 >> 3);
  let bits = 0;
  let count = 0;
  let at = 0;
  for (const character of text) {
    const value = BCRYPT.indexOf(character);
    if (value < 0) return null;
    bits = (bits << 6 | value) & 0xfff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[at++] = bits >>> count;
    }
  }
  return bytes;
}
