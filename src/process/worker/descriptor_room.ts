/** How many client connections the limit on open files (`ulimit -n`) leaves room for. */

import type { Config } from "../../config/values/config.ts";

/** What is open anyway: logs, pipes of workers, the engine's own. */
const OWN = 40;
/**
 * An eighth is kept for connections to endpoints, within these bounds. A request that waits for one need not have it alone, but
 * without any all would wait for each other.
 */
const LEAST_KEPT = 16;
const MOST_KEPT = 128;
/** Connections beyond the limit that are answered at a time; an eighth of the files at most. */
const MOST_REFUSED = 256;
/** Connections of the admin listener, and of the control socket; a thirty-second of the files each, within these bounds. */
const LEAST_ASIDE = 4;
const MOST_ASIDE = 256;
/** The same for those beyond that, which are told that there are too many. */
const MOST_REFUSED_ASIDE = 16;
/** Its output, its errors, and its guard. */
const FILES_PER_COMMAND = 3;
/** Below this part of what was asked for it is worth a word. */
const WORTH_TELLING = 0.9;

/**
 * @param limit open files of the process; Infinity = not known
 * @param aside see `filesAside`
 */
export function clientsWithin(limit: number, aside: number): number {
  const kept = Math.min(MOST_KEPT, Math.max(LEAST_KEPT, Math.floor(limit / 8)));
  // A client that is refused has a connection as well, and those behind it may be in their TLS handshake.
  return Math.max(1, limit - OWN - kept - aside - 2 * refusedWithin(limit));
}

/** How many connections the admin listener may have open, and the control socket; and how many it may refuse at a time. */
export function roomAside(limit: number): { readonly maxConnections: number; readonly maxRefused: number } {
  return {
    maxConnections: Math.min(MOST_ASIDE, Math.max(LEAST_ASIDE, Math.floor(limit / 32))),
    maxRefused: Math.min(MOST_REFUSED_ASIDE, Math.max(1, Math.floor(limit / 64))),
  };
}

/**
 * Files of a worker's process that are for something else: connections of the admin listener and the control socket,
 * pipes of commands, further listeners.
 * @param alone the worker is in the supervisor's process, where most of them are
 */
export function filesAside(limit: number, config: Config, alone: boolean): number {
  const listeners = config.listen.length;
  if (!alone) return listeners;
  const { maxConnections, maxRefused } = roomAside(limit);
  const servers = Number(config.process.control !== "off") + Number(config.admin !== null);
  const commands = config.upstreams.filter(({ child }) => child !== null).length;
  return listeners + commands * FILES_PER_COMMAND + servers * (maxConnections + maxRefused);
}

/** How many connections beyond the limit may be open until they have their answer. */
export function refusedWithin(limit: number): number {
  return Math.min(MOST_REFUSED, Math.floor(limit / 8));
}

/** What to warn of at the start; "" when there is enough room. */
export function roomWarning(wanted: number, limit: number, aside: number): string {
  const room = clientsWithin(limit, aside);
  if (room >= wanted * WORTH_TELLING) return "";
  return `${limit} files may be open, so ${room} clients may be connected at a time, not ${wanted} (max_connections): ` +
    "raise ulimit -n";
}
