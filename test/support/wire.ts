/**
 * One socket as a test uses it: bytes out in any portions, bytes in through an inbox, and every way to
 * end. Built on node:net, which the three runtimes share, and not on the product's own adapters.
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Inbox } from "./inbox.ts";
import { latin1Text } from "./http_reader.ts";
import { turn, watchdogMs, within } from "./watchdog.ts";

/** Most received bytes that are kept for `transcript`. */
const maxTranscriptBytes = 16 * 1024 * 1024;

/** How a connection ended, seen from here. */
export type WireEnd = "open" | "ended" | "reset" | "closed";

/** Text goes out as Latin-1. */
export function toBytes(bytes: string | Uint8Array): Uint8Array {
  return typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
}

/**
 * Content that may come in other chunks than it was sent in: whoever relays it cuts it where its own receives ended, and
 * says so in chunk sizes of its own (RFC 9112 §7.1.1).
 *
 * @param content without CR and LF
 */
export function acrossChunks(content: string): RegExp {
  return new RegExp(
    [...content].map((letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`).join(
      "(?:\r\n[0-9a-f]+\r\n)?",
    ),
    "u",
  );
}

/** The complete chunks at the beginning of `text` as one; what follows them, a last chunk too, stays as it is. */
export function inOneChunk(text: string): string {
  let content = "";
  let at = 0;
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/.exec(text.slice(at, at + 10));
    const size = Number.parseInt(line?.[1] ?? "0", 16);
    const from = at + (line?.[0].length ?? 0);
    if (size === 0 || !text.startsWith("\r\n", from + size)) break;
    content += text.slice(from, from + size);
    at = from + size + 2;
  }
  return (content === "" ? "" : `${content.length.toString(16)}\r\n${content}\r\n`) + text.slice(at);
}

export class Wire {
  /** What has arrived and is unread. */
  readonly inbox: Inbox = new Inbox();
  /** Resolves once, when the connection is gone in both directions. Never rejects. */
  readonly closed: Promise<WireEnd>;
  /** False stops the recording, for transfers too large to keep. */
  record = true;
  protected readonly socket: Socket;
  #end: WireEnd = "open";
  #recorded: Uint8Array[] = [];
  #recordedBytes = 0;
  #rate = Infinity;
  #resumeTimer: ReturnType<typeof setTimeout> | null = null;
  #paused = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.on("end", () => {
      if (this.#end === "open") this.#end = "ended";
      this.inbox.end();
    });
    socket.on("error", (error: Error & { code?: string }) => {
      this.#end = "reset";
      this.inbox.fail(error.code ?? error.message);
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        if (this.#end === "open") this.#end = "closed";
        if (this.inbox.state === "open") this.inbox.fail("closed");
        if (this.#resumeTimer !== null) clearTimeout(this.#resumeTimer);
        resolve(this.#end);
      });
    });
  }

  get localPort(): number {
    return this.socket.localPort ?? 0;
  }

  get remotePort(): number {
    return this.socket.remotePort ?? 0;
  }

  /** How the peer has ended so far. */
  get end(): WireEnd {
    return this.#end;
  }

  /** Everything received since the beginning, as Latin-1 text. */
  get transcript(): string {
    return this.#recorded.map(latin1Text).join("");
  }

  /**
   * Sends all of it. Resolves when the kernel has taken the last byte, so it waits for a peer that does
   * not read; leave out the `await` to go on meanwhile. Rejects when the connection breaks first.
   */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error("the connection closed before all was sent"));
      this.socket.once("close", gone);
      this.socket.write(toBytes(bytes), (error) => {
        this.socket.removeListener("close", gone);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Sends in pieces that begin at the given offsets, each a write and a turn of its own. */
  async sendSplit(bytes: string | Uint8Array, splits: readonly number[]): Promise<void> {
    const whole = toBytes(bytes);
    let from = 0;
    for (const to of [...splits, whole.length]) {
      await this.send(whole.subarray(from, to));
      await turn();
      await turn();
      from = to;
    }
  }

  /** Sends in pieces of `pieceBytes`, by default byte by byte. */
  dribble(bytes: string | Uint8Array, pieceBytes = 1): Promise<void> {
    const whole = toBytes(bytes);
    const splits: number[] = [];
    for (let at = pieceBytes; at < whole.length; at += pieceBytes) splits.push(at);
    return this.sendSplit(whole, splits);
  }

  /** Sends about `bytesPerSecond`, in pieces of a tenth of that. */
  async sendSlowly(bytes: string | Uint8Array, bytesPerSecond: number): Promise<void> {
    const whole = toBytes(bytes);
    const pieceBytes = Math.max(1, Math.round(bytesPerSecond / 10));
    for (let at = 0; at < whole.length; at += pieceBytes) {
      if (at > 0) await new Promise((resolve) => setTimeout(resolve, (1000 * pieceBytes) / bytesPerSecond));
      await this.send(whole.subarray(at, at + pieceBytes));
    }
  }

  /**
   * Reads until the text has arrived, or what matches, or the predicate is content with all unread bytes.
   *
   * @returns all unread text; it counts as read up to and including what was looked for, while a
   *   predicate takes everything
   */
  async readUntil(wanted: string | RegExp | ((unread: string) => boolean)): Promise<string> {
    const what = typeof wanted === "function"
      ? "what the test looks for"
      : typeof wanted === "string"
      ? JSON.stringify(wanted)
      : String(wanted);
    const count = await this.inbox.until(what, () => {
      const unread = latin1Text(this.inbox.unread);
      if (typeof wanted === "function") return wanted(unread) ? unread.length : undefined;
      if (typeof wanted === "string") {
        const at = unread.indexOf(wanted);
        return at < 0 ? undefined : at + wanted.length;
      }
      const found = wanted.exec(unread);
      return found === null ? undefined : found.index + found[0].length;
    });
    return latin1Text(await this.inbox.take(count, what));
  }

  /** Exactly `count` bytes. */
  read(count: number): Promise<Uint8Array> {
    return this.inbox.take(count, "what the test reads");
  }

  /**
   * Reads until the peer has ended; a reset rejects.
   *
   * @returns what was unread, as Latin-1 text
   */
  async readToEnd(): Promise<string> {
    let text = "";
    for (;;) {
      const more = await this.inbox.until("the end of the connection", () => {
        if (this.inbox.unread.length > 0) return latin1Text(this.inbox.takeUnread());
        return this.inbox.state === "ended" ? "" : undefined;
      });
      if (more === "") return text;
      text += more;
    }
  }

  /** Waits until the connection is over, however that came about, and drops what arrives meanwhile. */
  async readToClose(): Promise<WireEnd> {
    for (;;) {
      const state = await this.inbox.until("the end of the connection", () => {
        if (this.inbox.unread.length > 0) return "more";
        return this.inbox.state === "open" ? undefined : this.inbox.state;
      });
      if (state !== "more") return this.#end;
      this.inbox.takeUnread();
    }
  }

  /** Like `closed`, with a watchdog. */
  untilClosed(ms: number = watchdogMs): Promise<WireEnd> {
    return within(this.closed, "the connection to close", ms);
  }

  /** Sends FIN and goes on reading. Resolves when all before it was handed to the kernel. */
  halfClose(): Promise<void> {
    return new Promise((resolve) => this.socket.end(() => resolve()));
  }

  /** Drops the connection with a reset. */
  reset(): void {
    this.#stopReading();
    this.socket.resetAndDestroy();
  }

  /** Drops the connection the way the platform does by default. */
  destroy(): void {
    this.#stopReading();
    this.socket.destroy();
  }

  /** Stops reading: the kernel's buffers fill, then the peer's. */
  pause(): void {
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#resumeTimer === null) this.socket.resume();
  }

  /** From now on reads at most about that much; Infinity lifts the limit. */
  readAtRate(bytesPerSecond: number): void {
    this.#rate = bytesPerSecond;
  }

  #received(bytes: Uint8Array): void {
    if (this.record && this.#recordedBytes < maxTranscriptBytes) {
      this.#recorded.push(bytes.slice());
      this.#recordedBytes += bytes.length;
    }
    this.inbox.push(bytes);
    if (this.#rate === Infinity) return;
    this.socket.pause();
    this.#resumeTimer = setTimeout(() => {
      this.#resumeTimer = null;
      if (!this.#paused) this.socket.resume();
    }, (1000 * bytes.length) / this.#rate);
  }

  #stopReading(): void {
    if (this.#resumeTimer !== null) clearTimeout(this.#resumeTimer);
    this.#resumeTimer = null;
    this.inbox.fail("closed by the test");
  }
}
