/** The listeners of a configuration: those for routes, those of the forward proxy, and those that are both. */

import type { Address } from "../../runtime/contract/contract.ts";
import { canonicalIp } from "../bytes/ip_address.ts";
import { printAddress } from "./values/address.ts";
import type { ListenConfig } from "./values/config.ts";
import { AUTO_LISTENER, type ForwardListener } from "./values/forward_types.ts";

/** Where a forward proxy is expected; Squid's port. */
const USUAL_ADDRESS: Address = { kind: "tcp", host: "127.0.0.1", port: 3128 };
const FREE_ADDRESS: Address = { kind: "tcp", host: "127.0.0.1", port: 0 };

export interface Listeners {
  readonly all: readonly ListenConfig[];
  /** Forward listeners that cannot be bound beside one of the others, and why. */
  readonly clashes: readonly string[];
}

/**
 * Puts both lists together. A forward listener at an address that is listened on already makes that listener one for both.
 *
 * @param through a command is run through the proxy: a port that is free will do
 */
export function joinListeners(
  listen: readonly ListenConfig[],
  forward: readonly ForwardListener[],
  through: boolean,
): Listeners {
  const all = [...listen];
  const clashes: string[] = [];
  for (const given of forward) {
    const entry = given === AUTO_LISTENER
      ? { address: through ? FREE_ADDRESS : USUAL_ADDRESS, tls: false, forward: true }
      : given;
    const at = listen.findIndex(({ address }) => sameListener(address, entry.address));
    const other = listen[at];
    if (other === undefined) {
      all.push(entry);
      continue;
    }
    const wider = !covers(other.address, entry.address);
    if (other.tls !== entry.tls || wider) {
      const [there, here] = [other, { ...entry, forward: false }].map(written);
      clashes.push(
        `${here} and ${there} of listen share a port: write the same for both, or use another port`,
      );
    } else {
      all[at] = { ...other, forward: true };
    }
  }
  return { all, clashes };
}

function written({ address, tls }: ListenConfig): string {
  return (tls ? "https://" : "") + printAddress(address);
}

/** Whether two listeners cannot be bound beside each other. */
export function sameListener(a: Address, b: Address): boolean {
  return covers(a, b) || covers(b, a);
}

/** Whether a listener on the first accepts all that one on the second would. */
function covers(a: Address, b: Address): boolean {
  if (a.kind === "unix" || b.kind === "unix") return a.kind === b.kind && printAddress(a) === printAddress(b);
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || coversHost(a.host, b.host);
}

/** True when the wildcard address `any` covers `host`: each of the two has one family, and a name may have both. */
function coversHost(any: string, host: string): boolean {
  if (any !== "0.0.0.0" && any !== "::") return false;
  return canonicalIp(host) === null || host.includes(":") === any.includes(":");
}
