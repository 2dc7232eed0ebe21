/** A connection that has changed hands while something of its first owner was under way. */
import type { Conn, ConnAddress } from "./conn.ts";
import type { Socket } from "../contract/contract.ts";

interface Waiting {
  readonly buffer: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads what the first owner had read, then goes on; writes when all that the first owner took has left. */
export class ReleasedConn implements Conn {
  readonly localAddr: ConnAddress;
  readonly remoteAddr: ConnAddress;
  readonly #conn: Conn;
  /** Read and not asked for yet, in order. */
  readonly #held: Uint8Array[] = [];
  #ended = false;
  #failed = false;
  #failure: unknown = null;
  /** The first owner's read has not settled. */
  #reading: boolean;
  #waiting: Waiting | null = null;
  readonly #flushed = Promise.withResolvers<void>();

  /** @param reading the first owner's read is pending, and `received` or `readFailed` follows */
  constructor(conn: Conn, reading: boolean) {
    this.#conn = conn;
    this.#reading = reading;
    this.localAddr = conn.localAddr;
    this.remoteAddr = conn.remoteAddr;
    // A rejection need not have a write that sees it.
    this.#flushed.promise.catch(() => {});
  }

  get below(): Socket | undefined {
    return this.#conn.below;
  }

  get endedShort(): boolean {
    return this.#conn.endedShort ?? false;
  }

  // Called by the first owner

  /** @param bytes ours from now on; null = the end */
  received(bytes: Uint8Array | null): void {
    this.#reading = false;
    if (bytes === null) this.#ended = true;
    else this.#held.push(bytes);
    this.#serve();
  }

  readFailed(error: unknown): void {
    this.#reading = false;
    this.#failed = true;
    this.#failure = error;
    this.#serve();
  }

  flushed(): void {
    this.#flushed.resolve();
  }

  flushFailed(error: unknown): void {
    this.#flushed.reject(error);
  }

  // Called by the new one

  /** Puts bytes before what is still to be read. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#held.unshift(new Uint8Array(bytes));
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (!this.#reading && this.#held.length === 0 && !this.#ended && !this.#failed) {
      return this.#conn.read(buffer);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { buffer, resolve, reject };
      this.#serve();
    });
  }

  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    const bytes = this.#held[0];
    if (bytes === undefined && this.#reading) return;
    this.#waiting = null;
    if (bytes !== undefined) {
      const count = Math.min(bytes.length, waiting.buffer.length);
      waiting.buffer.set(bytes.subarray(0, count));
      if (count === bytes.length) this.#held.shift();
      else this.#held[0] = bytes.subarray(count);
      waiting.resolve(count);
    } else if (this.#ended) waiting.resolve(null);
    else if (this.#failed) waiting.reject(this.#failure);
    else this.#conn.read(waiting.buffer).then(waiting.resolve, waiting.reject);
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#flushed.promise;
    return await this.#conn.write(bytes);
  }

  async closeWrite(): Promise<void> {
    await this.#flushed.promise;
    await this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }

  abort(): void {
    if (this.#conn.abort === undefined) this.#conn.close();
    else this.#conn.abort();
  }
}
