/** The raw bytes of a connection whose protocol was switched. */

import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import type { Connection } from "./connection.ts";

/** A connection that can become raw bytes. */
export interface SwitchedConnection extends Connection {
  /** The peer has sent its last byte. */
  readonly peerHasEnded: boolean;
  /**
   * From here on the connection is raw bytes and belongs to `events`.
   *
   * @returns bytes that have come already, or null
   */
  becomeRaw(events: ByteStreamEvents): Uint8Array | null;
  /** Deadline of `bytesTimedOut`; monotonic milliseconds. */
  rawDeadline(at: number): void;
}

export class ConnectionBytes implements ByteStream {
  readonly #connection: SwitchedConnection;

  constructor(connection: SwitchedConnection) {
    this.#connection = connection;
  }

  get backlogBytes(): number {
    return this.#connection.backlogBytes;
  }

  start(events: ByteStreamEvents): void {
    const early = this.#connection.becomeRaw(events);
    if (early !== null) events.bytesArrived(early);
    // It may have ended before the switch; that event does not come again.
    if (this.#connection.peerHasEnded) events.bytesEnded();
  }

  sendBytes(bytes: Uint8Array, from: number, to: number): void {
    this.#connection.sendBytes(bytes, from, to);
  }

  finish(): void {
    this.#connection.finish();
  }

  abort(): void {
    this.#connection.abort();
  }

  pause(): void {
    this.#connection.socket.pause();
  }

  resume(): void {
    this.#connection.socket.resume();
  }

  deadline(at: number): void {
    this.#connection.rawDeadline(at);
  }
}
