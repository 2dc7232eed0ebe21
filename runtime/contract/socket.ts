/** The part of the contract that is about an open socket. Reached through contract.ts. */

import type { TlsSession } from "./tls.ts";

/**
 * Why an open socket closed.
 * - `finished`: both sides ended in order (or we called `close`)
 * - `aborted`: we called `abort`
 * - `reset`: the peer (or the network) tore the connection down: ECONNRESET, EPIPE, ETIMEDOUT
 * - `failed`: the platform or TLS reported anything else
 */
export type CloseCode = "finished" | "aborted" | "reset" | "failed";

/** What `closed` tells: `code` is for decisions, `detail` for logs. */
export interface CloseReason {
  readonly code: CloseCode;
  readonly detail: string;
}

/**
 * Receives the events of one socket. No event fires inside a call of `Socket`, `Dial` or `Runtime`
 * methods; two events of one socket never overlap. An exception thrown by a handler is a bug of ours:
 * the adapter reports it through `RuntimeOptions.onHandlerError` and aborts that socket, nothing else.
 */
export interface SocketEvents {
  /**
   * Bytes have arrived. They are lent for the call: copy what must outlive it (they may be a Buffer, whose
   * `slice` is a view, not a copy). During the call the receiver may overwrite them. Never called with an
   * empty array, nor while paused, nor after `ended`.
   */
  data(bytes: Uint8Array): void;
  /** After a short `write`: there is room again. Never called unasked. */
  drained(): void;
  /** The peer has finished sending (FIN or TLS close_notify). At most once. Our side stays open. */
  ended(): void;
  /**
   * While paused: the peer has ended, behind bytes that may be unread. They, and then `ended` or `closed`, come after
   * `resume` as always. At most once a pause. With `capabilities.endWhilePaused` within a second, else seldom; never while
   * a FIN waits in the peer's kernel until ours has room for the bytes before it.
   *
   * @param reset the peer is gone in both directions as far as is known, not just at its end of sending
   */
  endAhead?(reset: boolean): void;
  /** The socket is gone. Exactly once, always last. */
  closed(reason: CloseReason): void;
}

/**
 * An open, half-open capable stream socket with Nagle's algorithm off. `Socket` objects live exactly
 * as long as the connection; after `closed` every method does nothing.
 */
export interface Socket {
  /** Receiver of the events. May be replaced at any time; takes effect with the next event. */
  events: SocketEvents;
  /** IP literals; "" for Unix sockets. */
  readonly remoteAddress: string;
  /** 0 for Unix sockets. */
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Null when the connection is not TLS. */
  readonly tls: TlsSession | null;
  /**
   * After `ended`: the connection below TLS has ended without close_notify, so bytes may be missing (RFC 8446 §6.1).
   * Never true for plain connections, and missing where the platform cannot tell; see `capabilities.tlsEnd`.
   */
  readonly endedShort?: boolean;

  /**
   * Offers `bytes[from, to)`. The bytes are lent for the call: the adapter copies what its platform
   * keeps.
   *
   * @param last `finish` or `close` follows in the same turn, at once if all is taken: the adapter may keep the bytes
   *   until then, so that they leave in one packet with the FIN
   * @returns how many bytes were taken, 0 to `to - from`. Fewer than offered means that the socket is
   *   full: write nothing more until `drained`. Memory the adapter holds for taken bytes is bounded
   *   by 64 KiB (plus TLS records). After `finish`, `close`, `abort` or `closed`: 0, and no `drained`.
   */
  write(bytes: Uint8Array, from: number, to: number, last?: boolean): number;

  /**
   * For a sender that waits in vain for `drained`, which a slow peer may not bring about for minutes although it reads all
   * the time: milliseconds since bytes were last sent to it; Infinity when that is not known. Missing where the
   * platform cannot tell.
   */
  sentAgoMs?(): number;

  /**
   * Bytes of ours that the peer has acknowledged so far, those of TLS included; -1 when that is not known. Missing where
   * the platform cannot tell.
   */
  ackedBytes?(): number;

  /**
   * No `data` and no `ended` until `resume`. Takes effect at once, also inside `data`. Idempotent.
   * While paused a reset may be reported by `closed`, which then comes without the bytes that were unread; see
   * `SocketEvents.endAhead` as well.
   */
  pause(): void;
  resume(): void;

  /**
   * Sends what was taken, then FIN (TLS: close_notify first). Reading goes on. `closed` follows once
   * the peer has ended as well. Idempotent.
   */
  finish(): void;

  /**
   * Sends what was taken, then closes both directions without waiting for the peer. No further event
   * but `closed`. Bytes of the peer that we have not read make the kernel send a reset, which can
   * destroy what we sent: use it only when the peer's message was read to its end.
   */
  close(): void;

  /** Drops the connection now, with a reset where `capabilities.abortSendsReset`. Then `closed`. */
  abort(): void;
}
