/** What becomes of a connection after the reply: the one place where that is decided. */

import type { UpstreamConnection } from "../conn/upstream_connection.ts";

/**
 * Whether a connection whose response has been received to its end may serve another request: the
 * request went out to its end, the response was framed and did not ask for the end, no byte came after
 * it, nothing is waiting to be sent, and the connection is nobody's own (a tunnel's, say).
 */
export function mayServeAgain(connection: UpstreamConnection): boolean {
  return connection.state === "busy" && connection.responseDone && connection.responsePersists &&
    connection.requestDone && connection.backlogBytes === 0 && !connection.hasExtraBytes &&
    connection.pinnedTo === null;
}
