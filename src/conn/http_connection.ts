/** What both sides' HTTP/1.1 connections share: the loop over what the parser tells, pausing, and raw bytes after a switch. */

import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import type { Fault } from "../http/fault.ts";
import type { Head } from "../http/head.ts";
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
  /** Whether the parser may go on. If not, its bytes have been suspended. */
  protected abstract mayParse(parser: MessageParser): boolean;
  /** A head has arrived: the parser's `startBody` has to be called, or `mayParse` to say no from now on. */
  protected abstract headArrived(head: Head, parser: MessageParser): void;
  /** Body bytes have arrived: they are the parser's `data`. */
  protected abstract bodyArrived(parser: MessageParser): void;
  protected abstract messageEnded(trailers: Head | null): void;
  protected abstract faulted(fault: Fault): void;
  /** All that has arrived is used up. */
  protected abstract starved(parser: MessageParser): void;

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

  /** Makes of what has been received what can be made of it now. Does nothing from inside of itself: it goes on anyway. */
  protected advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    const { parser } = this;
    while (this.mayParse(parser)) {
      const event = parser.next();
      if (event === "more") {
        this.starved(parser);
        break;
      }
      if (event === "data") this.bodyArrived(parser);
      else if (event === "head") this.headArrived(parser.head as Head, parser);
      else if (event === "end") this.messageEnded(parser.trailers);
      else {
        this.faulted(parser.fault as Fault);
        break;
      }
    }
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
