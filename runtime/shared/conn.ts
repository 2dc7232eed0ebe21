/**
 * A connection that is asked for bytes, where a `Socket` tells of them: the shape of `Deno.Conn`, on which Deno's
 * sockets and TLS in JavaScript are built.
 */

import type { Socket } from "../contract/contract.ts";

export interface ConnAddress {
  readonly hostname?: string;
  readonly port?: number;
}

export interface Conn {
  /** One at a time. Null at the end of the stream. The buffer must not be touched until the promise settles. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** One at a time. Resolves to the bytes taken, at least one. The bytes must not change until then. */
  write(bytes: Uint8Array): Promise<number>;
  /** In order, and what was written before is sent. Rejects what is pending. May throw when called twice. */
  close(): void;
  /** Drops the connection with a reset. Missing where that cannot be done. */
  abort?(): void;
  /** To be called when no write is pending. */
  closeWrite(): Promise<void>;
  /** Missing on Unix sockets. */
  setNoDelay?(noDelay: boolean): void;
  readonly localAddr: ConnAddress;
  readonly remoteAddr: ConnAddress;
  /** Of TLS only: the stream has ended below TLS, without close_notify. */
  readonly endedShort?: boolean;
  /** What carries it in the end, if that is a socket: it can tell how far the peer has got. */
  readonly below?: Socket | undefined;
}
