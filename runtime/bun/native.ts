/**
 * What the adapter uses of Bun's native sockets, as structural types, and what Bun 1.4.5 really does
 * where its documentation is silent. Everything said here was observed; `test/contract` pins it.
 *
 * - `end()` and `close()` drop nothing the kernel took, but a TLS `end()` waits for the peer's
 *   close_notify without bound, and a TLS `close()` sends none (OpenSSL peers call that truncation).
 * - `shutdown()` flushes TLS records that wait, then sends close_notify and FIN; reading goes on.
 * - `close` fires synchronously inside `close()`, `end()` and `terminate()`. After both FINs it comes
 *   by itself; when we sent ours first, without an `end` before it.
 * - `write(bytes, offset, length)` costs the same as `write(bytes)` (70 ns before the system call), a
 *   `subarray` 30–40 ns more. One call is one send(2). -1 once closed or shut down, or when the
 *   connection is broken; in the last case an unpaused TCP socket still delivers what it had received,
 *   then `end` and a `close` without error, as if the peer had ended in order.
 * - A reset delivers received bytes as `data` even while paused, then `close` with ECONNRESET or EPIPE.
 * - TLS delivers `end` while paused when FIN came in one read with the last data.
 * - `drain` fires unasked, for instance after every `pause` and at the end of a handshake.
 * - A broken TLS record gives `error` and then a `close` without error.
 */

/** A `TCPSocket` or `TLSSocket` of Bun. */
export interface NativeSocket {
  data: NativeOwner;
  /** Undefined for Unix sockets, and after the close when never asked for before. Cached by Bun. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly authorized: boolean;
  readonly alpnProtocol: string | false | null;
  /** -1 once closed. */
  readonly fd: number;
  getTLSVersion(): string | false | null;
  getServername(): string | false | undefined;
  write(bytes: Uint8Array, offset: number, length: number): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  close(): void;
  terminate(): void;
  /**
   * Begins a handshake on an open connection; `isServer` and `initialData` are undocumented. Events of the answer's second socket are those of TLS; the
   * handlers of the connection itself go on to get `data`, records as they came, each time before what is in them.
   */
  upgradeTLS(options: {
    readonly data: NativeOwner;
    readonly tls: NativeTls;
    readonly socket: NativeHandlers;
    readonly isServer?: boolean;
    /** Records that were read already. */
    readonly initialData?: Uint8Array;
  }): readonly [raw: NativeSocket, secured: NativeSocket];
}

/** Hangs on `data` of a native socket and receives its events. */
export interface NativeOwner {
  onData(bytes: Uint8Array): void;
  onDrain(): void;
  onEnd(): void;
  onClose(error: unknown): void;
  onError(error: unknown): void;
}

/** One object serves all sockets of a listener, or all dials. */
export interface NativeHandlers {
  readonly binaryType: "uint8array" | "buffer";
  readonly open: (native: NativeSocket) => void;
  readonly data: (native: NativeSocket, bytes: Uint8Array) => void;
  readonly drain: (native: NativeSocket) => void;
  readonly end: (native: NativeSocket) => void;
  readonly close: (native: NativeSocket, error?: unknown) => void;
  readonly error: (native: NativeSocket, error: unknown) => void;
  readonly connectError?: (native: NativeSocket, error: unknown) => void;
  /** With it, `open` comes when TCP is connected; without, when the handshake is done. */
  readonly handshake?: (native: NativeSocket, success: boolean, error: unknown) => void;
  /**
   * Undocumented, what Bun's node:tls is built on: chooses a certificate by the name a client asks for.
   * Undefined means the listener's own. ALPN of the listener applies all the same.
   */
  readonly serverName?: (listenerData: unknown, name: string) => unknown;
}

/** Where events go once the native socket has an owner; `open`, `handshake` and `connectError` are up to the user. */
export const OWNER_HANDLERS = {
  // Plain Uint8Arrays, so that what comes in has the same shape as what the core allocates.
  binaryType: "uint8array",
  data: (native, bytes) => native.data.onData(bytes),
  drain: (native) => native.data.onDrain(),
  end: (native) => native.data.onEnd(),
  close: (native, error) => native.data.onClose(error),
  error: (native, error) => native.data.onError(error),
} as const satisfies Omit<NativeHandlers, "open">;

export interface NativeTls {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly serverName?: string;
  readonly rejectUnauthorized: boolean;
  readonly requestCert?: boolean;
  /** Undocumented: a native context, instead of certificate and key. */
  readonly secureContext?: unknown;
  /** Length-prefixed names (RFC 7301 §3.1); a string would be taken for one protocol. */
  readonly ALPNProtocols?: ArrayBuffer;
}

export interface SocketOptions {
  /** Without it a FIN of the peer closes the socket and drops what was not sent yet. */
  readonly allowHalfOpen: true;
  readonly socket: NativeHandlers;
  readonly tls?: NativeTls;
}

export type NativeAddress =
  | { readonly hostname: string; readonly port: number }
  | { readonly unix: string };

/** `fd`, which is undocumented: a connection that is open already, and Bun's from now on. `open` comes inside the call. */
export type NativeConnectAddress = NativeAddress | { readonly fd: number };

/**
 * `fd`, which is undocumented for sockets that listen: one of them, closed by `stop`. Without `ipv6Only` a listener
 * on "::" takes both families.
 */
export type NativeListenAddress = (NativeAddress & { readonly ipv6Only?: boolean }) | { readonly fd: number };

export interface NativeListener {
  /** Undefined for Unix sockets, and for those that were opened elsewhere. */
  readonly port: number | undefined;
  /** Undocumented: the listening socket's descriptor. */
  readonly fd: number;
  stop(): void;
}

/** The part of the global `Bun` that sockets need. */
export interface BunGlobal {
  readonly version: string;
  /** Collects garbage. @param sync at once, and gives free pages back to the system */
  gc(sync: boolean): void;
  listen(options: NativeListenAddress & SocketOptions & { readonly reusePort: boolean }): NativeListener;
  /** The promise is marked as handled when there is a `connectError` handler. */
  connect(options: NativeConnectAddress & SocketOptions & { readonly data: NativeOwner }): Promise<unknown>;
}
