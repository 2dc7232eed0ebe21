/**
 * Handshakes of node:tls over an open stream, which all three platforms have, and what they settle. A `TLSSocket` that
 * belongs to no `tls.Server` does on Node and Deno not enforce that clients have a certificate, so that is done here.
 *
 * node:tls is loaded at the first use: not every program that can do TLS does it this way.
 */
import type { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext, TlsOptions, TLSSocket } from "node:tls";
import type { ClientTls, ServerTls, SocketError, TlsSession } from "../contract/contract.ts";
import { cryptoModule, isIpLiteral, tlsModule } from "./lazy_module.ts";
import { socketErrorOf } from "./socket_error.ts";

/** The outcome of a handshake; exactly one is called, later. */
export interface HandshakeEvents {
  secured(stream: TLSSocket, session: TlsSession): void;
  failed(error: SocketError): void;
}

/** Whether we are the client of this handshake. */
export function isClientTls(tls: ClientTls | ServerTls): tls is ClientTls {
  return "serverName" in tls;
}

/** Begins a client's handshake on an open connection. Throws what the platform says about a broken certificate. */
export function secureClient(transport: Duplex, own: ClientTls, events: HandshakeEvents): TLSSocket {
  const stream = tlsModule().connect({
    // Half-open, as the transport is. The cast: any duplex will do, say the documents.
    socket: transport as NetSocket,
    rejectUnauthorized: own.verify,
    secureContext: clientContext(own),
    // An IP literal must not be sent as a server name (RFC 6066 §3), but is what the certificate is for.
    ...(isIpLiteral(own.serverName) ? { host: own.serverName } : { servername: own.serverName }),
    ...(own.alpn === undefined || own.alpn.length === 0 ? {} : { ALPNProtocols: [...own.alpn] }),
  });
  const onError = (error: unknown) => events.failed(socketErrorOf(error, "handshake"));
  stream.once("error", onError);
  stream.once("secureConnect", () => {
    stream.off("error", onError);
    events.secured(stream, sessionOf(stream, own.serverName));
  });
  return stream;
}

/** Begins a server's handshake on an open connection. @throws like `ServerContext` */
export function secureServer(transport: Duplex, own: ServerTls, events: HandshakeEvents): TLSSocket {
  const { TLSSocket } = tlsModule();
  // The cast: see above.
  const stream = new TLSSocket(transport as NetSocket, serverContext(own));
  stream.allowHalfOpen = true;
  const onError = (error: unknown) => events.failed(socketErrorOf(error, "handshake"));
  stream.once("error", onError);
  // Without a `tls.Server` this is how some failures are told.
  stream.once("_tlsError", onError);
  stream.once("secure", () => {
    stream.off("error", onError);
    stream.off("_tlsError", onError);
    const refusal = own.clientCa === undefined ? null : clientRefusal(stream);
    if (refusal !== null) return events.failed({ code: "tls_certificate_error", detail: refusal });
    const { servername } = stream as { servername?: string | false };
    events.secured(stream, sessionOf(stream, servername || ""));
  });
  return stream;
}

/** Undocumented, what `tls.Server` itself asks: null or "" when the peer's certificate is fine. */
interface Verifying {
  readonly ssl?: { verifyError?(): Error | string | null };
}

/** Why a client's certificate is not accepted, null when it is. What cannot be found out counts against it. */
function clientRefusal(stream: TLSSocket): string | null {
  const { ssl } = stream as Verifying;
  if (typeof ssl?.verifyError !== "function") return "the platform does not say whether it is valid";
  if (Object.keys(stream.getPeerCertificate() ?? {}).length === 0) return "the client has no certificate";
  const error = ssl.verifyError();
  if (error === null || error === undefined || error === "") return null;
  return error instanceof Error ? error.message : error;
}

/** Parsing certificates takes a millisecond, so it is done once per set of options. */
const clientContexts = new WeakMap<ClientTls, SecureContext>();
const serverContexts = new WeakMap<ServerTls, ReturnType<typeof newServerContext>>();

