/** Endpoints that are Sluice's own listeners: each request would go round in circles until it is refused. */

import type { Address } from "../../runtime/contract/contract.ts";
import { printListen } from "./values/address.ts";
import type { EndpointConfig, ListenConfig } from "./values/config.ts";
import { canonicalIp, isLocalhostName, isLoopback } from "../bytes/ip_address.ts";
import { type Origin, type Problem, problemAt } from "./values/problem.ts";

/** Reports each endpoint of a list that is one of the listeners. Names are not looked up. */
export function checkOwnAddress(
  listeners: readonly ListenConfig[],
  endpoints: readonly EndpointConfig[],
  origin: Origin,
  path: string,
  problems: Problem[],
): void {
  for (const endpoint of endpoints) {
    const own = listeners.find(({ address }) => reaches(endpoint.address, address));
    if (own === undefined) continue;
    const message = `${endpoint.name} is Sluice itself, which listens on ${printListen(own)}: ` +
      "name the backend's address, or listen elsewhere (--listen)";
    problems.push(problemAt(origin, path, message));
  }
}

/** Whether a dial to one address arrives at a listener bound to the other. */
function reaches(dialled: Address, bound: Address): boolean {
  if (dialled.kind === "unix") return bound.kind === "unix" && dialled.path === bound.path;
  // Port 0 is one that is chosen later, for each of the two.
  if (bound.kind === "unix" || dialled.port !== bound.port || dialled.port === 0) return false;
  const from = hostsOf(dialled.host);
  const to = hostsOf(bound.host);
  return from.some((host) => to.includes(host) || (isLoopback(host) && coversLoopback(bound.host, host)));
}

/** A host with its other names: connecting to "any address" arrives at this machine. */
function hostsOf(host: string): readonly string[] {
  if (isLocalhostName(host)) return ["127.0.0.1", "::1"];
  const ip = canonicalIp(host);
  if (ip === "0.0.0.0") return [ip, "127.0.0.1"];
  return ip === "::" ? [ip, "::1"] : [ip ?? host];
}

/** True when a listener on `bound` takes connections to the loopback address `host`: each wildcard has one family. */
function coversLoopback(bound: string, host: string): boolean {
  const any = canonicalIp(bound);
  return host.includes(":") ? any === "::" : any === "0.0.0.0";
}
