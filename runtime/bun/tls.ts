/** TLS options for Bun, certificates by name, and what a handshake settled. */
import type { ClientTls, ServerTls, SocketError, TlsSession } from "../contract/contract.ts";
import type { NativeSocket, NativeTls } from "./native.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { isIpLiteral } from "../shared/lazy_module.ts";

/** The option object of a server. Clients are never asked for a certificate. */
export function serverTls(tls: ServerTls): NativeTls {
  return {
    cert: tls.cert,
    key: tls.key,
    requestCert: false,
    rejectUnauthorized: false,
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
  names: NonNullable<ServerTls["names"]>,
): Promise<(listenerData: unknown, name: string) => unknown> {
  const { createSecureContext } = await import("node:tls");
  const contexts = new Map<string, unknown>();
  for (const { name, cert, key } of names) {
    // `context` is the native object; @types/node calls it any.
    contexts.set(name.toLowerCase(), createSecureContext({ cert, key }).context);
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

/** Whether a handshake failed because the client sent an HTTP request: BoringSSL knows GET, HEAD, POST and PUT. */
export function isPlainHttp(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith(":HTTP_REQUEST");
}

/** RFC 7301 §3.1: each name behind a byte with its length. */
function alpnWire(protocols: readonly string[]): ArrayBuffer {
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
