/** Listeners with TLS on Node, over node:tls. */
import type { Server, Socket as NetSocket } from "node:net";
import * as tls from "node:tls";
import {
  type ListenOptions,
  NO_HANDSHAKE_ROOM,
  type ServerTls,
  type SocketError,
  type TlsSession,
} from "../contract/contract.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { chooseByName, forClients, sessionOf } from "../shared/stream_tls.ts";

/** Chooses a context by the name that a client asks for; one that can be replaced for each listener. */
const choosers = new WeakMap<TlsServer, NonNullable<tls.TlsOptions["SNICallback"]>>();

/** Connections that come from now on. @throws what node says about a broken certificate; then nothing has changed */
export function changeTls(server: TlsServer, own: ServerTls): void {
  const choose = chooseByName(own, own.names ?? []);
  server.setSecureContext({ cert: own.cert, key: own.key, ...forClients(own) });
  choosers.set(server, choose);
  // Undocumented, and looked at for each connection. Without them only the authorities would change.
  const clients = own.clientCa !== undefined;
  Object.assign(server, { requestCert: clients, rejectUnauthorized: clients });
}

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
    SNICallback: (name, done) => choosers.get(server)?.(name, done),
    ...forClients(own),
    ...(own.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
  });
  choosers.set(server, chooseByName(own, own.names ?? []));
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
    // Told as a connection that was lost, after node has dropped it.
    const refusal = (stream as TlsStream).authorizationError;
    events.failed(
      refusal === undefined || refusal === null
        ? socketErrorOf(error, "handshake")
        : { code: "tls_certificate_error", detail: String(refusal) },
    );
  });
  return server;
}

/**
 * Not documented: the socket that a TLS stream runs over. Without it `abort` would end a connection in
 * order instead of resetting it, which is what happens where the property is missing.
 */
type TlsStream = tls.TLSSocket & { readonly _parent?: NetSocket };
