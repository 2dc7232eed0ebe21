/** Whether a destination is one of our own listeners: a request to it would come back to us. */

import { ipBytes } from "../bytes/ip_address.ts";
import { judgedBytes } from "./address_class.ts";

/** A bound TCP address; `host` is an IP literal without brackets. */
export interface ListeningAddress {
  readonly host: string;
  readonly port: number;
}

export class OwnListeners {
  /** Keys of single addresses with their ports. */
  readonly #addresses = new Set<string>();
  /** Ports on which all addresses of a family are listened on. */
  readonly #anyIpv4 = new Set<number>();
  readonly #anyIpv6 = new Set<number>();
  /** Addresses of this machine's interfaces. */
  readonly #local = new Set<string>();

  /**
   * @param listeners all that is bound, the admin listener included
   * @param interfaces addresses of this machine; those of loopback are known
   */
  constructor(listeners: readonly ListeningAddress[], interfaces: readonly string[]) {
    for (const { host, port } of listeners) {
      const bytes = ipBytes(host);
      if (bytes === null) continue;
      if (bytes.some((byte) => byte !== 0)) this.#addresses.add(keyOf(bytes, port));
      else if (bytes.length === 4) this.#anyIpv4.add(port);
      else {
        // Not on every platform does "::" leave IPv4 to others.
        this.#anyIpv4.add(port);
        this.#anyIpv6.add(port);
      }
    }
    for (const text of interfaces) {
      const bytes = ipBytes(text);
      if (bytes !== null) this.#local.add(keyOf(bytes, 0));
    }
  }

  /** @param address an IP literal without brackets */
  has(address: string, port: number): boolean {
    const dialled = judgedBytes(address);
    if (dialled === null) return false;
    // A connection to the unspecified address arrives at loopback.
    const bytes = dialled.some((byte) => byte !== 0)
      ? dialled
      : dialled.length === 4
      ? [127, 0, 0, 1]
      : [...dialled.slice(1), 1];
    if (this.#addresses.has(keyOf(bytes, port))) return true;
    if (!(bytes.length === 4 ? this.#anyIpv4 : this.#anyIpv6).has(port)) return false;
    return isLoopback(bytes) || this.#local.has(keyOf(bytes, 0));
  }
}

function isLoopback(bytes: readonly number[]): boolean {
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, at) => byte === (at === 15 ? 1 : 0));
}

function keyOf(bytes: readonly number[], port: number): string {
  return `${bytes.join(".")} ${port}`;
}
