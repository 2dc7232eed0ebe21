/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 §5.2) just far enough to know where one ends, so
 * that a Close frame can be put between two of them. Costs a few comparisons per chunk; keeps no byte of it.
 */

/** Close with status 1001, "going away", from a server. */
const CLOSE_FROM_SERVER = new Uint8Array([0x88, 0x02, 0x03, 0xe9]);
/** The same from a client, masked with zeros: the mask is for caches that might mistake text for HTTP. */
const CLOSE_FROM_CLIENT = new Uint8Array([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);

export function closeFrame(from: "server" | "client"): Uint8Array {
  return from === "server" ? CLOSE_FROM_SERVER : CLOSE_FROM_CLIENT;
}

const CLOSE = 8;

export class FrameTracker {
  /** Bytes of the present frame's payload that have not passed. */
  #payloadLeft = 0;
  /** Bytes of the present frame's header that have passed; 0 = between two frames, or within a payload. */
  #headerSeen = 0;
  /** Length of that header, known once its second byte is here; 2 before. */
  #headerBytes = 2;
  #length = 0;
  #masked = false;
  #opcode = 0;
  #lost = false;
  /** A whole Close frame has passed: nothing may follow it. */
  closed = false;

  /** The next byte begins a frame. */
  get atBoundary(): boolean {
    return !this.#lost && this.#headerSeen === 0 && this.#payloadLeft === 0;
  }

  /**
   * Bytes pass.
   *
   * @param stop end at the first boundary after `from`
   * @returns where it ended: `to`, a boundary, or the end of a Close frame
   */
  pass(bytes: Uint8Array, from: number, to: number, stop: boolean): number {
    if (this.#lost || this.closed) return to;
    let at = from;
    while (at < to) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, to - at);
        this.#payloadLeft -= step;
        at += step;
        if (this.#payloadLeft > 0) return to;
      } else {
        this.#header(bytes[at++] as number);
        if (this.#lost) return to;
        if (this.#headerSeen > 0 || this.#payloadLeft > 0) continue;
      }
      // A frame has ended.
      this.closed = this.#opcode === CLOSE;
      if (stop || this.closed) return at;
    }
    return at;
  }

  #header(byte: number): void {
    const seen = this.#headerSeen++;
    if (seen === 0) {
      this.#opcode = byte & 0x0f;
      this.#headerBytes = 2;
    } else if (seen === 1) {
      this.#masked = byte >= 0x80;
      const length = byte & 0x7f;
      const more = length === 127 ? 8 : length === 126 ? 2 : 0;
      this.#length = more === 0 ? length : 0;
      this.#headerBytes = 2 + more + (this.#masked ? 4 : 0);
    } else if (seen < this.#headerBytes - (this.#masked ? 4 : 0)) {
      this.#length = this.#length * 256 + byte;
      // No such frame exists; whatever this is, it is not followed any further.
      if (this.#length > Number.MAX_SAFE_INTEGER) this.#lost = true;
    }
    if (this.#headerSeen < this.#headerBytes || this.#headerSeen < 2) return;
    this.#headerSeen = 0;
    this.#payloadLeft = this.#length;
  }
}
