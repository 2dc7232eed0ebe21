/** A body whose pieces come when they come, not when they are asked for: they wait here until the client takes them. */

import type { ByteSource, ByteSourceReader } from "./answer_types.ts";

type Piece = Awaited<ReturnType<ByteSourceReader["read"]>>;

const END: Piece = { done: true };

/** Has no bound: whoever writes looks at `bytes`. */
export class PieceQueue implements ByteSource, ByteSourceReader {
  readonly #pieces: Uint8Array[] = [];
  #ended = false;
  /** Somebody waits for the next piece. */
  #asked: ((piece: Piece) => void) | null = null;
  /** Bytes that wait. */
  bytes = 0;

  /** Nothing happens after the end. The piece must not change afterwards. */
  write(piece: Uint8Array): void {
    if (this.#ended || piece.length === 0) return;
    if (this.#asked !== null) {
      this.#give({ done: false, value: piece });
    } else {
      this.#pieces.push(piece);
      this.bytes += piece.length;
    }
  }

  /** No further piece comes; those that wait are still given. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#give(END);
  }

  #give(piece: Piece): void {
    const asked = this.#asked;
    this.#asked = null;
    asked?.(piece);
  }

  // ByteSource

  getReader(): this {
    return this;
  }

  /** One at a time. */
  read(): Promise<Piece> {
    const value = this.#pieces.shift();
    if (value !== undefined) {
      this.bytes -= value.length;
      return Promise.resolve({ done: false, value });
    }
    return this.#ended ? Promise.resolve(END) : new Promise((resolve) => this.#asked = resolve);
  }

  /** Nobody wants any more of them. */
  cancel(): Promise<void> {
    this.#pieces.length = 0;
    this.bytes = 0;
    this.end();
    return Promise.resolve();
  }
}
