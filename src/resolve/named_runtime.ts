/**
 * The platform with names: dials, listeners and look-ups through it may name a host, and the platform sees IP
 * literals only. Upstreams, probes, verbs and listeners all go this way, so that a name means the same everywhere.
 */

import { type Address, type Runtime, SocketFailure, type System } from "../../runtime/contract/contract.ts";
import { canonicalIp } from "../bytes/ip_address.ts";
import { AddressMemory } from "./address_order.ts";
import { derivedRuntime } from "./derived_runtime.ts";
import { NameDial } from "./name_dial.ts";
import { ProhibitedDial } from "./prohibited_dial.ts";
import { Resolver } from "./resolver.ts";

/** Reads and asks nothing before a name is used. */
export function namedRuntime(platform: Runtime, system: Pick<System, "readText" | "nameFiles">): Runtime {
  const parts = { runtime: platform, resolver: new Resolver(platform, system), memory: new AddressMemory() };
  const { resolver } = parts;
  const isNamed = nameTest();
  return derivedRuntime(platform, {
    dial(options, events) {
      const { address, prohibits } = options;
      const literal = address.kind === "tcp" ? address.host : null;
      if (!isNamed(address)) {
        const why = prohibits === undefined || literal === null ? null : prohibits(literal);
        return why === null
          ? platform.dial(options, events)
          : new ProhibitedDial(platform.clock, why, events);
      }
      return new NameDial(parts, options, address.host, address.port, events);
    },
    resolve: (host) => resolver.resolve(host),
    async listen(options, events) {
      const { address } = options;
      if (!isNamed(address)) return await platform.listen(options, events);
      return await platform.listen({ ...options, address: await bindable(resolver, address) }, events);
    },
    async reserve(options) {
      const { address } = options;
      if (!isNamed(address)) return await platform.reserve(options);
      return await platform.reserve({ ...options, address: await bindable(resolver, address) });
    },
  });
}

type TcpAddress = Extract<Address, { readonly kind: "tcp" }>;

/** Hosts that are known to be literals or not: a dial is made for each connection, and the hosts are few. */
const MOST_REMEMBERED = 1024;

function nameTest(): (address: Address) => address is TcpAddress {
  const known = new Map<string, boolean>();
  return (address): address is TcpAddress => {
    if (address.kind === "unix") return false;
    const { host } = address;
    let named = known.get(host);
    if (named === undefined) {
      named = canonicalIp(host) === null && !host.includes("%");
      if (known.size >= MOST_REMEMBERED) known.clear();
      known.set(host, named);
    }
    return named;
  };
}

/** A socket is bound to one address: the first of IPv4 if there is one, as `:8080` is. */
async function bindable(resolver: Resolver, address: TcpAddress): Promise<Address> {
  const addresses = await resolver.resolve(address.host);
  const host = addresses.find((each) => !each.includes(":")) ?? addresses[0];
  if (host === undefined) throw new SocketFailure("dns_error", `${address.host} has no address`);
  return { ...address, host };
}
