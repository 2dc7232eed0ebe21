/** What it means that a client has ended its sending side (FIN, TLS close_notify) before it has all of its answer. */

import type { DownstreamStream } from "../http/downstream_stream.ts";

/**
 * Whether the client is taken for gone. TCP cannot tell it from one that still reads, and a slot, or a place in the waiting
 * room, is not kept for a reader that may be gone.
 *
 * @param waits the request is held or queued
 * @returns why it is gone, for the log; null when it is still answered
 */
export function goneBecause(client: DownstreamStream, waits: boolean): string | null {
  if (waits && !client.hasLeft) return "it closed its sending side while it waited";
  // A response of known length comes to an end by itself: to a client that is gone, by the reset that answers our bytes.
  if (!client.hasLeft || client.responseSized) return null;
  // Names the option, for those whose clients only look as if they had left.
  return "it closed its sending side (client_half_close: abort)";
}

/**
 * Ends the connection of a client that does not get its answer, or no more of it.
 *
 * @param inOrder it has ended its sending side, say: a reset would destroy what it was answered before and has not read yet
 */
export function leaveClient(client: DownstreamStream, inOrder: boolean): void {
  if (!inOrder) client.abort();
  else if (client.responseBegun) client.abortResponse();
  else client.endUnanswered();
}
