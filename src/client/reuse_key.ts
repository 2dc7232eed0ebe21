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
  /** What a SOCKS proxy at `address` is asked for. Absent = there is none. */
  readonly socks?: SocksTarget;
}

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
    tls === null
      ? null
      : [tls.serverName, tls.verify, tls.ca, tls.cert ?? null, tls.key ?? null, tls.alpn ?? null],
    key.proxyChain,
    key.credentials,
    key.socks ?? null,
  ]);
}
