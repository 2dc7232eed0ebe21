/** What a dial can come to that is neither a connection nor an absence that passes. */

import type { Socket, SocketError } from "../../runtime/contract/contract.ts";

export const CONNECTED_TO_ITSELF: SocketError = {
  code: "connection_refused",
  detail: "nobody listens: the connection was one to itself",
};

/** @param protocol what the handshake has agreed on, which we do not speak */
export function unknownProtocol(protocol: string): SocketError {
  return {
    code: "tls_protocol_error",
    detail: `the handshake agreed on ${JSON.stringify(protocol)}, which is not spoken here`,
  };
}

/**
 * Dialling a free port of the range that local ports are taken from can, by chance, connect a socket to
 * itself (simultaneous open, RFC 9293 §3.5): it would echo the request, and keep the endpoint from binding.
 */
export function connectedToItself(socket: Socket): boolean {
  const { remotePort } = socket;
  return remotePort >= LEAST_LOCAL_PORT && socket.localPort === remotePort &&
    socket.localAddress === socket.remoteAddress;
}

/** No platform takes local ports from below; asking for our own address is a system call for each connection. */
const LEAST_LOCAL_PORT = 1024;

/** A proxy on the way has answered that it will not, or cannot, connect: it can be reached itself. */
export interface ProxyAnswer extends SocketError {
  readonly answered: true;
}

export function isProxyAnswer(error: SocketError | null): error is ProxyAnswer {
  return error !== null && "answered" in error;
}

/** A proxy has decided that nobody may go there: no other one is to be asked, and it is as well as before. */
export function isRefusalOfProxy(error: SocketError): boolean {
  return isProxyAnswer(error) && error.code === "destination_ip_prohibited";
}

/** Waiting does not mend these. */
export function isLasting(error: SocketError | null): boolean {
  return isTlsFailure(error) || isProxyAnswer(error) || error?.code === "destination_ip_prohibited";
}

/** The session with the destination could not be begun. */
export function isTlsFailure(error: SocketError | null): boolean {
  return error !== null && (error.code === "tls_certificate_error" || error.code === "tls_protocol_error");
}
