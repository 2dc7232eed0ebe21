/** SHA-1 (FIPS 180-4), only because RFC 6455 asks for it; Web Crypto has none that answers at once. */

/** Digest of a Latin-1 string, 20 bytes. */
export function sha1(text: string): Uint8Array {
  const bitLength = text.length * 8;
  const words = new Uint32Array((((text.length + 8) >>> 6) + 1) * 16);
  for (let i = 0; i < text.length; i++) {
    words[i >>> 2] = (words[i >>> 2] as number) | ((text.charCodeAt(i) & 0xff) << (24 - (i & 3) * 8));
  }
  const last = text.length;
  words[last >>> 2] = (words[last >>> 2] as number) | (0x80 << (24 - (last & 3) * 8));
  words[words.length - 2] = Math.floor(bitLength / 0x1_0000_0000);
  words[words.length - 1] = bitLength;

  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  const schedule = new Uint32Array(80);
  for (let block = 0; block < words.length; block += 16) {
    let [a, b, c, d, e] = state as unknown as [number, number, number, number, number];
    for (let t = 0; t < 80; t++) {
      const word = t < 16 ? words[block + t] as number : rotateLeft(
        (schedule[t - 3] as number) ^ (schedule[t - 8] as number) ^ (schedule[t - 14] as number) ^
          (schedule[t - 16] as number),
        1,
      );
      schedule[t] = word;
      const next = rotateLeft(a, 5) + mix(t, b, c, d) + e + (ROUND_CONSTANTS[t / 20 | 0] as number) + word;
      [e, d, c, b, a] = [d, c, rotateLeft(b, 30), a, next >>> 0];
    }
    [a, b, c, d, e].forEach((value, i) => state[i] = (state[i] as number) + value);
  }
  const digest = new Uint8Array(20);
  for (let i = 0; i < 20; i++) digest[i] = (state[i >>> 2] as number) >>> (24 - (i & 3) * 8);
  return digest;
}

const ROUND_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];

function rotateLeft(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}

function mix(t: number, b: number, c: number, d: number): number {
  if (t < 20) return ((b & c) | (~b & d)) >>> 0;
  if (t >= 40 && t < 60) return ((b & c) | (b & d) | (c & d)) >>> 0;
  return (b ^ c ^ d) >>> 0;
}
