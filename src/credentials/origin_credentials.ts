/** Which credential is for which origin, among those that clients of a forward proxy ask for. */

import type { Credential } from "./credential.ts";

export interface OriginCredential {
  /** A name, an IP literal, or `.suffix` for all names below one; lower case. */
  readonly host: string;
  readonly port: number;
  readonly credential: Credential;
}

export class OriginCredentials {
  readonly #entries: readonly OriginCredential[];

  constructor(entries: readonly OriginCredential[]) {
    this.#entries = entries;
  }

  /** Of the first entry that fits; null = none. @param host canonical, see `DestinationHost` */
  of(host: string, port: number): Credential | null {
    for (const entry of this.#entries) {
      if (entry.port !== port) continue;
      if (entry.host.startsWith(".") ? host.endsWith(entry.host) : host === entry.host) {
        return entry.credential;
      }
    }
    return null;
  }

  /** Of the reuse key of connections to the origin; "" = none of ours authenticates them. */
  connectionKeyOf(host: string, port: number): string {
    return this.of(host, port)?.connectionKey ?? "";
  }
}
