/** What becomes of a connection after the reply: the one place where that is decided. */

import type { UpstreamConnection } from "../conn/upstream_connection.ts";

/**
 * - `pool`: it may serve anybody's next request
 * - `pin`: it may serve the next request of the one client that it is pinned to
 * - `close`: it ends
 * - `close_both`: it ends, and its client's connection with it: the session was on this connection
 */
export type AfterReply = "pool" | "pin" | "close" | "close_both";

/** @param complete the response was received to its end */
export function afterReply(connection: UpstreamConnection, complete: boolean): AfterReply {
  const serves = complete && mayServeAgain(connection);
  if (connection.pinnedTo === null) return serves ? "pool" : "close";
  return serves ? "pin" : "close_both";
}

/**
 * Whether a connection whose response has been received to its end may serve another request: the
 * request went out to its end, the response was framed and did not ask for the end, no byte came after
 * it, nothing is waiting to be sent, and it has not become a tunnel.
 */
function mayServeAgain(connection: UpstreamConnection): boolean {
  return connection.state === "busy" && connection.responseDone && connection.responsePersists &&
    connection.requestDone && connection.backlogBytes === 0 && !connection.hasExtraBytes;
}
