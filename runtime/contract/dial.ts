/** The part of the contract that is about connections that we open. Reached through contract.ts. */

import type { Address } from "./address.ts";
import type { Socket, SocketEvents } from "./socket.ts";
import type { SocketError } from "./socket_error.ts";
import type { ClientTls } from "./tls.ts";

export interface DialOptions {
  readonly address: Address;
  /** Deadline for connection and TLS handshake together (and the look-up of a name). Milliseconds, > 0. */
  readonly timeoutMs: number;
  readonly tls: ClientTls | null;
  /**
   * Says of an address (IP literal) why the dial must not go there, null = it may. Asked of every address that a name has,
   * and of a literal, before anything is sent to it. Adapters ignore it: it is for who resolves names above them.
   */
  readonly prohibits?: (address: string) => string | null;
}

/** Exactly one of `opened` and `failed` is called, never inside `dial`, and nothing after `cancel`. */
export interface DialEvents {
  /** TCP is connected and the TLS handshake begins; `opened` or `failed` follows. At most once. */
  connected?(): void;
  /** The connection is open; the answer receives its events. */
  opened(socket: Socket): SocketEvents;
  failed(error: SocketError): void;
}

export interface Dial {
  /** Gives up. A connection that opens all the same is dropped unseen. Idempotent. */
  cancel(): void;
}
