/**
 * The one place where errors of the platforms become our few codes. Node and Bun put a POSIX, c-ares or
 * OpenSSL name in `code`; Deno has error classes, and a `code` only where the kernel gave one. Message
 * text decides nothing, except for the three kinds of Deno error that carry neither (see `denoCode`).
 */
import type { CloseReason, SocketError, SocketErrorCode } from "../contract/contract.ts";

/**
 * What was going on: the same platform code means different things by stage.
 * - `lookup`: resolving a name; everything is `dns_error`
 * - `dial`: connecting
 * - `handshake`: TLS on either side
 * - `bind`: listening and accepting
 */
export type SocketStage = "lookup" | "dial" | "handshake" | "bind";

export const FINISHED: CloseReason = Object.freeze({ code: "finished", detail: "" });
export const ABORTED: CloseReason = Object.freeze({ code: "aborted", detail: "aborted by us" });

/** Same meaning at every stage. */
const BY_CODE = {
  ECONNREFUSED: "connection_refused",
  // connect(2) on a Unix socket whose accept queue is full; for TCP the kernel would retry.
  EAGAIN: "connection_refused",
  // The path is there and is no socket.
  ENOTSOCK: "connection_refused",
  ETIMEDOUT: "connection_timeout",
  ERR_TLS_HANDSHAKE_TIMEOUT: "connection_timeout",
  EHOSTUNREACH: "destination_ip_unroutable",
  EHOSTDOWN: "destination_ip_unroutable",
  ENETUNREACH: "destination_ip_unroutable",
  ENETDOWN: "destination_ip_unroutable",
  ENOTFOUND: "dns_error",
  EAI_AGAIN: "dns_error",
  EAI_FAIL: "dns_error",
  EAI_NODATA: "dns_error",
  EAI_NONAME: "dns_error",
  ENODATA: "dns_error",
  ESERVFAIL: "dns_error",
  ECONNRESET: "connection_terminated",
  ECONNABORTED: "connection_terminated",
  EPIPE: "connection_terminated",
  ENOTCONN: "connection_terminated",
  EADDRINUSE: "address_in_use",
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  EROFS: "permission_denied",
  EMFILE: "resource_exhausted",
  ENFILE: "resource_exhausted",
  ENOBUFS: "resource_exhausted",
  // epoll_ctl(2): fs.epoll.max_user_watches.
  ENOSPC: "resource_exhausted",
  ENOMEM: "resource_exhausted",
  EPROTO: "tls_protocol_error",
} as const satisfies Record<string, SocketErrorCode>;

/** Codes whose meaning depends on whether we dial or bind. */
const BY_STAGE = {
  // A Unix socket path that does not exist; when binding, its folder does not.
  ENOENT: { dial: "connection_refused", bind: "address_not_available" },
  ENOTDIR: { dial: "connection_refused", bind: "address_not_available" },
  // Dialling names no local address, so this is "no local port left".
  EADDRNOTAVAIL: { dial: "resource_exhausted", bind: "address_not_available" },
  EAFNOSUPPORT: { dial: "destination_ip_unroutable", bind: "address_not_available" },
} as const satisfies Record<string, { dial: SocketErrorCode; bind: SocketErrorCode }>;

/** Names of OpenSSL's certificate checks as Node and Bun report them (X509_verify_cert_error_string(3)). */
const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_GET_CRL",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
  "CRL_SIGNATURE_FAILURE",
  "CERT_NOT_YET_VALID",
  "CERT_HAS_EXPIRED",
  "CRL_NOT_YET_VALID",
  "CRL_HAS_EXPIRED",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "ERROR_IN_CRL_LAST_UPDATE_FIELD",
  "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "CERT_CHAIN_TOO_LONG",
  "CERT_REVOKED",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "HOSTNAME_MISMATCH",
  "IP_ADDRESS_MISMATCH",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERR_TLS_CERT_ALTNAME_FORMAT",
  // Node's and Deno's name for a client without a certificate, where one is required.
  "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
]);

/** Deno's error classes that say something about sockets, as the POSIX name that means the same. */
const DENO_CLASSES = {
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  ConnectionAborted: "ECONNABORTED",
  NotConnected: "ENOTCONN",
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  BrokenPipe: "EPIPE",
  PermissionDenied: "EACCES",
  NotCapable: "EACCES",
  NotFound: "ENOENT",
  TimedOut: "ETIMEDOUT",
  NetworkUnreachable: "ENETUNREACH",
  UnexpectedEof: "ECONNRESET",
  Interrupted: "ECONNABORTED",
} as const satisfies Record<string, keyof typeof BY_CODE | keyof typeof BY_STAGE>;

/** Codes that mean "the other side or the network tore an open connection down". */
const RESET_CODES: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ENOTCONN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
]);

/** Makes a dial, bind, look-up or handshake failure a record of ours. Total: never throws. */
export function socketErrorOf(error: unknown, stage: SocketStage): SocketError {
  return { code: socketErrorCode(platformCode(error), stage), detail: errorDetail(error) };
}

/** Why an open socket closed, from the error the platform gave (null or undefined: none, in order). */
export function closeReasonOf(error: unknown): CloseReason {
  if (error === null || error === undefined) return FINISHED;
  return { code: RESET_CODES.has(platformCode(error)) ? "reset" : "failed", detail: errorDetail(error) };
}

/** The platform's words with its code in front when the words do not have it; for logs only. */
export function errorDetail(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = stringProperty(error, "code");
  if (code === "" || error.message.includes(code)) return error.message || error.name;
  return error.message === "" ? code : `${code}: ${error.message}`;
}

/** The POSIX, resolver or OpenSSL name of an error of any of the platforms, "" when it has none. */
export function platformCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const code = stringProperty(error, "code");
  return code !== "" ? code : denoCode(stringProperty(error, "name"), stringProperty(error, "message"));
}

function socketErrorCode(code: string, stage: SocketStage): SocketErrorCode {
  if (stage === "lookup") return "dns_error";
  if (CERTIFICATE_CODES.has(code)) return "tls_certificate_error";
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_OSSL_")) return "tls_protocol_error";
  if (Object.hasOwn(BY_CODE, code)) return BY_CODE[code as keyof typeof BY_CODE];
  if (Object.hasOwn(BY_STAGE, code)) {
    return BY_STAGE[code as keyof typeof BY_STAGE][stage === "bind" ? "bind" : "dial"];
  }
  // Whatever ends a handshake and has no name is the handshake's fault, not the network's.
  return stage === "handshake" ? "tls_protocol_error" : "platform_error";
}

/**
 * Deno's rustls and its resolver report nothing but a class and a sentence, so here the sentence has
 * to be looked at: "invalid peer certificate: …" (rustls `Error::InvalidCertificate`) among the other
 * `InvalidData`, and "failed to lookup address information: …" (Rust's `std::net`) of class `Error`. Its
 * node:tls leaves out the code that Node gives to a handshake that takes too long.
 */
function denoCode(name: string, message: string): string {
  if (Object.hasOwn(DENO_CLASSES, name)) return DENO_CLASSES[name as keyof typeof DENO_CLASSES];
  if (name === "InvalidData") {
    return message.startsWith("invalid peer certificate") ? "CERT_REJECTED" : "EPROTO";
  }
  if (message.startsWith("failed to lookup address information")) return "ENOTFOUND";
  if (message === "TLS handshake timeout") return "ERR_TLS_HANDSHAKE_TIMEOUT";
  return "";
}

function stringProperty(holder: object, key: string): string {
  const value = (holder as Record<string, unknown>)[key];
  return typeof value === "string" ? value : "";
}
