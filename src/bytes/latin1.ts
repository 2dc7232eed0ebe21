/**
 * Octets to characters and back, one to one: byte 0x00-0xFF is U+0000-U+00FF (ISO-8859-1 as RFC 9110
 * §5.5 means it). `TextDecoder("latin1")` is really windows-1252 and alters 27 byte values, and
 * `TextEncoder` writes UTF-8, so neither may be used alone.
 */

interface BinaryText {
  latin1Slice(from: number, to: number): string;
  latin1Write(text: string, at: number, length: number): number;
}

// Declared on Buffer, but they work on any Uint8Array, and calling them so spares wrapping each chunk.
const { latin1Slice, latin1Write } = Buffer.prototype as unknown as BinaryText;
const utf8 = new TextEncoder();

/**
 * Decodes `bytes[from, to)`; the result has exactly `to - from` characters, each 0x00 to 0xFF.
 * About 60 ns for a typical head.
 */
export function decodeLatin1(bytes: Uint8Array, from: number, to: number): string {
  return from === to ? "" : latin1Slice.call(bytes, from, to);
}

function writeNatively(text: string, out: Uint8Array, at: number): number {
  return latin1Write.call(out, text, at, text.length);
}

/** The same through UTF-8, which agrees with Latin-1 for ASCII; anything else is written again. */
function writeThroughUtf8(text: string, out: Uint8Array, at: number): number {
  const length = text.length;
  const done = utf8.encodeInto(text, out.subarray(at, at + length));
  if (done.read !== length) {
    for (let i = 0; i < length; i++) out[at + i] = text.charCodeAt(i);
  }
  return length;
}

/**
 * One platform writes Latin-1 natively (about 130 ns for 200 characters), another in a script loop
 * (1.1 us, where its UTF-8 encoder needs 150 ns). Both ways give the same bytes, so which one is used
 * is a matter of speed only, and is measured once: the cheap test is 20 us at start.
 */
function quickerWrite(): (text: string, out: Uint8Array, at: number) => number {
  const text = "x".repeat(512);
  const out = new Uint8Array(512);
  let natively = Infinity;
  let throughUtf8 = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let i = 0; i < 8; i++) writeNatively(text, out, 0);
    const middle = performance.now();
    for (let i = 0; i < 8; i++) writeThroughUtf8(text, out, 0);
    natively = Math.min(natively, middle - start);
    throughUtf8 = Math.min(throughUtf8, performance.now() - middle);
  }
  return natively > 2 * throughUtf8 ? writeThroughUtf8 : writeNatively;
}

/**
 * Encodes `text` into `out` from `at` on. The caller guarantees characters up to 0xFF and room.
 *
 * @returns bytes written, always `text.length`
 */
export const encodeLatin1: (text: string, out: Uint8Array, at: number) => number = quickerWrite();
