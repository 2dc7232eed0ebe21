/** Which name servers have answered lately, so that one that is silent costs its time-out once and not every time. */

import type { NameServer, ResolvConf } from "./resolv_conf.ts";

/** How long a server that was silent is asked last. */
const SILENT_MS = 30_000;

export class ServerMemory {
  readonly #silentUntil = new Map<string, number>();
  #turn = 0;

  /** The servers in the order in which they are to be asked. */
  inOrder({ servers, rotate }: ResolvConf, now: number): readonly NameServer[] {
    const first = rotate ? this.#turn++ % servers.length : 0;
    const turned = [...servers.slice(first), ...servers.slice(0, first)];
    const silent = (server: NameServer) => (this.#silentUntil.get(keyOf(server)) ?? -Infinity) > now;
    return [...turned.filter((server) => !silent(server)), ...turned.filter(silent)];
  }

  answered(server: NameServer): void {
    this.#silentUntil.delete(keyOf(server));
  }

  wasSilent(server: NameServer, now: number): void {
    // Few at a time, but files change.
    if (this.#silentUntil.size > 64) this.#silentUntil.clear();
    this.#silentUntil.set(keyOf(server), now + SILENT_MS);
  }
}

function keyOf({ host, port }: NameServer): string {
  return `${host} ${port}`;
}
