/** Addresses of this machine, kept for a while because they are asked for often. */

import type { Clock, System } from "../../../runtime/contract/contract.ts";

/** With a thousand interfaces a look takes milliseconds. */
const KEEP_MS = 5000;

/** @returns addresses of the network interfaces, as they were at most five seconds ago */
export function interfaceAddresses(clock: Clock, system: System): () => readonly string[] {
  let known: readonly string[] = [];
  let at = -Infinity;
  return () => {
    const now = clock.now();
    if (now - at > KEEP_MS) {
      known = system.interfaceAddresses();
      at = now;
    }
    return known;
  };
}
