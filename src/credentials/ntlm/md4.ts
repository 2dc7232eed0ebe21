/**
 * MD4 (RFC 1320). NTLM is made of it and nothing else is; platforms have it or not, by how their OpenSSL was built. It protects
 * nothing: what it makes of a password is as good as the password.
 */

const SHIFTS = [[3, 7, 11, 19], [3, 5, 9, 13], [3, 9, 11, 15]] as const;
const CONSTANTS = [0, 0x5a827999, 0x6ed9eba1] as const;
/** Order in which the words of a block are taken, by round. */
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
] as const;

/** 16 bytes in an array of their own. */
export function md4(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(((bytes.length + 8) >> 6 << 6) + 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n, true);
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as [number, number, number, number];
  for (let at = 0; at < padded.length; at += 64) mix(state, view, at);
  const digest = new Uint8Array(16);
  const out = new DataView(digest.buffer);
  for (const [index, word] of state.entries()) out.setUint32(index * 4, word, true);
  return digest;
}

/** One block of 64 bytes. */
function mix(state: [number, number, number, number], view: DataView, at: number): void {
  let [a, b, c, d] = state;
  for (const round of [0, 1, 2] as const) {
    for (const [step, word] of ORDERS[round].entries()) {
      const sum = a + mixed(round, b, c, d) + view.getUint32(at + word * 4, true) + CONSTANTS[round];
      const shift = SHIFTS[round][step & 3] as number;
      const turned = (sum << shift) | ((sum | 0) >>> (32 - shift));
      [a, b, c, d] = [d, turned >>> 0, b, c];
    }
  }
  state[0] = (state[0] + a) >>> 0;
  state[1] = (state[1] + b) >>> 0;
  state[2] = (state[2] + c) >>> 0;
  state[3] = (state[3] + d) >>> 0;
}

function mixed(round: 0 | 1 | 2, x: number, y: number, z: number): number {
  const bits = round === 0 ? (x & y) | (~x & z) : round === 1 ? (x & y) | (x & z) | (y & z) : x ^ y ^ z;
  return bits >>> 0;
}
