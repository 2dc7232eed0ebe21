/** What was under way at one moment, told from what has begun since. */

import type { DownstreamPeer } from "../http/downstream_stream.ts";

/**
 * @param connections those that there are now, whenever they are looked at
 * @param tunnels likewise
 * @returns tells, whenever it is asked, whether some of it still is
 */
export function underWay(
  connections: Iterable<DownstreamPeer>,
  tunnels: ReadonlySet<unknown>,
): () => boolean {
  // Each request has a receiver of its own.
  const began = new Set<unknown>();
  for (const client of connections) client.forEachStream(({ events }) => began.add(events));
  began.delete(null);
  const opened = new Set(tunnels);
  return () => {
    for (const tunnel of opened) if (tunnels.has(tunnel)) return true;
    let some = false;
    for (const client of connections) {
      client.forEachStream(({ events }) => {
        if (began.has(events)) some = true;
      });
    }
    return some;
  };
}
