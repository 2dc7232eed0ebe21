/** Raw bytes both ways, after a switch of protocols: all that a tunnel knows of a side. */

import type { CloseReason } from "../../runtime/contract/contract.ts";

export interface ByteStream {
  /** Bytes handed over for sending that the peer has not taken yet. */
  readonly backlogBytes: number;
  /**
   * Begins to deliver: what has arrived before comes first, inside the call.
   */
  start(events: ByteStreamEvents): void;
  /** Sends a range; the bytes are lent for the call. */
  sendBytes(bytes: Uint8Array, from: number, to: number): void;
  /** Sends what is there, then the end of our side. Reading goes on. */
  finish(): void;
  /** Ends both directions now, unsent bytes included. */
  abort(): void;
  /** No `bytesArrived` until `resume`; the peer is slowed down. */
  pause(): void;
  resume(): void;
  /** `bytesTimedOut` is called at that time; monotonic milliseconds, Infinity for none. One at a time. */
  deadline(at: number): void;
}

export interface ByteStreamEvents {
  /** Lent for the call. */
  bytesArrived(bytes: Uint8Array): void;
  /** The peer sends nothing more. */
  bytesEnded(): void;
  /** The peer is gone while it is not read from; bytes that it had sent before may be unread. */
  bytesBroken(): void;
  /** The stream is gone; last event. */
  bytesClosed(reason: CloseReason): void;
  /** Unsent bytes have gone out. */
  bytesProgress(backlogBytes: number): void;
  bytesTimedOut(): void;
}
