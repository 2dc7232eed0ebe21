/** How many client connections the limit on open files (`ulimit -n`) leaves room for. */

/** What is open anyway: listeners, logs, the control socket, the engine's own. */
const OWN = 40;
/**
 * An eighth is kept for connections to endpoints, within these bounds. Whoever waits for one need not have it alone, but
 * without any all would wait for each other.
 */
const LEAST_KEPT = 16;
const MOST_KEPT = 128;
/** Connections beyond the limit that are answered at a time; an eighth of the files at most. */
const MOST_REFUSED = 256;
/** Below this part of what was asked for it is worth a word. */
const WORTH_TELLING = 0.9;

/** @param limit open files of the process; Infinity = not known */
export function clientsWithin(limit: number): number {
  const kept = Math.min(MOST_KEPT, Math.max(LEAST_KEPT, Math.floor(limit / 8)));
  // Who is refused has a connection as well, and those behind him may be in their TLS handshake.
  return Math.max(1, limit - OWN - kept - 2 * refusedWithin(limit));
}

/** How many connections beyond the limit may be open until they have their answer. */
export function refusedWithin(limit: number): number {
  return Math.min(MOST_REFUSED, Math.floor(limit / 8));
}

/** What to warn of at the start; "" when there is enough room. */
export function roomWarning(wanted: number, limit: number): string {
  const room = clientsWithin(limit);
  if (room >= wanted * WORTH_TELLING) return "";
  return `${limit} files may be open, so ${room} clients may be connected at a time, not ${wanted} (max_connections): ` +
    "raise ulimit -n";
}
