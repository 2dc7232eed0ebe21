/** TLS of node:tls for Node, and the parts that deno/tls.ts uses: contexts, handshakes, and what they settled. */
import { isIP, type Server, type Socket as NetSocket } from "node:net";
import * as tls from "node:tls";
import {
  type ClientTls,
  type ListenOptions,
  NO_HANDSHAKE_ROOM,
  type ServerTls,
  type SocketError,
  type TlsSession,
} from "../contract/contract.ts";
import { socketErrorOf } from "../shared/socket_error.ts";

/** What a TLS listener reports. */
export interface TlsAcceptEvents {
  /** The handshake is done. `transport` is the TCP or Unix socket below. */
  secured(stream: NetSocket, transport: NetSocket, session: TlsSession): void;
  failed(error: SocketError): void;
  /** How many handshakes may be under way. */
  room(): number;
  /** What a client is sent that speaks HTTP; null = nothing. */
  plain(): Uint8Array | null;
}

export type TlsServer = tls.Server;

/** A listener that is not bound yet. Throws what node says about a broken certificate. */
export function createTlsServer(options: ListenOptions, own: ServerTls, events: TlsAcceptEvents): Server {
  const server = tls.createServer({
    cert: own.cert,
    key: own.key,
    // Only afterwards: a client that leaves during the handshake would be noticed by the timeout alone.
    allowHalfOpen: false,
    noDelay: true,
    handshakeTimeout: options.handshakeTimeoutMs,
    ...(own.alpn === undefined || own.alpn.length === 0 ? {} : { ALPNProtocols: [...own.alpn] }),
    ...(own.names === undefined || own.names.length === 0 ? {} : { SNICallback: chooseByName(own.names) }),
  });
  const underWay = new Set<NetSocket>();
  const [begin] = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (transport: NetSocket) => {
    if (underWay.size >= events.room()) {
      transport.destroy();
      events.failed(NO_HANDSHAKE_ROOM);
      return;
    }
    underWay.add(transport);
    transport.once("close", () => underWay.delete(transport));
    begin?.call(server, transport);
  });
  server.on("secureConnection", (stream) => {
    const transport = (stream as TlsStream)._parent ?? stream;
    underWay.delete(transport);
    stream.allowHalfOpen = true;
    transport.allowHalfOpen = true;
    events.secured(stream, transport, sessionOf(stream, stream.servername || ""));
  });
  server.on("tlsClientError", (error, stream) => {
    const transport = (stream as TlsStream)._parent;
    // OpenSSL knows GET, HEAD, POST and PUT, and sends no alert for them.
    const plain = (error as { code?: unknown }).code === "ERR_SSL_HTTP_REQUEST" ? events.plain() : null;
    // After a handshake that took too long node leaves the connection to us.
    if (plain === null || transport === undefined) stream.destroy();
    else transport.end(plain, () => stream.destroy());
    events.failed(socketErrorOf(error, "handshake"));
  });
  return server;
}

/**
 * Not documented: the socket that a TLS stream runs over. Without it `abort` would end a connection in
 * order instead of resetting it, which is what happens where the property is missing.
 */
type TlsStream = tls.TLSSocket & { readonly _parent?: NetSocket };

/** The outcome of a client's handshake; exactly one is called, later. */
export interface HandshakeEvents {
  secured(stream: NetSocket, session: TlsSession): void;
  failed(error: SocketError): void;
}

/** Begins the handshake on an open connection. Throws what node says about a broken certificate. */
export function secureClient(transport: NetSocket, own: ClientTls, events: HandshakeEvents): NetSocket {
  const stream = tls.connect({
    // Half-open, as the transport is.
    socket: transport,
    rejectUnauthorized: own.verify,
    secureContext: clientContext(own),
    // An IP literal must not be sent as a server name (RFC 6066 §3), but is what the certificate is for.
    ...(isIP(own.serverName) === 0 ? { servername: own.serverName } : { host: own.serverName }),
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

/** Parsing certificates takes a millisecond, so it is done once per set of options. */
const clientContexts = new WeakMap<ClientTls, tls.SecureContext>();

function clientContext(own: ClientTls): tls.SecureContext {
  let context = clientContexts.get(own);
  if (context === undefined) {
    context = tls.createSecureContext({
      ...(own.ca === null ? {} : { ca: own.ca }),
      ...(own.cert === undefined ? {} : { cert: own.cert }),
      ...(own.key === undefined ? {} : { key: own.key }),
    });
    clientContexts.set(own, context);
  }
  return context;
}

type ServerNameCallback = NonNullable<tls.TlsOptions["SNICallback"]>;

/** Exact names first, then `*.` for one label; without a match the listener's own certificate is used. */
export function chooseByName(names: NonNullable<ServerTls["names"]>): ServerNameCallback {
  const contexts = new Map<string, tls.SecureContext>();
  for (const { name, cert, key } of names) {
    contexts.set(name.toLowerCase(), tls.createSecureContext({ cert, key }));
  }
  return (asked, done) => {
    const name = asked.toLowerCase();
    const dot = name.indexOf(".");
    done(null, contexts.get(name) ?? (dot > 0 ? contexts.get(`*${name.slice(dot)}`) : undefined));
  };
}

export function sessionOf(stream: tls.TLSSocket, serverName: string): TlsSession {
  return { alpn: stream.alpnProtocol || "", serverName, version: stream.getProtocol() ?? "" };
}
