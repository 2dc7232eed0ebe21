/** What both sides' HTTP/1.1 connections share: a parser while there is something to parse, pausing, and raw bytes after a switch. */

import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import type { MessageParser } from "../http1/message_parser.ts";
import { Connection } from "./connection.ts";
import { ConnectionBytes } from "./connection_bytes.ts";

export abstract class HttpConnection extends Connection {
  /** Null while nothing of a message has been read or is left to be read. */
  #parser: MessageParser | null = null;
  #advancing = false;
  #readPaused = false;
  /** Of a tunnel. */
  protected raw: ByteStreamEvents | null = null;

  /** A parser for this side's messages. */
  protected abstract borrowed(): MessageParser;
  /**
   * Makes of what has been received what can be made of it now, between `beginParsing` and `endParsing`: a loop over what
   * the parser tells. Each side has its own, because calls out of a loop that both go through cannot be inlined: that takes
   * 50 ns a request. Does nothing from inside of itself: it goes on anyway.
   */
  protected abstract advance(): void;

  /** SwitchedConnection. */
  abstract get peerHasEnded(): boolean;
  abstract becomeRaw(events: ByteStreamEvents): Uint8Array | null;

  protected get parser(): MessageParser {
    return this.#parser ??= this.borrowed();
  }

  /** Bytes that have been received, and that nothing has been made of. */
  protected get unreadBytes(): number {
    return this.#parser === null ? 0 : this.#parser.unreadBytes;
  }

  /** `advance` is at work, further up the stack. */
  protected get advancing(): boolean {
    return this.#advancing;
  }

  protected get readPaused(): boolean {
    return this.#readPaused;
  }

  /** Null from inside of `advance`. */
  protected beginParsing(): MessageParser | null {
    if (this.#advancing) return null;
    this.#advancing = true;
    return this.parser;
  }

  protected endParsing(parser: MessageParser): void {
    this.#advancing = false;
    if (parser.reusable && this.#parser === parser) {
      this.#parser = null;
      this.turn.codec.giveBack(parser);
    }
  }

  /** Takes the unread bytes, null for none. Nothing is parsed afterwards. */
  protected takeUnread(): Uint8Array | null {
    return this.#parser === null ? null : this.#parser.takeUnread();
  }

  protected pauseReading(): void {
    if (this.#readPaused) return;
    this.#readPaused = true;
    this.socket.pause();
  }

  protected resumeReading(): void {
    if (!this.#readPaused) return;
    this.#readPaused = false;
    this.socket.resume();
  }

  /** From here on the bytes are those of a tunnel. Returns those that have come already. */
  protected handOver(raw: ByteStreamEvents): Uint8Array | null {
    this.raw = raw;
    this.setDeadline(Infinity);
    const early = this.takeUnread();
    this.resumeReading();
    return early;
  }

  /** The socket is gone. */
  protected rawGone(reason: Parameters<ByteStreamEvents["bytesClosed"]>[0]): void {
    const { raw } = this;
    this.raw = null;
    if (raw !== null) raw.bytesClosed(reason);
  }

  protected rawBytes(): ByteStream {
    return new ConnectionBytes(this);
  }

  /** SwitchedConnection. */
  rawDeadline(at: number): void {
    this.setDeadline(at);
  }
}
