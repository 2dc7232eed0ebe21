/** `Runtime.secure` over a plain connection of node:net: node's own TLS takes the descriptor over. */
import type { Socket as NetSocket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { SecureEvents, SecureOptions, Securing, TlsSession } from "../contract/contract.ts";
import { NodeSocket, reset } from "./socket.ts";
import { PendingHandshake, type SecuringHost, unusable } from "../shared/securing.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { isClientTls, secureClient, secureServer } from "../shared/stream_tls.ts";

export function secureNode(
  options: SecureOptions,
  socket: NodeSocket,
  events: SecureEvents,
  host: SecuringHost,
): Securing {
  const pending = new PendingHandshake(options, events, host);
  const transport = socket.release();
  if (transport === null) return pending.refuse(socket);
  const { alreadyRead } = options;
  // TLS begins with what the stream holds, a turn later: a copy.
  if (alreadyRead !== undefined && alreadyRead.length > 0) transport.unshift(new Uint8Array(alreadyRead));
  pending.drop = (abort) => abort ? reset(transport) : transport.destroy();
  // After the handshake the TLS stream reports them as well.
  transport.on("error", (error) => pending.fail(socketErrorOf(error, "handshake")));
  transport.once("close", () => pending.fail(CLOSED));
  if (transport.writableLength === 0) begin(options, transport, pending, host);
  else transport.write("", () => begin(options, transport, pending, host));
  return pending;
}

const CLOSED = { code: "connection_terminated", detail: "closed during the TLS handshake" } as const;

function begin(
  { tls }: SecureOptions,
  transport: NetSocket,
  pending: PendingHandshake,
  { onHandlerError }: SecuringHost,
): void {
  if (pending.over) return;
  const events = {
    secured(stream: TLSSocket, session: TlsSession) {
      stream.allowHalfOpen = transport.allowHalfOpen = true;
      pending.succeed((hand) => new NodeSocket(stream, transport, session, onHandlerError).open(hand));
    },
    failed: (error: Parameters<PendingHandshake["fail"]>[0]) => pending.fail(error),
  };
  let stream: TLSSocket;
  try {
    if (isClientTls(tls)) stream = secureClient(transport, tls, events);
    else {
      stream = secureServer(transport, tls, events);
      // Else a client that leaves during the handshake would be noticed by the timeout alone.
      stream.allowHalfOpen = transport.allowHalfOpen = false;
    }
  } catch (error) {
    pending.failLater(unusable(error));
    return;
  }
  // Errors that come after the outcome: destroying is their own doing.
  stream.on("error", () => {});
  stream.once("close", () => pending.fail(CLOSED));
  // The transport goes with the stream. A reset goes below it; see `NodeSocket`.
  pending.drop = (abort) => abort ? reset(transport) : stream.destroy();
}
