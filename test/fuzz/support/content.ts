/** Bodies that can be checked wherever they turn up: each byte follows from a key and its place. */

/** FNV-1a, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function byteAt(hash: number, at: number): number {
  return ((hash >>> ((at & 3) * 8)) ^ at ^ (at >>> 8)) & 0xff;
}

/** Bytes `[from, to)` of the content of `key`. */
export function contentOf(key: string, from: number, to: number): Uint8Array {
  const hash = hashOf(key);
  const bytes = new Uint8Array(to - from);
  for (let i = 0; i < bytes.length; i++) bytes[i] = byteAt(hash, from + i);
  return bytes;
}

/** Whether `bytes[from, to)` are those of the content of `key` from its byte `at` on. */
export function isContentOf(key: string, at: number, bytes: Uint8Array, from: number, to: number): boolean {
  const hash = hashOf(key);
  for (let i = from; i < to; i++) if (bytes[i] !== byteAt(hash, at + i - from)) return false;
  return true;
}

/** Latin-1 text to bytes. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes to text, one character each. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += 8192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  }
  return text;
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
