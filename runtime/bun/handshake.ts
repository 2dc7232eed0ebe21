/**
 * The end of a TLS handshake on Bun, the same for connections that are dialled, accepted, or secured when they are open
 * already: Bun's events come to one outcome.
 */
import type { ClientTls, ServerTls, SocketError, TlsSession } from "../contract/contract.ts";
import { type NativeHandlers, type NativeOwner, type NativeSocket, OWNER_HANDLERS } from "./native.ts";
import type { Host } from "./socket.ts";
import { clientFailure, handshakeFailure, serverSession, session } from "./tls.ts";
import { errorDetail, platformCode, socketErrorOf } from "../shared/socket_error.ts";
import { isClientTls } from "../shared/stream_tls.ts";

export const HUNG_UP = {
  code: "connection_terminated",
  detail: "closed during the TLS handshake",
} as const satisfies SocketError;

/** Owns a native socket until its handshake is done. */
export abstract class HandshakeOwner implements NativeOwner {
  readonly host: Host;
  readonly #tls: ClientTls | ServerTls | null;

  /** @param tls null when there is no handshake: the owner then waits for the connection only */
  constructor(tls: ClientTls | ServerTls | null, host: Host) {
    this.#tls = tls;
    this.host = host;
  }

  /** The outcome is known: what Bun tells from now on does not matter. */
  protected abstract get over(): boolean;

  /** Not called when `over`. */
  protected abstract secured(native: NativeSocket, settled: TlsSession): void;

  /** The handshake has failed, and the connection is still open. Not called when `over`. @param error Bun's */
  protected abstract refused(failure: SocketError, native: NativeSocket, error: unknown): void;

  /** The connection has failed. Called when `over` as well. */
  protected abstract lost(failure: SocketError): void;

  onHandshake(native: NativeSocket, success: boolean, error: unknown): void {
    const tls = this.#tls;
    if (tls === null || this.over) return;
    const client = isClientTls(tls);
    const failure = client
      ? handshakeFailure(tls, native, success, error)
      : clientFailure(tls, native, success, error);
    if (failure !== null) this.refused(failure, native, error);
    else this.secured(native, client ? session(native, tls.serverName) : serverSession(native));
  }

  onClose(error: unknown): void {
    const detail = error === undefined || error === null ? HUNG_UP.detail : errorDetail(error);
    this.lost({ code: HUNG_UP.code, detail });
  }

  onError(error: unknown): void {
    if (platformCode(error) === "") this.host.onHandlerError(error);
    this.lost(socketErrorOf(error, "handshake"));
  }

  // Bun's handshake eats the data, and says "drain" and "end" besides.
  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
}

/** For TLS on a connection that is open already. */
export const HANDSHAKE_HANDLERS: NativeHandlers = {
  ...OWNER_HANDLERS,
  open() {},
  handshake(native, success, error) {
    // A server that asks for renegotiation makes it fire again, on an open socket.
    if (native.data instanceof HandshakeOwner) native.data.onHandshake(native, success, error);
  },
};
