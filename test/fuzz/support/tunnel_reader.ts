/** What one end of a WebSocket receives: the other end's bytes, and possibly Sluice's Close behind a whole frame. */

import { contentOf } from "./content.ts";
import { Finding } from "./strict_reader.ts";

/** Close 1001 as a server sends it, and masked with zeros as a client does (RFC 6455 §5.2, §7.4.1). */
const CLOSES = {
  server: [0x88, 0x02, 0x03, 0xe9],
  client: [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9],
} as const;

export class TunnelReader {
  readonly #what: string;
  readonly #expected: Uint8Array;
  readonly #close: readonly number[];
  readonly #received: number[] = [];
  /** Sluice has begun to close the WebSocket. */
  closing = false;

  /**
   * @param key of the content that the other end sends, `bytes` long
   * @param side the end whose part Sluice plays towards us
   */
  constructor(key: string, bytes: number, side: keyof typeof CLOSES) {
    this.#what = key;
    this.#expected = contentOf(key, 0, bytes);
    this.#close = CLOSES[side];
  }

  get seenBytes(): number {
    return this.#received.length;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) this.#received.push(byte);
    const received = this.#received;
    const same = this.#expected.findIndex((byte, at) => at >= received.length || received[at] !== byte);
    const whole = same < 0 ? this.#expected.length : same;
    if (whole === received.length) return;
    // The bytes before may be the beginning of the Close, and what was expected by chance.
    for (let at = whole; at >= Math.max(0, whole - this.#close.length); at--) {
      const rest = received.slice(at);
      if (rest.length > this.#close.length || rest.some((byte, i) => byte !== this.#close[i])) continue;
      if (!this.#isBoundary(at)) continue;
      this.closing = true;
      return;
    }
    throw new Finding(`wrong bytes in the tunnel, ${this.#what}, after ${whole}`);
  }

  /** Whether a frame ends at `at`, or the first one begins there. */
  #isBoundary(at: number): boolean {
    const bytes = this.#expected;
    let from = 0;
    while (from < at) {
      const second = bytes[from + 1] ?? 0;
      const short = second & 0x7f;
      const wide = short === 127 ? 8 : short === 126 ? 2 : 0;
      let length = wide === 0 ? short : 0;
      for (let i = 0; i < wide; i++) length = length * 256 + (bytes[from + 2 + i] ?? 0);
      from += 2 + wide + (second >= 0x80 ? 4 : 0) + length;
    }
    return from === at;
  }
}
