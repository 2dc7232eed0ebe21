/**
 * Everything that makes two connections interchangeable. A connection may serve a request only if the
 * key it was opened with equals the key the request needs; whatever changes identity belongs in here.
 */

import type { Address, ClientTls } from "../../runtime/contract/contract.ts";

export interface ReuseKey {
  readonly scheme: "http" | "https";
  readonly address: Address;
  /** How TLS was set up; null for `http`. Name, verification, authorities and client certificate all count. */
  readonly tls: ClientTls | null;
  /** Proxies the connection passes through, nearest first. */
  readonly proxyChain: readonly string[];
  /** Whose credentials the connection was authenticated with; "" = it was not. */
  readonly credentials: string;
  /** A proxy at `address` that leads to the one that all the rest is about. Absent = there is none. */
  readonly via?: ViaProxy;
  /** How TLS is set up within what `via` has opened; absent = not at all. `tls` is that with the proxy of `via` then. */
  readonly innerTls?: ClientTls;
  /** What a SOCKS proxy at `address`, or behind `via`, is asked for. Absent = there is none. */
  readonly socks?: SocksTarget;
}

/** How a proxy is asked for a connection to the next one. */
export type ViaProxy =
  | { readonly kind: "socks"; readonly target: SocksTarget }
  | {
    readonly kind: "http";
    /** Host and port. */
    readonly authority: string;
    /** Value of Proxy-Authorization; "" = none. */
    readonly authorization: string;
  };

/** Where a SOCKS proxy is to connect to. */
export interface SocksTarget {
  /** A name, or an IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  /** The name is looked up here; else the proxy gets it. */
  readonly resolves: boolean;
  /** Null = the proxy wants to know nothing. */
  readonly login: { readonly user: string; readonly password: string } | null;
}

/** The key as text: equal texts, interchangeable connections. Not for display: it contains key material. */
export function reuseKeyText(key: ReuseKey): string {
  const { tls } = key;
  return JSON.stringify([
    key.scheme,
    key.address.kind === "tcp" ? [key.address.host, key.address.port] : key.address.path,
    tlsParts(tls),
    key.proxyChain,
    key.credentials,
    key.socks ?? null,
    key.via ?? null,
    tlsParts(key.innerTls ?? null),
  ]);
}

function tlsParts(tls: ClientTls | null): readonly unknown[] | null {
  if (tls === null) return null;
  return [tls.serverName, tls.verify, tls.ca, tls.cert ?? null, tls.key ?? null, tls.alpn ?? null];
}
