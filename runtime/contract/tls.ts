/** The part of the contract that is about TLS. Reached through contract.ts. */

/** What the TLS handshake settled. */
export interface TlsSession {
  /** Protocol agreed through ALPN, or "" when none was. */
  readonly alpn: string;
  /** Server name: the one the client asked for, or the one we dialled with; "" when unknown. */
  readonly serverName: string;
  /** Like "TLSv1.3", or "" where the platform does not tell. */
  readonly version: string;
}

/** Certificate and key of a server, PEM text. Not changed once it was used: what is made of it is kept. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** Protocols offered through ALPN, best first; a client that offers none is still accepted. */
  readonly alpn?: readonly string[];
  /** Certificates for further names: exact or `*.example.com`. The one above is the default. */
  readonly names?: readonly { readonly name: string; readonly cert: string; readonly key: string }[];
  /**
   * PEM text of certificate authorities: a client must have a certificate for client use (RFC 5280 §4.2.1.12) that one
   * of them signed, whatever name it asks for. Not given: clients are not asked for one.
   */
  readonly clientCa?: string;
}

/** How to speak TLS to a server. Not changed once it was used. */
export interface ClientTls {
  /** SNI, and the name the certificate must be for. */
  readonly serverName: string;
  /** False accepts any certificate. */
  readonly verify: boolean;
  /** PEM text of certificate authorities to trust instead of the platform's; null = the platform's. */
  readonly ca: string | null;
  /** Client certificate, PEM text. */
  readonly cert?: string;
  readonly key?: string;
  /** Protocols offered, best first. */
  readonly alpn?: readonly string[];
}
