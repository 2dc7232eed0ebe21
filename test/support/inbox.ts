/** The bytes a connection has received and nobody has read yet, and the ways to wait for more. */

import { watchdogMs, within } from "./watchdog.ts";

/** The connection ended or broke before what was waited for had arrived. */
export class EndedEarly extends Error {
  override name = "EndedEarly";
}

/** Filled by a connection, emptied by one reader at a time. */
export class Inbox {
  /** Bytes received so far, read or not. */
  totalBytes = 0;
  /** Longest silence accepted while waiting, in milliseconds; Infinity waits for ever. */
  watchdogMs: number = watchdogMs;
  #buffer = new Uint8Array(4096);
  #from = 0;
  #to = 0;
  #state: "open" | "ended" | "failed" = "open";
  #reason = "";
  #waiting: (() => void)[] = [];

  /** "ended" after an orderly end of the peer, "failed" after a reset or our own close. */
  get state(): "open" | "ended" | "failed" {
    return this.#state;
  }

  /** The platform's words when `state` is "failed". */
  get reason(): string {
    return this.#reason;
  }

  /** The unread bytes: a view that is good until the next await. */
  get unread(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  push(bytes: Uint8Array): void {
    this.totalBytes += bytes.length;
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#to);
    this.#to += bytes.length;
    this.#wake();
  }

  end(): void {
    if (this.#state === "open") this.#state = "ended";
    this.#wake();
  }

  fail(reason: string): void {
    if (this.#state !== "failed") {
      this.#state = "failed";
      this.#reason = reason;
    }
    this.#wake();
  }

  /**
   * Waits until `ready` answers something other than undefined; asked at once and after every change.
   *
   * @throws EndedEarly when the connection is over and `ready` still says undefined
   */
  async until<T>(what: string, ready: () => T | undefined): Promise<T> {
    for (;;) {
      const value = ready();
      if (value !== undefined) return value;
      if (this.#state !== "open") {
        throw new EndedEarly(`${this.#state} ${this.#reason} while waiting for ${what}; ${this.#describe()}`);
      }
      const changed = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await within(changed, what, this.watchdogMs, () => this.#describe());
    }
  }

  /** Exactly `count` bytes, a copy. */
  async take(count: number, what: string): Promise<Uint8Array> {
    await this.until(`${count} bytes of ${what}`, () => this.#to - this.#from >= count ? true : undefined);
    return this.#cut(count);
  }

  /** At least one and at most `limit` bytes, a copy. */
  async some(limit: number, what: string): Promise<Uint8Array> {
    await this.until(what, () => this.#to > this.#from ? true : undefined);
    return this.#cut(Math.min(limit, this.#to - this.#from));
  }

  /** What is unread now, possibly nothing, a copy. */
  takeUnread(): Uint8Array {
    return this.#cut(this.#to - this.#from);
  }

  #cut(count: number): Uint8Array {
    const bytes = this.#buffer.slice(this.#from, this.#from + count);
    this.#from += count;
    if (this.#from === this.#to) this.#from = this.#to = 0;
    return bytes;
  }

  #reserve(count: number): void {
    if (this.#to + count <= this.#buffer.length) return;
    const unread = this.unread;
    let buffer = this.#buffer;
    if (unread.length + count > buffer.length) {
      buffer = new Uint8Array(Math.max(buffer.length * 2, unread.length + count));
    }
    buffer.set(unread, 0);
    this.#buffer = buffer;
    this.#to = unread.length;
    this.#from = 0;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #describe(): string {
    const unread = this.unread;
    const shown = JSON.stringify(String.fromCharCode(...unread.subarray(0, 300)));
    return `${this.totalBytes} bytes received, ${unread.length} unread: ${shown}`;
  }
}
