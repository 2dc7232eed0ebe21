/**
 * The writing half of a `ConnSocket`: bytes that `write` took and the connection has not. At most one write is under
 * way; what is taken meanwhile is joined for the next. Deno cannot write synchronously, so bytes are copied, except a
 * large chunk that lies in a lent buffer: its write takes the buffer over.
 */
import type { Conn } from "./conn.ts";
import { type ConnBuffers, LARGE_BYTES, SMALL_BYTES } from "./conn_buffers.ts";

export class ConnSender {
  readonly #conn: Conn;
  readonly #buffers: ConnBuffers;
  readonly #sent: () => void;
  /** Under way: `#sending[#from, #to)`. */
  #sending: Uint8Array | null = null;
  #from = 0;
  #to = 0;
  /** To be sent after that. */
  #next: Uint8Array | null = null;
  #nextLength = 0;
  #stopped = false;

  // One closure each per connection instead of one per write.
  readonly #onWritten = (count: number) => this.#writeDone(count);
  readonly #onWriteError: (error: unknown) => void;

  /**
   * @param sent the connection has taken bytes; not called after `stop`
   * @param failed a write was refused: all bytes are dropped
   */
  constructor(conn: Conn, buffers: ConnBuffers, sent: () => void, failed: (error: unknown) => void) {
    this.#conn = conn;
    this.#buffers = buffers;
    this.#sent = sent;
    this.#onWriteError = (error) => {
      this.#dropSending();
      this.#dropNext();
      failed(error);
    };
  }

  /** The connection has taken all bytes. */
  get idle(): boolean {
    return this.#sending === null;
  }

  /** Bytes that `take` accepts now, 0 to `LARGE_BYTES`. */
  get room(): number {
    return LARGE_BYTES - (this.#to - this.#from + this.#nextLength);
  }

  /** Sends a piece of 1 to `room` bytes. They may change after the call. */
  take(piece: Uint8Array): void {
    if (this.#sending === null) this.#start(piece);
    else this.#append(piece);
  }

  /** Sends nothing more behind the write that is under way. */
  stop(): void {
    this.#stopped = true;
    this.#dropNext();
  }

  #start(piece: Uint8Array): void {
    const claimed = piece.length >= SMALL_BYTES ? this.#buffers.claim(piece) : null;
    if (claimed !== null) {
      this.#sending = claimed;
      this.#from = piece.byteOffset - claimed.byteOffset;
    } else {
      this.#sending = this.#buffers.take(piece.length);
      this.#sending.set(piece);
      this.#from = 0;
    }
    this.#to = this.#from + piece.length;
    this.#send(this.#sending);
  }

  #append(piece: Uint8Array): void {
    const wanted = this.#nextLength + piece.length;
    let next = this.#next;
    if (next === null || next.length < wanted) {
      const larger = this.#buffers.take(wanted);
      if (next !== null) {
        larger.set(next.subarray(0, this.#nextLength));
        this.#buffers.give(next);
      }
      next = this.#next = larger;
    }
    next.set(piece, this.#nextLength);
    this.#nextLength = wanted;
  }

  #send(buffer: Uint8Array): void {
    this.#conn.write(buffer.subarray(this.#from, this.#to)).then(this.#onWritten, this.#onWriteError);
  }

  #writeDone(count: number): void {
    const sending = this.#sending;
    if (sending === null) return;
    this.#from += count;
    if (this.#stopped) {
      this.#dropSending();
      return;
    }
    if (this.#from < this.#to) {
      this.#send(sending);
    } else {
      this.#dropSending();
      const next = this.#next;
      if (next !== null) {
        this.#sending = next;
        this.#to = this.#nextLength;
        this.#next = null;
        this.#nextLength = 0;
        this.#send(next);
      }
    }
    this.#sent();
  }

  #dropSending(): void {
    if (this.#sending !== null) this.#buffers.give(this.#sending);
    this.#sending = null;
    this.#from = 0;
    this.#to = 0;
  }

  #dropNext(): void {
    if (this.#next !== null) this.#buffers.give(this.#next);
    this.#next = null;
    this.#nextLength = 0;
  }
}
