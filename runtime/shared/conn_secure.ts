/** `Runtime.secure` in JavaScript: over connections of any kind, TLS among them. */
import type { Conn } from "./conn.ts";
import type { ConnBuffers } from "./conn_buffers.ts";
import { ConnSocket } from "./conn_socket.ts";
import { secureConn } from "./conn_tls.ts";
import type { SecureEvents, SecureOptions, Securing, Socket, SocketFailure } from "../contract/contract.ts";
import { PendingHandshake, type SecuringHost } from "./securing.ts";
import { SocketConn } from "./socket_conn.ts";

export interface JavaScriptHost extends SecuringHost {
  readonly buffers: ConnBuffers;
  /** Not `capabilities.tlsInTlsHalfOpen`. */
  readonly closesWithPeer: boolean;
}

/**
 * @param take another socket with the same connection, which leaves the first one without it; null when it is not open
 *   both ways. Not asked for a `ConnSocket`
 */
export function secureInJavaScript(
  options: SecureOptions,
  events: SecureEvents,
  host: JavaScriptHost,
  take: (socket: Socket) => Socket | null,
): Securing {
  const pending = new PendingHandshake(options, events, host);
  const conn = connOf(options, take);
  if (conn === null) return pending.refuse(options.socket);
  pending.drop = (abort) => dropQuietly(conn, abort);
  secureConn(conn, options.tls, { closesWithPeer: host.closesWithPeer }).then(
    (secured) => {
      pending.drop = (abort) => dropQuietly(secured.conn, abort);
      pending.succeed((hand) => {
        new ConnSocket(secured.conn, secured.session, host.buffers, host.onHandlerError).open(hand);
      });
    },
    (error: SocketFailure) => pending.fail(error),
  );
  return pending;
}

function connOf(
  { socket, alreadyRead }: SecureOptions,
  take: (socket: Socket) => Socket | null,
): Conn | null {
  if (socket instanceof ConnSocket) {
    const conn = socket.release();
    if (alreadyRead !== undefined) conn?.unread(alreadyRead);
    return conn;
  }
  const taken = take(socket);
  return taken === null ? null : new SocketConn(taken, alreadyRead);
}

function dropQuietly(conn: Conn, abort: boolean): void {
  try {
    if (abort && conn.abort !== undefined) conn.abort();
    else conn.close();
  } catch {
    // Closed before.
  }
}
