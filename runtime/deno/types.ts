/**
 * The parts of the `Deno` namespace that the adapter uses, as structural declarations: the project is
 * type-checked without Deno's own types. Source: `deno types`, 2.9.
 */

export interface DenoNetAddr {
  readonly transport: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
}

export interface DenoConn {
  /** Null at the end of the stream. The buffer must not be touched until the promise settles. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Resolves to the bytes taken, at least one. The bytes must not change until then. */
  write(bytes: Uint8Array): Promise<number>;
  /** Rejects what is pending. Throws when called twice. */
  close(): void;
  closeWrite(): Promise<void>;
  /** Missing on Unix sockets. */
  setNoDelay?(noDelay: boolean): void;
  readonly localAddr: DenoNetAddr;
  readonly remoteAddr: DenoNetAddr;
  /** Of the links of tls.ts only: the stream has ended below TLS, without close_notify. */
  readonly endedShort?: boolean;
}

export interface DenoListener {
  accept(): Promise<DenoConn>;
  close(): void;
  readonly addr: DenoNetAddr;
}

export type DenoListenOptions =
  | { transport: "tcp"; hostname: string; port: number; tcpBacklog: number; reusePort?: boolean }
  | { transport: "unix"; path: string };

export type DenoConnectOptions =
  | { transport: "tcp"; hostname: string; port: number; signal: AbortSignal }
  | { transport: "unix"; path: string };

export interface DenoNamespace {
  readonly version: { readonly deno: string };
  readonly build: { readonly os: string };
  listen(options: DenoListenOptions): DenoListener;
  connect(options: DenoConnectOptions): Promise<DenoConn>;
  /** Only there with --unstable-net, which also governs `reusePort`. */
  readonly listenDatagram?: unknown;
}
