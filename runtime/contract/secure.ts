/** The part of the contract that is about TLS on a connection that is open already. Reached through contract.ts. */

import type { Socket, SocketEvents } from "./socket.ts";
import type { SocketError } from "./socket_error.ts";
import type { ClientTls, ServerTls } from "./tls.ts";

/** What `Runtime.secure` needs. */
export interface SecureOptions {
  /**
   * An open connection that neither side has finished: plain, or TLS already (then TLS runs inside of TLS). It belongs
   * to the handshake from the call on: its handlers hear nothing more, not even `closed`, and its methods do nothing.
   * Whether it is paused does not matter. What its `write` has taken is sent before the first record.
   */
  readonly socket: Socket;
  /** Which side we are: a client if there is a `serverName`, else a server. */
  readonly tls: ClientTls | ServerTls;
  /** A handshake that is not done by then fails with `connection_timeout`. Milliseconds, > 0. */
  readonly timeoutMs: number;
  /**
   * Bytes of the peer that were read from `socket` and belong to TLS: nothing, a part of its first records, all of
   * them, or more. Lent for the call. What `socket` has not told yet is read after them.
   */
  readonly alreadyRead?: Uint8Array;
}

/** Exactly one of the two is called, never inside `secure`, and nothing after `cancel`. */
export interface SecureEvents {
  /**
   * The handshake is done. The new socket has the addresses of the one below, a `tls` of its own, and is not paused;
   * all rules of `Socket` hold for it. `finish` sends close_notify, then ends the connection below. The answer receives
   * its events, from now on; data may be waiting.
   */
  secured(socket: Socket): SocketEvents;
  /**
   * The connection has been dropped, in order, so that the peer gets an alert that says why.
   * - `tls_certificate_error`: the peer's certificate is not accepted, or a server got none and wants one
   * - `tls_protocol_error`: no TLS, or no protocol, version or cipher in common
   * - `connection_terminated`: the connection ended during the handshake, or was not open
   * - `connection_timeout`: `timeoutMs` have passed
   * - `platform_error`: our own certificate, key or authorities cannot be used
   *
   * A server's refusal of our certificate may come after `secured`, as `closed` (TLS 1.3, RFC 8446 §4.4.2.4).
   */
  failed(error: SocketError): void;
}

/** A handshake under way; see `Runtime.secure`. */
export interface Securing {
  /** Gives up: the connection is aborted. Idempotent; nothing happens once the outcome was told. */
  cancel(): void;
}