function clientContext(own: ClientTls): SecureContext {
  let context = clientContexts.get(own);
  if (context === undefined) {
    if (own.cert !== undefined && own.key !== undefined) checkPair(own.cert, own.key);
    context = tlsModule().createSecureContext({
      ...(own.ca === null ? {} : { ca: own.ca }),
      ...(own.cert === undefined ? {} : { cert: own.cert }),
      ...(own.key === undefined ? {} : { key: own.key }),
    });
    clientContexts.set(own, context);
  }
  return context;
}

/**
 * Options of a server's streams.
 *
 * @throws what the platform says about a broken certificate or key
 */
export function serverContext(own: ServerTls): ReturnType<typeof newServerContext> {
  let context = serverContexts.get(own);
  if (context === undefined) {
    context = newServerContext(own);
    serverContexts.set(own, context);
  }
  return context;
}

function newServerContext(own: ServerTls) {
  for (const { cert, key } of [own, ...own.names ?? []]) checkPair(cert, key);
  const clients = own.clientCa !== undefined;
  return {
    isServer: true,
    allowHalfOpen: true,
    secureContext: contextOf(own, own),
    // Otherwise Bun says that a client without a certificate is not authorized.
    requestCert: clients,
    rejectUnauthorized: clients,
    ...(own.alpn === undefined || own.alpn.length === 0 ? {} : { ALPNProtocols: [...own.alpn] }),
    ...(own.names === undefined || own.names.length === 0
      ? {}
      : { SNICallback: chooseByName(own, own.names) }),
  };
}

/** Deno's contexts take any text, and then every handshake fails. */
function checkPair(cert: string, key: string): void {
  const { createPrivateKey, X509Certificate } = cryptoModule();
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error("the key is not the certificate's");
  }
}

/** Authorities are looked up in the context that a name has chosen, so each has them. */
function contextOf(
  own: ServerTls,
  { cert, key }: { readonly cert: string; readonly key: string },
): SecureContext {
  return tlsModule().createSecureContext({
    cert,
    key,
    ...forClients(own),
  });
}

/** What a context needs to judge clients. */
export function forClients(
  { clientCa }: ServerTls,
): { readonly ca?: string; readonly sessionIdContext?: string } {
  return clientCa === undefined ? {} : { ca: clientCa, sessionIdContext: sessionScope(clientCa) };
}

/**
 * OpenSSL resumes no session of a client with a certificate without it, and ends the connection instead. A client that one
 * authority has vouched for is unknown to another.
 */
function sessionScope(clientCa: string): string {
  // At most 32 bytes.
  return cryptoModule().createHash("sha256").update(clientCa).digest("hex").slice(0, 32);
}

/**
 * The contexts of `own.names`: exact names first, then `*.` for one label; undefined means the listener's own.
 *
 * @throws what the platform says about a broken certificate or key
 */
export function contextsByName(
  own: ServerTls,
  names: NonNullable<ServerTls["names"]>,
): (asked: string) => SecureContext | undefined {
  const contexts = new Map<string, SecureContext>();
  for (const named of names) contexts.set(named.name.toLowerCase(), contextOf(own, named));
  return (asked) => {
    const name = asked.toLowerCase();
    const dot = name.indexOf(".");
    return contexts.get(name) ?? (dot > 0 ? contexts.get(`*${name.slice(dot)}`) : undefined);
  };
}

export function chooseByName(
  own: ServerTls,
  names: NonNullable<ServerTls["names"]>,
): NonNullable<TlsOptions["SNICallback"]> {
  const choose = contextsByName(own, names);
  return (asked, done) => done(null, choose(asked));
}

export function sessionOf(stream: TLSSocket, serverName: string): TlsSession {
  return { alpn: stream.alpnProtocol || "", serverName, version: stream.getProtocol() ?? "" };
}
