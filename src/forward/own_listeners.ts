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
  /** Of all of these: nearly every destination has another one, and is not looked at further. */
  readonly #ports = new Set<number>();
  readonly #interfaces: () => readonly string[];

  /**
   * @param interfaces addresses of this machine at present; those of loopback are known. Asked for only about a port on which all
   *   addresses are listened on
   */
  constructor(listeners: readonly ListeningAddress[], interfaces: () => readonly string[]) {
    this.#interfaces = interfaces;
    this.replace(listeners);
  }

  /** @param listeners all that is bound from now on, the admin listener included */
  replace(listeners: readonly ListeningAddress[]): void {
    for (const known of [this.#addresses, this.#anyIpv4, this.#anyIpv6, this.#ports]) known.clear();
    for (const { host, port } of listeners) {
      const bytes = ipBytes(host);
      if (bytes === null) continue;
      this.#ports.add(port);
      if (bytes.some((byte) => byte !== 0)) this.#addresses.add(keyOf(bytes, port));
      else if (bytes.length === 4) this.#anyIpv4.add(port);
      else {
        // Not on every platform does "::" leave IPv4 to others.
        this.#anyIpv4.add(port);
        this.#anyIpv6.add(port);
      }
    }
  }

  /** @param address an IP literal without brackets */
  has(address: string, port: number): boolean {
    if (!this.#ports.has(port)) return false;
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
    if (isLoopback(bytes)) return true;
    const key = keyOf(bytes, 0);
    return this.#interfaces().some((text) => keyOf(ipBytes(text) ?? [], 0) === key);
  }
}

function isLoopback(bytes: readonly number[]): boolean {
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, at) => byte === (at === 15 ? 1 : 0));
}

function keyOf(bytes: readonly number[], port: number): string {
  return `${bytes.join(".")} ${port}`;
}
