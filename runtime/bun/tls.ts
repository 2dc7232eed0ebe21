/** TLS options for Bun, certificates by name, and what a handshake settled. */
import type { ClientTls, ServerTls, SocketError, TlsSession } from "../contract/contract.ts";
import type { NativeSocket, NativeTls } from "./native.ts";
import { errorDetail, socketErrorOf } from "../shared/socket_error.ts";
import { isIpLiteral } from "../shared/lazy_module.ts";

/** The option object of a server. */
export function serverTls(tls: ServerTls): NativeTls {
  return {
    cert: tls.cert,
    key: tls.key,
    requestCert: tls.clientCa !== undefined,
    rejectUnauthorized: tls.clientCa !== undefined,
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa }),
    ...(tls.alpn === undefined || tls.alpn.length === 0 ? {} : { ALPNProtocols: alpnWire(tls.alpn) }),
  };
}

/**
 * Options for a dial.
 *
 * @param host the IP literal dialled, or "" for a Unix socket. A server name that is the same literal is
 *   left to Bun: it checks the certificate against it and sends no SNI, which RFC 6066 §3 wants for
 *   addresses; given as `serverName` it would be sent.
 */
export function clientTls(tls: ClientTls, host: string): NativeTls {
  return {
    serverName: tls.serverName === host && isIpLiteral(host) ? "" : tls.serverName,
    rejectUnauthorized: tls.verify,
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.alpn === undefined || tls.alpn.length === 0 ? {} : { ALPNProtocols: alpnWire(tls.alpn) }),
  };
}

/**
 * Chooses a certificate by the name asked for; see `NativeHandlers.serverName`. node:tls is loaded
 * here only, because it is not needed otherwise and costs start-up time.
 *
 * @throws when a certificate or key cannot be read
 */
export async function certificateChooser(
  own: ServerTls,
  names: NonNullable<ServerTls["names"]>,
): Promise<(listenerData: unknown, name: string) => unknown> {
  const { createSecureContext } = await import("node:tls");
  const contexts = new Map<string, unknown>();
  // Authorities are looked up in the context that a name has chosen.
  const ca = own.clientCa === undefined ? {} : { ca: own.clientCa };
  for (const { name, cert, key } of names) {
    // `context` is the native object; @types/node calls it any.
    contexts.set(name.toLowerCase(), createSecureContext({ cert, key, ...ca }).context);
  }
  return (_, asked) => {
    const name = asked.toLowerCase();
    return contexts.get(name) ?? contexts.get(`*${name.slice(name.indexOf("."))}`);
  };
}

/** What the handshake of an accepted connection settled. */
export function serverSession(native: NativeSocket): TlsSession {
  return session(native, native.getServername() || "");
}

/** What the handshake of a dialled connection settled. */
export function session(native: NativeSocket, serverName: string): TlsSession {
  return { alpn: native.alpnProtocol || "", serverName, version: native.getTLSVersion() || "" };
}

/**
 * Judges the end of a dial's handshake. With `rejectUnauthorized` off, Bun still reports what is wrong
 * with the certificate, and not always as success; only a handshake that really broke counts then.
 */
export function handshakeFailure(
  tls: ClientTls,
  native: NativeSocket,
  success: boolean,
  error: unknown,
): SocketError | null {
  const clean = success && (error === null || error === undefined);
  if (clean && (native.authorized || !tls.verify)) return null;
  const failure: SocketError = clean
    ? { code: "tls_certificate_error", detail: "the certificate was not verified" }
    : socketErrorOf(error, "handshake");
  return failure.code === "tls_certificate_error" && !tls.verify ? null : failure;
}

/**
 * Judges the end of a server's handshake. A client whose certificate does not verify is told of as success with an
 * error; where none was asked for, such an error means nothing.
 */
export function clientFailure(
  tls: ServerTls,
  native: NativeSocket,
  success: boolean,
  error: unknown,
): SocketError | null {
  if (!success) {
    const failure = socketErrorOf(error, "handshake");
    return isMissingCertificate(error) ? { ...failure, code: "tls_certificate_error" } : failure;
  }
  if (tls.clientCa === undefined) return null;
  if (native.authorized && (error === null || error === undefined)) return null;
  const detail = error instanceof Error ? errorDetail(error) : "the client's certificate was not verified";
  return { code: "tls_certificate_error", detail };
}

/** Whether a handshake failed because the client has no certificate. */
function isMissingCertificate(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith(":PEER_DID_NOT_RETURN_A_CERTIFICATE");
}

/** Whether a handshake failed because the client sent an HTTP request: BoringSSL knows GET, HEAD, POST and PUT. */
export function isPlainHttp(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith(":HTTP_REQUEST");
}

/** RFC 7301 §3.1: each name behind a byte with its length. */
export function alpnWire(protocols: readonly string[]): ArrayBuffer {
  const parts = protocols.map((protocol) => new TextEncoder().encode(protocol));
  const wire = new Uint8Array(parts.reduce((size, part) => size + 1 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    wire[at++] = part.length;
    wire.set(part, at);
    at += part.length;
  }
  return wire.buffer;
}
