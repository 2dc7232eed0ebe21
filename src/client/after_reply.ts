/**
 * What becomes of a connection after the reply: the one place where that is decided. A connection that carries several
 * streams decides about its own end: what is said here is about the stream then.
 */

import type { UpstreamStream } from "../http/upstream_stream.ts";

/**
 * - `pool`: it may serve any client's next request
 * - `pin`: it may serve the next request of the one client that it is pinned to
 * - `close`: the stream leaves it unfit for another request
 * - `close_both`: the same, and its client's connection ends with it: the session was on this connection
 */
export type AfterReply = "pool" | "pin" | "close" | "close_both";

/** @param complete the response was received to its end */
export function afterReply(stream: UpstreamStream, complete: boolean): AfterReply {
  const serves = complete && stream.mayServeAgain;
  if (stream.peer.pinnedTo === null) return serves ? "pool" : "close";
  return serves ? "pin" : "close_both";
}
