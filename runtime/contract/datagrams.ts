/** The part of the contract that is about datagrams. Reached through contract.ts. */

import type { SocketError } from "./socket_error.ts";

export interface DatagramOptions {
  /** The only peer: an IP literal. What others send is not told. */
  readonly host: string;
  readonly port: number;
}

/** Never called inside `openDatagrams` or a method of `DatagramSocket`, and not after `close`. */
export interface DatagramEvents {
  /** A datagram of the peer. The bytes are lent for the call. */
  received(bytes: Uint8Array): void;
  /**
   * The socket cannot be used any more: it could not be opened, or the peer's machine says that no process listens
   * there. At most once, last. Deno does not tell the latter.
   */
  failed(error: SocketError): void;
}

/** A UDP socket with one peer and a local port that the kernel has chosen at random. */
export interface DatagramSocket {
  /** Sends one datagram, or loses it without a word. The bytes must not change before an event or `close`. */
  send(bytes: Uint8Array): void;
  /** Idempotent. */
  close(): void;
}
