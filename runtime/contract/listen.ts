/** The part of the contract that is about listeners. Reached through contract.ts. */

import type { Address } from "./address.ts";
import type { UnixAccess } from "./files.ts";
import type { Socket, SocketEvents } from "./socket.ts";
import type { SocketError } from "./socket_error.ts";
import type { ServerTls } from "./tls.ts";

export interface ListenOptions {
  /**
   * At the path of a Unix socket there may be a socket that refuses connections, left behind by a process that
   * was killed: it is replaced. Anything else there is `address_in_use`.
   */
  readonly address: Address;
  /** Of a Unix socket that is bound (not of one that is inherited). */
  readonly access?: UnixAccess;
  /** Length of the kernel's accept queue; see `capabilities.backlog`. */
  readonly backlog: number;
  /** Let several processes listen on the port (SO_REUSEPORT); see `capabilities.reusePort`. */
  readonly reusePort: boolean;
  readonly tls: ServerTls | null;
  /** A TLS handshake not done by then is aborted. Milliseconds, > 0. */
  readonly handshakeTimeoutMs: number;
  /**
   * Descriptor of a socket that listens on `address` already, inherited from the process that started us. It
   * belongs to the listener from now on; `backlog` and `reusePort` are what they are. With `capabilities.handover`.
   */
  readonly inherited?: number;
}

/** What a socket that is only reserved needs. */
export type ReserveOptions = Pick<
  ListenOptions,
  "address" | "access" | "backlog" | "reusePort" | "inherited"
>;

/** A bound listener. */
export interface Listener {
  /** The address really bound: with port 0, the port the kernel chose. */
  readonly address: Address;
  /**
   * Of the listening socket, to be given to a process that we start; it stays ours. Null where it cannot be
   * given away: without `capabilities.handover`, or a Unix socket in a folder of a very long name.
   */
  readonly descriptor: number | null;
  /**
   * Stops accepting. Connections accepted before stay. Removes the path of a Unix socket, unless another program has put
   * something else there. Idempotent.
   * Resolves when the port is free to be bound again.
   */
  close(): Promise<void>;
  /**
   * Clients that come from now on get this certificate. Rejects with a `SocketFailure` when it cannot be used, or
   * where the platform cannot do it; then nothing has changed. Only for a listener with TLS.
   */
  certify(tls: ServerTls): Promise<void>;
  /**
   * Like `close`, for a socket that another process has as well: connections that wait to be accepted are
   * left to that, and the path of a Unix socket stays.
   */
  leave(): Promise<void>;
}

/** Receives what a listener accepts. One object serves all connections of a listener. */
export interface AcceptEvents {
  /**
   * A connection is open (TLS: the handshake is done). The answer receives its events; data may be
   * waiting, and is delivered after this call has returned.
   */
  accepted(socket: Socket): SocketEvents;
  /** A TLS handshake or an accept failed; for logs and counters. */
  acceptFailed(error: SocketError): void;
  /** How many TLS handshakes may be under way; asked for each client. One more fails at once. Default: any number. */
  handshakeRoom?(): number;
  /** What a client is sent that speaks HTTP where TLS was expected; see `capabilities.plainAnswer`. Default: nothing. */
  answerPlain?(): Uint8Array;
}

/** What a client is told of that finds no room for its handshake. */
export const NO_HANDSHAKE_ROOM: SocketError = {
  code: "connection_terminated",
  detail: "too many TLS handshakes are under way",
};
