/**
 * The parts of the `Deno` namespace that the adapter uses, as structural declarations: the project is
 * type-checked without Deno's own types. Source: `deno types`, 2.9.
 */
import type { Conn, ConnAddress } from "../shared/conn.ts";

export interface DenoListener {
  accept(): Promise<Conn>;
  close(): void;
  readonly addr: ConnAddress;
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
  connect(options: DenoConnectOptions): Promise<Conn>;
  /** Only there with --unstable-net, which also governs `reusePort`. */
  readonly listenDatagram?: unknown;
}

/** Deno.permissions, as far as it is used. */
export interface DenoPermissions {
  querySync(
    permission:
      | { readonly name: "read"; readonly path: string }
      | { readonly name: "sys"; readonly kind: "networkInterfaces" },
  ): { readonly state: "granted" | "prompt" | "denied" };
}
