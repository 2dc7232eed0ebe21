/** The part of the contract that is about failures of sockets. Reached through contract.ts. */

/**
 * Why a dial, a bind or a name look-up failed. Names follow RFC 9209 §2.3 where it has one.
 * - `connection_refused`: no process listens there (includes a Unix socket path that does not exist)
 * - `connection_timeout`: the dial deadline passed
 * - `destination_ip_unroutable`: no route, host or network unreachable
 * - `destination_ip_prohibited`: every address of the destination is one that the dial must not go to
 * - `dns_error`: the name did not resolve
 * - `dns_timeout`: no name server answered in time
 * - `tls_certificate_error`, `tls_protocol_error`: the TLS handshake failed
 * - `connection_terminated`: the peer closed or reset while the handshake was going on
 * - `address_in_use`, `address_not_available`, `permission_denied`: binding failed
 * - `resource_exhausted`: out of descriptors, ports or buffers
 * - `platform_error`: anything else; `detail` has the platform's words
 */
export type SocketErrorCode =
  | "connection_refused"
  | "connection_timeout"
  | "destination_ip_unroutable"
  | "destination_ip_prohibited"
  | "dns_error"
  | "dns_timeout"
  | "tls_certificate_error"
  | "tls_protocol_error"
  | "connection_terminated"
  | "address_in_use"
  | "address_not_available"
  | "permission_denied"
  | "resource_exhausted"
  | "platform_error";

/** A failure as a record: compare `code`, never `detail`. */
export interface SocketError {
  readonly code: SocketErrorCode;
  /** The platform's words, for logs. */
  readonly detail: string;
}

/** A rejected `listen` or `resolve`. */
export class SocketFailure extends Error implements SocketError {
  readonly code: SocketErrorCode;
  readonly detail: string;
  constructor(code: SocketErrorCode, detail: string) {
    super(`${code}: ${detail}`);
    this.name = "SocketFailure";
    this.code = code;
    this.detail = detail;
  }
}
